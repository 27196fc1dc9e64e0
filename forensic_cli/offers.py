"""What packages offer by name beside detectors and reports: an entry point names the object, nothing is registered."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from forensic_cli.entries import OURS, Entry, find
from forensic_cli.errors import PluginError, UsageError, nearest, reason

Record = TypeVar("Record")

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")


def load(entry: Entry) -> Any:
    """What an entry point names, imported now. Raises PluginError that names its package."""
    with guarded(lambda error: blame(entry, error)):
        found = importlib.import_module(entry.module)
        for name in filter(None, entry.attribute.split(".")):
            found = getattr(found, name)
    return found


def sole(entries: Sequence[Entry], noun: str) -> Entry:
    """The one entry of a name. Raises PluginError if two packages offer it."""
    if len(entries) > 1:
        both = " and ".join(f"{one.distribution} {one.version}" for one in entries)
        raise PluginError(f"{both} both offer the {noun} {entries[0].name!r}: uninstall one of them")
    return entries[0]


def command(entries: Sequence[Entry]) -> Any:
    """The function or Typer app of the packages that offer one command. Raises PluginError if it is none, or two do."""
    entry = sole(entries, "command")
    found = load(entry)
    if not callable(found):
        raise blame(entry, PluginError(f"{entry.module}:{entry.attribute} is no function, and no Typer app"))
    return found


@dataclass(frozen=True)
class Shelf(Generic[Record]):
    """Records of one `kind` that packages offer by name: each entry of the `group` names a mapping of names to records.

    A package whose mapping cannot be used is left out, and so is a name of our own in another's mapping.
    """

    group: str
    noun: str
    kind: type[Record]

    def records(self) -> Mapping[str, Record]:
        """All of them, our own first."""
        return self._filled()[0]

    def failures(self) -> list[PluginError]:
        """Why packages, or names of them, were left out."""
        return self._filled()[1]

    def get(self, name: str) -> Record:
        """The record of this name. Raises UsageError if there is none."""
        records = self.records()
        if name not in records:
            raise UsageError(f"there is no {self.noun} {name!r}; {self.hint(name)}")
        return records[name]

    def hint(self, name: str) -> str:
        """What could have been meant, and what is missing because its package is broken."""
        lost = "".join(f" ({error})" for error in self.failures())
        return nearest(name, self.records()) + lost

    def _filled(self) -> tuple[dict[str, Record], list[PluginError]]:
        return _filled(self, tuple(sorted(find(self.group), key=lambda entry: entry.distribution != OURS)))


@cache
def _filled(shelf: Shelf[Any], entries: tuple[Entry, ...]) -> tuple[dict[str, Any], list[PluginError]]:
    records: dict[str, Any] = {}
    owners: dict[str, Entry] = {}
    twice: set[str] = set()
    failures = []
    for entry in entries:
        try:
            offered = _checked(entry, load(entry), shelf)
        except PluginError as error:
            failures.append(error)
            continue
        for name, record in offered.items():
            owner = owners.setdefault(name, entry)
            if owner == entry:
                records[name] = record
                continue
            failures.append(PluginError(f"{owner} and {entry} both offer the {shelf.noun} {name!r}: uninstall one of them"))
            if owner.distribution != OURS:
                twice.add(name)
    return {name: record for name, record in records.items() if name not in twice}, failures


def _checked(entry: Entry, offered: Any, shelf: Shelf[Any]) -> Mapping[str, Any]:
    if not isinstance(offered, Mapping):
        raise blame(entry, PluginError(f"{entry.module}:{entry.attribute} is no mapping of names"))
    for name, record in offered.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise blame(entry, PluginError(f"{name!r} is no name: small letters, digits, dots and hyphens"))
        if not isinstance(record, shelf.kind):
            raise blame(entry, PluginError(f"{name!r} is not a {shelf.kind.__name__}"))
    return offered


@contextmanager
def guarded(blamed: Callable[[BaseException], PluginError]) -> Iterator[None]:
    """Runs a plugin's own code: whatever it raises is its failure alone, and what it prints gets into no report."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a strange plugin may raise anything; it must not end `forensic doctor`
        raise blamed(error) from error


def blame(entry: Entry, error: BaseException) -> PluginError:
    """The failure of a plugin, with its package and how to be rid of it."""
    cure = "" if not entry.module or entry.distribution == OURS else f" (to remove it: pip uninstall {entry.distribution})"
    return PluginError(f"{entry}: {reason(error)}{cure}")
