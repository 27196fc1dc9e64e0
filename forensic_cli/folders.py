"""The way through folders: everything below one, or what matches a pattern, in the same order on every machine."""

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from forensic_cli.errors import why
from forensic_cli.records import Failure, Skipped


class Met(NamedTuple):
    """Something inside a folder that is no folder itself, not looked at yet. `matched`: by the pattern, name for name."""

    path: str
    entry: "os.DirEntry[str]"
    matched: bool


class Glob:
    """A pattern, taken one name at a time: a state holds the parts that may come next, `end` in it means a match."""

    def __init__(self, parts: Iterable[str]) -> None:
        self._parts: list[re.Pattern[str] | None] = []  # None is `**`
        for part in parts:
            if part not in ("**", ""):
                self._parts.append(re.compile(fnmatch.translate(part)))
            elif part and (not self._parts or self._parts[-1]):
                self._parts.append(None)
        if self._parts[-1] is None:  # at the end `**` is everything below
            self._parts.append(re.compile(""))
        self.end = len(self._parts)

    def start(self) -> frozenset[int]:
        return self._skipping([0])

    def after(self, state: frozenset[int], name: str) -> frozenset[int]:
        reached = []
        for at in state - {self.end}:
            part = self._parts[at]
            if part is None:
                reached.append(at)
            elif part.match(name):
                reached.append(at + 1)
        return self._skipping(reached)

    def _skipping(self, state: list[int]) -> frozenset[int]:
        """`**` also stands for no folder at all."""
        return frozenset(state + [at + 1 for at in state if at < self.end and self._parts[at] is None])


def walk(root: str, steps: Glob | None = None) -> Iterator[Met | Skipped | Failure]:
    """Everything below `root`, or only what matches `steps` and what lies below a folder that matches."""
    way = _Way()
    yield from way.enter(root, steps.start() if steps else None)
    while way.stack:
        folder = way.stack[-1]
        if not folder.entries:
            way.stack.pop()
            continue
        entry = folder.entries.pop()
        path = folder.prefix + entry.name
        state = None
        if steps and folder.state is not None:
            state = steps.after(folder.state, entry.name)
            if not state:
                continue
        matched = state is None or (steps is not None and steps.end in state)
        if _is_folder(entry):
            yield from way.enter(path, None if matched else state)
        elif matched:
            yield Met(path, entry, matched=state is not None)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    with suppress(OSError):  # to look at it as a file fails likewise, and says why
        return entry.is_dir()
    return False


class _Folder:
    """A folder between the root of a walk and where the walk stands now; its entries are taken from the end."""

    def __init__(self, path: str, state: frozenset[int] | None) -> None:
        """`state`: where in the pattern it stands; None if everything below is wanted. Raises OSError."""
        status = os.stat(path or os.curdir)
        self.path = path
        self.key = status.st_dev, status.st_ino
        self.prefix = path if not path or path.endswith(os.sep) else path + os.sep
        self.state = state
        self.entries: list[os.DirEntry[str]] = []

    def read(self) -> None:
        """Raises OSError."""
        with os.scandir(self.path or os.curdir) as entries:
            self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)


class _Way:
    """The way down from one root, on a stack of its own: folders may be deeper than calls."""

    def __init__(self) -> None:
        self.stack: list[_Folder] = []
        self._visited: dict[tuple[int, int], str] = {}

    def enter(self, path: str, state: frozenset[int] | None) -> Iterator[Skipped | Failure]:
        """Put a folder on top of the stack, or say why not."""
        try:
            folder = _Folder(path, state)
            if folder.key not in self._visited:
                self._visited[folder.key] = path
                folder.read()
                self.stack.append(folder)
                return
        except OSError as error:
            yield Failure(path, why(error, path, met=True))
            return
        above = any(other.key == folder.key for other in self.stack)
        how = "symbolic link loop: it leads back to" if above else "this folder was already visited as"
        yield Skipped(path, f"{how} {self._visited[folder.key] or os.curdir}")
