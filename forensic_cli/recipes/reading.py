"""Reads one recipe, which somebody wrote by hand, from a TOML file."""

import functools
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from forensic_cli.errors import UsageError, nearest, why
from forensic_cli.recipes.checking import Table
from forensic_cli.recipes.recipe import Data, Entry, Published, Recipe
from forensic_cli.transforms import expand

_MEAN = "(mean)"
_SIDES = ("method", "generator", "transform", "metric")


def read(path: Path, name: str) -> Recipe:
    """The recipe in a TOML file, which gets this name. Raises UsageError that names file and key."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {why(error, str(path))}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: it is not UTF-8; save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: it is no TOML that can be read, {error}") from error
    return _recipe(path, name, values)


def _recipe(path: Path, name: str, values: Mapping[str, Any]) -> Recipe:
    table = Table(f"{path}: ", values)
    data = _data(table.table("data"))
    entries = tuple(_entry(one) for one in table.tables("methods"))
    labels = [entry.label for entry in entries]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice or not entries:
        raise table.wrong("methods", f"has {twice!r} twice; give each its own label" if twice else "is empty")
    recipe = Recipe(
        name=name,
        title=table.text("title"),
        paper=table.text("paper"),
        shows=table.text("shows"),
        data=data,
        entries=entries,
        transforms=_spelt(table, "transforms", table.texts("transforms", ["none"])),
        metrics=table.texts("metrics"),
        needs=table.text("needs", ""),
        differs=table.text("differs", ""),
        published=tuple(one for block in table.tables("published", []) for one in _published(block)),
    )
    table.end()
    _fitting(table, recipe)
    return recipe


def _data(table: Table) -> Data:
    data = Data(
        name=table.text("name"),
        layout=table.text("layout"),
        where=table.text("where"),
        generators=table.texts("generators", []),
        address=table.text("address", ""),
    )
    table.end()
    return data


def _entry(table: Table) -> Entry:
    method = table.text("method")
    entry = Entry(table.text("label", method), method, table.settings("settings"), table.text("note", ""))
    table.end()
    return entry


def _published(table: Table) -> list[Published]:
    """One block: `columns` are names of what `across` says, `rows` of what `down` says; the two other sides are fixed."""
    down, across = table.text("down", "method"), table.text("across", "generator")
    for key, side in (("down", down), ("across", across)):
        if side not in _SIDES:
            raise table.wrong(key, f"is {side!r}; {nearest(side, _SIDES)}")
    if down == across:
        raise table.wrong("across", f"is {across!r}, as down is")
    fixed = {
        side: table.text(side, "none" if side == "transform" else None) for side in _SIDES if side not in (down, across)
    }
    columns = table.texts("columns")
    scale = 0.01 if table.truth("percent", False) else 1.0
    rows = table.table("rows").rows(len(columns))
    table.end()
    found = []
    for row, values in rows.items():
        for column, value in zip(columns, values, strict=True):
            sides = {**fixed, down: row, across: column}
            transform = _spelt(table, "transform", [sides["transform"]])[0]
            number = round(value * scale, 12)
            found.append(Published(sides["method"], sides["generator"], transform, sides["metric"], number))
    return found


def _spelt(table: Table, key: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Transforms under the names that results have, sweeps taken apart."""
    try:
        return tuple(dict.fromkeys(name for text in texts for name in _expanded(text)))
    except UsageError as error:
        raise table.wrong(key, f"cannot be: {error}") from error


_expanded = functools.cache(expand)


def _fitting(table: Table, recipe: Recipe) -> None:
    """What is published must be among what is evaluated, or it would never stand beside anything."""
    sides = {
        "generator": (*recipe.data.generators, _MEAN),
        "transform": recipe.transforms,
        "metric": recipe.metrics,
    }
    met = set()
    for one in recipe.published:
        for side, known in sides.items():
            name = getattr(one, side)
            if name not in known:
                raise table.wrong("published", f"has the {side} {name!r:.60}; {nearest(name, known)}")
        cell = (one.method, one.generator, one.transform, one.metric)
        if cell in met:
            raise table.wrong("published", f"has two numbers for {', '.join(cell)}")
        met.add(cell)
