"""Finds plugins without importing them, and imports those that are asked for so that a broken one harms nobody else."""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pluggy

from forensic_cli import hookspecs
from forensic_cli.detector import Detector
from forensic_cli.entries import DETECTORS, REPORTS, Entry, defaults, find, stronger
from forensic_cli.errors import PluginError, UsageError, nearest, reason
from forensic_cli.offers import blame, guarded, load, sole
from forensic_cli.options import options_of
from forensic_cli.report import Report

_KINDS: dict[str, type] = {DETECTORS: Detector, REPORTS: Report}
_NOUNS = {DETECTORS: "method", REPORTS: "report format"}


@dataclass(frozen=True)
class Offer:
    """A plugin after its import: one of the names that it registered, and what answers to it."""

    name: str
    factory: type[Any]
    entry: Entry


class Plugins:
    """The plugins of this installation and the loose files named by the user.

    Raises PluginError from the constructor if a loose file cannot be loaded: its user asked for it.
    """

    def __init__(self, loose: Iterable[Path] = ()) -> None:
        self._offers: dict[str, dict[str, Offer]] = {DETECTORS: {}, REPORTS: {}}
        self._failures: dict[Entry, PluginError] = {}
        self._loaded: set[Entry] = set()
        for path in loose:
            self._load_file(path)

    @cached_property
    def detectors(self) -> list[Entry]:
        return find(DETECTORS)

    @cached_property
    def reports(self) -> list[Entry]:
        return find(REPORTS)

    @cached_property
    def defaults(self) -> list[str]:
        return defaults()

    @cached_property
    def stronger(self) -> list[str]:
        return stronger()

    def names(self, group: str) -> list[str]:
        """What can be typed without knowing variants: entry names and what loose files registered."""
        return sorted({entry.name for entry in self._entries(group)} | set(self._offers[group]))

    def detector(self, name: str) -> Offer:
        """The detector of that name, imported now. Raises UsageError (no such name) or PluginError (whose, and why)."""
        return self._get(DETECTORS, name)

    def report(self, name: str) -> Report:
        """A report format by name. Raises UsageError or PluginError."""
        report: Report = self._get(REPORTS, name).factory()
        return report

    def load_all(self, group: str) -> Iterator[Offer | PluginError]:
        """Import every plugin of a group: first what could not be loaded, then everything that is offered."""
        for entry in self._entries(group):
            try:
                self._load(entry)
            except PluginError as error:
                yield error
        yield from sorted(self._offers[group].values(), key=lambda offer: offer.name)

    def variants(self, entry_name: str, group: str = DETECTORS) -> list[Offer]:
        """Everything that the plugin of this name offers, its own name first."""
        first = self._get(group, entry_name)
        return [offer for offer in self._offers[group].values() if offer.entry == first.entry]

    def _entries(self, group: str) -> list[Entry]:
        return self.detectors if group == DETECTORS else self.reports

    def _get(self, group: str, name: str) -> Offer:
        offers = self._offers[group]
        if name not in offers:
            owners = {entry.name: entry for entry in self._entries(group)}
            owner = owners.get(name) or owners.get(name.partition(".")[0])
            if owner is None:
                raise UsageError(f"there is no {_NOUNS[group]} {name!r}; {nearest(name, self.names(group))}")
            self._load(owner)
        if name not in offers:
            known = [offer for offer, what in offers.items() if what.entry.name == name.partition(".")[0]]
            raise UsageError(f"there is no {_NOUNS[group]} {name!r}; {nearest(name, known)}")
        return offers[name]

    def _load(self, entry: Entry) -> None:
        if entry in self._failures:
            raise self._failures[entry]
        if entry in self._loaded:
            return
        try:
            sole([other for other in self._entries(entry.group) if other.name == entry.name], _NOUNS[entry.group])
            self._register(entry, load(entry))
        except PluginError as error:
            self._failures[entry] = error
            raise
        self._loaded.add(entry)

    def _load_file(self, path: Path) -> None:
        entry = Entry(DETECTORS, path.stem, "", str(path), "(loose file)")
        name = f"forensic_loose_{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:12]}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise PluginError(f"{path}: {'not a Python file' if path.exists() else 'no such file'}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up there
        neighbours = str(path.absolute().parent)
        if neighbours not in sys.path:
            sys.path.append(neighbours)  # behind all that is installed, which a file beside it must not replace
        with guarded(lambda error: PluginError(f"{path}: {reason(error)}")):
            spec.loader.exec_module(module)
        self._register(entry, module)

    def _register(self, entry: Entry, module: Any) -> None:
        """Let the plugin's hooks register; what it offered is kept only if nothing went wrong."""
        offered: dict[str, dict[str, Offer]] = {DETECTORS: {}, REPORTS: {}}

        def registrar(group: str) -> Any:
            def register(name: str, factory: type[Any]) -> None:
                self._check(entry, group, name, factory)
                offered[group][name] = Offer(name, factory, entry)

            return register

        manager = pluggy.PluginManager("forensic")
        manager.add_hookspecs(hookspecs)
        with guarded(lambda error: blame(entry, error)):
            manager.register(module, name=entry.name)
            manager.check_pending()
            manager.hook.register_detectors(register=registrar(DETECTORS))
            manager.hook.register_reports(register=registrar(REPORTS))
        if not any(offered.values()) or (entry.module and entry.name not in offered[entry.group]):
            raise blame(entry, PluginError(f"registers no {_NOUNS[entry.group]} {entry.name!r} (is @hookimpl there?)"))
        for group, offers in offered.items():
            self._offers[group].update(offers)

    def _check(self, entry: Entry, group: str, name: str, factory: type[Any]) -> None:
        if entry.module and name != entry.name and not name.startswith(f"{entry.name}."):
            raise PluginError(f"may register {entry.name!r} or {entry.name + '.VARIANT'!r}, not {name!r}")
        if not (isinstance(factory, type) and issubclass(factory, _KINDS[group])):
            raise PluginError(f"{name!r} is not a subclass of {_KINDS[group].__name__}")
        if group == DETECTORS:
            _check_detector(name, factory)
        owner = self._offers[group].get(name)
        taken = owner.entry if owner else next((one for one in self._entries(group) if one.name == name), entry)
        if (taken.distribution, taken.version) != (entry.distribution, entry.version):
            raise PluginError(f"{name!r} is the name of {taken} already: rename one, or uninstall the other")


def _check_detector(name: str, factory: type[Any]) -> None:
    looks_at = getattr(factory, "looks_at", None)
    if looks_at not in ("pixels", "file"):
        raise PluginError(f"{name!r} looks at {looks_at!r}; expected 'pixels' or 'file'")
    if factory.score is Detector.score and factory.examine is Detector.examine:
        raise PluginError(f"{name!r} defines neither score nor examine")
    try:
        list(options_of(factory.Options))
        hash(factory.Options())
    except Exception as error:
        raise PluginError(f"the Options of {name!r} cannot be used ({reason(error)})") from error
