"""How data sets lie on disk: what a layout tells, and which of those that packages offer one is."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal

from forensic_cli.entries import LAYOUTS
from forensic_cli.errors import UsageError
from forensic_cli.offers import Shelf


@dataclass(frozen=True)
class Layout:
    """Names of folders and patterns (`*`, `?`, `[...]`) of them are compared without letter case, spaces, - and _.

    `about`: one line for a person. `shape`: how its folders lie, for whoever has others.
    `generators`: the usual names of generators' folders. `aliases`: what else they are called -> the usual name.
    `labels`: how many images lie below a folder that says real or fake; all others are generated, or photographs.
    `photographs`: folders of photographs that are not named for a label -> the usual name.
    `shared`: photographs -> patterns of the generators that are compared with them. Photographs called like a generator
    go before these, and a generator that has neither is compared with all.
    `sets`: folders of several data sets in one, each with photographs and generators of its own.
    `classes`: folders that name what is in the picture. `aside`: folders of what is no image of the data set -> why.
    `unnamed`: the generator's name where no folder gives it. `tables`: may be or hold files of this kind, csv or parquet.
    `numbers`: what 0, 1, ... mean as labels where the table itself does not say. `only`: a column and the number that
    photographs must have in it.
    """

    about: str
    shape: str
    generators: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    labels: Literal["all", "some", "none"] = "all"
    photographs: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    aside: Mapping[str, str] = field(default_factory=dict)
    unnamed: str = ""
    tables: str = ""
    numbers: tuple[str, ...] = ()
    only: tuple[str, float] | None = None

    def generator(self, name: str) -> str:
        """The usual name of the generator whose folder is called `name`; "" if it is not known."""
        known = {plain(one): one for one in self.generators}
        return known.get(plain(name), "") or found_in(self.aliases, name)

    def partner(self, generator: str) -> str:
        """The photographs that the layout itself pairs with a generator; "" if it does not."""
        for photographs, patterns in self.shared.items():
            if any(fits(generator, pattern) for pattern in patterns):
                return photographs
        return ""

    def recognised(self, names: Iterable[str]) -> set[str]:
        """Usual names of the folders that only this data set would have."""
        others = {**self.photographs, **self.sets}
        return {usual for name in names if (usual := self.generator(name) or found_in(others, name))}

    def is_class(self, name: str) -> bool:
        return any(fits(name, pattern) for pattern in self.classes)


_REAL, _FAKE = {"real", "0_real", "nature"}, {"fake", "1_fake", "ai"}


@lru_cache(maxsize=65_536)
def plain(name: str) -> str:
    """What is compared of a name."""
    return re.sub(r"[\s_-]", "", name.lower())


def fits(name: str, pattern: str) -> bool:
    # a hyphen between brackets is a range and stays
    return fnmatchcase(plain(name), pattern if "[" in pattern else plain(pattern))


def found_in(patterns: Mapping[str, str], name: str) -> str:
    """What the first pattern that fits stands for, "" if none does."""
    return next((meaning for pattern, meaning in patterns.items() if fits(name, pattern)), "")


SHELF = Shelf(LAYOUTS, "layout", Layout)
PLAIN = "folders"
"""The layout of what is not known to be another."""


def sides() -> Layout:
    """Folders of which a person says what they hold: any of them may be named for what is in its pictures."""
    classes = dict.fromkeys(name for layout in SHELF.records().values() for name in layout.classes)
    return Layout(
        "folders of which a person says what they hold", "DIR/*, or DIR/GENERATOR/*", labels="none", classes=tuple(classes)
    )


def layouts() -> dict[str, str]:
    """Every layout that can be asked for by name, with one line on each."""
    return {name: layout.about for name, layout in SHELF.records().items()}


def named(name: str) -> tuple[str, Layout]:
    """The layout that a person asked for, in whatever letter case. Raises UsageError."""
    for known, layout in SHELF.records().items():
        if plain(known) == plain(name):
            return known, layout
    raise UsageError(f"there is no layout {name!r}; {SHELF.hint(name.lower())}")


def detected(folders: Iterable[tuple[str, ...]]) -> str:
    """The data set that folders of these names most probably are: whichever knows most of them, two at least."""
    names = {name for folder in folders for name in folder}
    lower = {name.lower() for name in names}
    best, most = PLAIN, 1
    for known, layout in SHELF.records().items():
        possible = {"all": bool(lower & (_REAL | _FAKE)), "some": True, "none": not lower & _FAKE}[layout.labels]
        score = len(layout.recognised(names)) if possible and not layout.tables else 0
        if score > most:
            best, most = known, score
    return best
