"""From what a person typed to files: finds everything there is to look at, and says why the rest is left out.

An argument is a file, a folder, a pattern (`*`, `?`, `[...]`, `**` for any number of folders), `@FILE` for a list of
paths, or `-` for such a list on standard input; what exists under the very name that was typed is meant literally.
Paths come out as given: relative stays relative. Hidden files and folders are entered like all others. Within a folder
the order is that of the names, whatever the file system. Symbolic links are followed, and no folder is entered twice
for one argument.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from forensic_cli.errors import why
from forensic_cli.folders import Glob, Met, walk
from forensic_cli.records import Failure, Skipped

_MAGIC = re.compile(r"[*?[]")
_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 20  # more bytes than this without a separator are no list of paths
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A regular file to look at."""

    path: str
    named: bool
    """Typed, listed or matched by a typed pattern; not met inside a folder."""
    stat: os.stat_result


_Reached = Candidate | Skipped | Failure


def find(arguments: Iterable[str], stdin: BinaryIO | None = None) -> Iterator[_Reached]:
    """Every file as it is met, in the order of the arguments; `stdin` is what `-` reads from.

    Nothing is raised: what cannot be reached is a Failure; special files and folders met a second time are Skipped.
    """
    for argument in arguments:
        for found in _listed(argument, stdin) if argument == "-" else _typed(argument):
            yield _examined(found) if isinstance(found, Met) else found


def count(arguments: Iterable[str]) -> int | None:
    """How many candidates `find` would give; None if it takes a list that can be read only once to know it."""
    total = 0
    for argument in arguments:
        if argument == "-" or (_is_list(argument) and _is_stream(argument[1:])):
            return None
        for found in _typed(argument):
            if _is_file(found):
                total += 1
    return total


def _typed(argument: str) -> Iterator[_Reached | Met]:
    if _is_list(argument):
        try:
            with open(argument[1:], "rb") as stream:
                yield from _listed(argument, stream)
        except (OSError, ValueError) as error:
            yield Failure(argument, f"the list cannot be read: {why(error, argument[1:])}")
    elif _MAGIC.search(argument) and not os.path.lexists(argument):
        yield from _matching(argument)
    else:
        yield from _named(argument)


def _is_list(argument: str) -> bool:
    return argument.startswith("@") and not os.path.lexists(argument)


def _is_stream(path: str) -> bool:
    """Whether reading it takes away what it holds."""
    return os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path))


def _named(path: str) -> Iterator[_Reached | Met]:
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        yield Failure(path, why(error, path))
        return
    if stat.S_ISDIR(status.st_mode):
        yield from walk(path)
    else:
        yield _judged(path, status, named=True)


def _listed(name: str, stream: BinaryIO | None) -> Iterator[_Reached | Met]:
    """What the paths in a list lead to; each is literal, neither a pattern nor another list."""
    if stream is None:
        yield Failure(name, "there is no standard input to read a list from")
        return
    try:
        for line in _lines(stream):
            if line.strip():
                yield from _named(line.decode("utf-8", "surrogateescape"))
    except OSError as error:
        yield Failure(name, f"the list cannot be read: {why(error, name)}")


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """What stands between the separators: NUL if the beginning contains one, else line ends of either kind.

    Each path is given as soon as it has been read, for another program may still be writing the list.
    """
    read = getattr(stream, "read1", stream.read)  # what is there by now, rather than all that was asked for
    separator, rest = b"", b""
    while chunk := read(_CHUNK):
        rest += chunk
        if not separator:
            if rest.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise OSError("it is UTF-16; save it as UTF-8")
            rest = rest.removeprefix(b"\xef\xbb\xbf")
            separator = b"\0" if b"\0" in rest else b"\n" if b"\n" in rest else b""
        if separator:
            *lines, rest = rest.split(separator)
            yield from lines if separator == b"\0" else (line.removesuffix(b"\r") for line in lines)
        if len(rest) > _LONGEST_LINE:
            raise OSError("it is not a list of paths")
    yield rest if separator == b"\0" else rest.removesuffix(b"\r")


def _matching(pattern: str) -> Iterator[_Reached | Met]:
    fixed = _MAGIC.split(pattern, maxsplit=1)[0]
    folder, name = os.path.split(fixed)
    rest = name + pattern[len(fixed) :]
    nothing = True
    if os.path.isdir(folder or os.curdir):
        for found in walk(folder, Glob(rest.replace(os.altsep or os.sep, os.sep).split(os.sep))):
            nothing = nothing and isinstance(found, Skipped)
            yield found
    if nothing:
        yield Failure(pattern, "no such file or folder, and as a pattern it matches nothing")


def _is_file(found: _Reached | Met) -> bool:
    if isinstance(found, Met):
        with suppress(OSError):
            return found.entry.is_file()
    return isinstance(found, Candidate)


def _examined(met: Met) -> _Reached:
    try:
        return _judged(met.path, met.entry.stat(), met.matched)
    except OSError as error:
        return Failure(met.path, why(error, met.path, met=True))


def _judged(path: str, status: os.stat_result, named: bool) -> _Reached:
    if stat.S_ISREG(status.st_mode):
        return Candidate(path, named, status)
    reason = f"{_KINDS.get(stat.S_IFMT(status.st_mode), 'a special file')}, not a regular file"
    return Failure(path, reason) if named else Skipped(path, reason)
