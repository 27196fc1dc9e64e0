"""A table as plain cells, and how records become one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from forensic_cli.records import Json

WIDE = 12
"""With more generators or transforms than this they go down the side and the methods along the top."""

_WORDS = {
    "ap": "AP",
    "auroc": "AUROC",
    "brier": "Brier",
    "fpr": "FPR",
    "n": "images",
    "n_generated": "n generated",
    "auroc_other": "AUROC of the other",
    "interval_sources": "difference, sources drawn anew",
    "n_left_out": "left out",
    "n_real": "n photographs",
    "p": "p",
    "p_value": "p",
}


class Within(NamedTuple):
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


Cell = str | int | float | Within | None


@dataclass(frozen=True)
class Table:
    """`name`: of its files. `title`: a line. `note`: what must be known to read it. Each row is as long as `header`."""

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def within(row: Json, key: str) -> Cell:
    """The value at `key` with its interval, if the row has one."""
    value, ends = row.get(key), row.get(f"{key}_interval")
    if value is None or not ends or None in ends:
        return value
    return Within(value, *ends)


def turned(table: Table) -> Table:
    """What runs along the top goes down the side where it would be too wide."""
    if len(table.header) - 1 <= WIDE or not table.rows:
        return table
    header, *rows = zip(table.header, *table.rows, strict=True)
    return Table(table.name, table.title, ("", *map(str, header[1:])), tuple(rows), table.note)


def from_records(name: str, title: str, records: Sequence[Json], note: str = "") -> Table:
    """A column for each key, in the order of their first appearance; "x_interval" goes into the column of "x".

    What is nested gets a column per inner key. Warnings and curves are left out: they are shown elsewhere.
    """
    flat = [dict(_flat(record)) for record in records]
    keys = list(dict.fromkeys(key for record in flat for key in record))
    keys = [key for key in keys if any(record.get(key) is not None for record in flat)]
    return Table(name, title, tuple(map(_heading, keys)), tuple(tuple(one.get(key) for key in keys) for one in flat), note)


def _flat(record: Mapping[str, object], above: str = "") -> Iterator[tuple[str, Cell]]:
    for key, value in record.items():
        name = f"{above}, {key}" if above else key
        owner = key.removesuffix("_interval")
        if key == "warning" or (owner != key and owner in record):
            continue
        if isinstance(value, Mapping):
            if not any(isinstance(inner, list | tuple) and len(inner) > 2 for inner in value.values()):
                yield from _flat(value, name)
        elif isinstance(value, list | tuple):
            if len(value) == 2 and all(isinstance(end, int | float) for end in value):
                yield f"{name}, low", value[0]
                yield f"{name}, high", value[1]
            elif all(isinstance(one, str) for one in value):
                yield name, ", ".join(value)
        elif isinstance(value, bool):
            yield name, "yes" if value else "no"
        elif value is None or isinstance(value, str | int | float):
            yield name, _measured(record, key)


def _measured(record: Mapping[str, object], key: str) -> Cell:
    return within(dict(record), key)


def _heading(key: str) -> str:
    return ", ".join(_WORDS.get(part, part.replace("_", " ")) for part in key.split(", "))
