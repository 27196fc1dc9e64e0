"""Entry points of the installed distributions, read from their metadata without importing anything, in milliseconds.

`importlib.metadata` gives the same answer and costs 60 ms, more than all the rest of `forensic --help`.
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from itertools import takewhile
from pathlib import Path

OURS = "forensic-cli"
DETECTORS, REPORTS = "forensic.detectors", "forensic.reports"
COMMANDS, LAYOUTS = "forensic.commands", "forensic.layouts"
RECIPES, TRANSFORMS = "forensic.recipes", "forensic.transforms"
DEFAULTS, STRONGER = "forensic.defaults", "forensic.stronger"

_DOCSTRING = r"""(?s)(?:\s*(?:#.*)?\n)*[rR]?(?:(\"{3}|'{3})(.*?)\1|(["'])(.*?)\3)"""
_LINE = r"([^=\s][^=]*?)\s*=\s*([\w.]+)(?:\s*:\s*([\w.]+))?"
_CHOSEN = (DETECTORS, DEFAULTS, STRONGER)  # what FORENSIC_PLUGINS limits among our own


@dataclass(frozen=True)
class Entry:
    """A plugin that was found and not imported: `attribute` of `module`, or all of it.

    A loose file has its path as `distribution` and no `module`.
    """

    group: str
    name: str
    module: str
    distribution: str
    version: str
    attribute: str = ""

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} [{self.name}]"


def find(group: str) -> list[Entry]:
    """The plugins of a group, by name; FORENSIC_PLUGINS (their names or distributions) limits them."""
    allowed = os.environ.get("FORENSIC_PLUGINS")
    if allowed is None:
        return installed(group)
    words = {word.strip() for word in allowed.split(",")}
    return [
        entry
        for entry in installed(group)
        if words & {entry.name, entry.distribution} or (group not in _CHOSEN and entry.distribution == OURS)
    ]


def defaults() -> list[str]:
    """The methods that run when none is asked for; only our own distribution may name some."""
    return [entry.name for entry in find(DEFAULTS) if entry.distribution == OURS]


def stronger() -> list[str]:
    """The methods that join those once their weights are on this machine; likewise."""
    return [entry.name for entry in find(STRONGER) if entry.distribution == OURS]


def installed(*groups: str) -> list[Entry]:
    """Every entry point of these groups by name; of two copies of a distribution the first on sys.path counts."""
    return list(_installed(groups, tuple(sys.path)))


@cache
def _installed(groups: tuple[str, ...], path: tuple[str, ...]) -> list[Entry]:
    found: dict[tuple[str, str, str], Entry] = {}
    seen: set[str] = set()
    for metadata, text in _tables(path):
        wanted = [line for line in _parse(text) if line[0] in groups]
        if not wanted:
            continue
        distribution, version = _identity(metadata)
        if distribution.lower() in seen:
            continue
        seen.add(distribution.lower())
        for group, name, module, attribute in wanted:
            found[group, name, distribution] = Entry(group, name, module, distribution, version, attribute)
    return sorted(found.values(), key=lambda entry: (entry.name, entry.distribution))


def summary(module: str) -> str:
    """The first paragraph of a module's docstring, read from its source without importing it; "" if there is none."""
    spec = _spec(module)
    try:
        text = Path(spec.origin).read_text("utf-8") if spec and spec.origin and spec.origin.endswith(".py") else ""
    except (OSError, UnicodeDecodeError):
        return ""
    found = re.match(_DOCSTRING, text)
    return " ".join((found[2] or found[4] or "").strip().split("\n\n")[0].split()) if found else ""


@cache
def _tables(path: tuple[str, ...]) -> list[tuple[str, str]]:
    """Each metadata folder on `path` that has an entry_points.txt, and its text."""
    tables = []
    for metadata in _metadata_folders(path):
        try:
            with open(os.path.join(metadata, "entry_points.txt"), encoding="utf-8") as file:
                tables.append((metadata, file.read()))
        except (OSError, UnicodeDecodeError):
            continue
    return tables


def _metadata_folders(path: tuple[str, ...]) -> Iterator[str]:
    for folder in dict.fromkeys(path):
        try:
            with os.scandir(folder or ".") as listing:
                names = sorted(one.name for one in listing if one.name.endswith((".dist-info", ".egg-info")))
        except OSError:
            continue
        yield from (os.path.join(folder, name) for name in names)


def _parse(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Group, name, module and attribute of each line of an entry_points.txt."""
    group = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif match := re.match(_LINE, line):
            yield group, match[1], match[2], match[3] or ""


def _identity(metadata: str) -> tuple[str, str]:
    """Name and version of a distribution: from METADATA, else from the folder's name."""
    for name in ("METADATA", "PKG-INFO"):
        try:
            with open(os.path.join(metadata, name), encoding="utf-8") as file:
                header = takewhile(str.strip, file)  # the description follows after an empty line
                fields = dict(line.rstrip("\n").split(": ", 1) for line in header if ": " in line)
        except (OSError, UnicodeDecodeError):
            continue
        if {"Name", "Version"} <= fields.keys():
            return fields["Name"], fields["Version"]
    stem = os.path.basename(metadata).rsplit(".", 1)[0]
    distribution, _, version = stem.partition("-")
    return distribution, version or "0"


def folder(module: str) -> Path | None:
    """The folder of a package, which is not imported; None if there is none."""
    spec = _spec(module)
    return Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None


def _spec(module: str) -> ModuleSpec | None:
    """Where a module is: its parents are looked up, not imported."""
    path: list[str] | None = None
    spec = None
    for part in range(module.count(".") + 1):
        spec = PathFinder.find_spec(".".join(module.split(".")[: part + 1]), path)
        if spec is None:
            return None
        try:
            path = list(spec.submodule_search_locations or ())
        except KeyError:  # a folder without __init__.py in a package that is not imported cannot be looked into
            return None
    return spec
