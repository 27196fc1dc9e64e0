"""Recipes by name, from the packages that offer them, and a user's own by the path of a TOML file."""

import os
from collections.abc import Iterator
from pathlib import Path

from forensic_cli.entries import RECIPES, Entry, find, folder
from forensic_cli.errors import PluginError, UsageError, nearest
from forensic_cli.offers import blame, sole
from forensic_cli.recipes.reading import read
from forensic_cli.recipes.recipe import Recipe


def load(name: str) -> Recipe:
    """The recipe `name`, or that in the file `name` if it ends in .toml.

    Raises UsageError that names file and key, PluginError for one of a package that cannot be read.
    """
    if name.lower().endswith(".toml"):
        path = Path(os.path.expanduser(name))
        return read(path, path.stem)
    entry, path = _offered(name.lower())
    try:
        return read(path, name.lower())
    except UsageError as error:
        raise blame(entry, error) from error


def every() -> Iterator[Recipe | PluginError]:
    """All recipes that packages offer, by name; why, in the place of what cannot be read."""
    for entry in find(RECIPES):
        if not _files(entry):
            yield blame(
                entry, PluginError(f"{entry.module} is no package with TOML files in it (is its __init__.py there?)")
            )
    for name in sorted(_names(), key=_natural):
        try:
            yield load(name)
        except PluginError as error:
            yield error


def _offered(name: str) -> tuple[Entry, Path]:
    names = _names()
    if name not in names:
        raise UsageError(
            f"no recipe {name!r:.80}; {nearest(name, names)} (`forensic evaluate --recipe list` shows them all; "
            "one of your own is named by its file, ./mine.toml)"
        )
    entry = sole([one for one, _ in names[name]], "recipe")
    return entry, names[name][0][1]


def _names() -> dict[str, list[tuple[Entry, Path]]]:
    """The files of the packages' folders. A recipe's name is the entry's, a hyphen and the file's; nothing is imported."""
    found: dict[str, list[tuple[Entry, Path]]] = {}
    for entry in find(RECIPES):
        for path in _files(entry):
            found.setdefault(f"{entry.name}-{path.stem}", []).append((entry, path))
    return found


def _natural(name: str) -> tuple[str, int, str]:
    """Table 10 after table 9."""
    family, _, place = name.partition("-")
    word = place.rstrip("0123456789")
    digits = place[len(word) :].partition("-")[0]
    return f"{family}-{word}", int(digits or 0), name


def _files(entry: Entry) -> list[Path]:
    home = folder(entry.module)
    return sorted(home.glob("*.toml")) if home else []
