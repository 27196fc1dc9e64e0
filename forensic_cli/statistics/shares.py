"""How often pictures of one sort lie above thresholds, with exact intervals."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from forensic_cli.records import Json
from forensic_cli.statistics.intervals import clopper_pearson

FEWEST = 5
"""Images of a name that make a row of their own."""


def over(kinds: Sequence[str], scores: np.ndarray, thresholds: Mapping[float, float]) -> list[Json]:
    """A row for each kind: {"kind", "n", "over_RATE", "over_RATE_interval"}. `thresholds`: the score by its rate."""
    rows = []
    for name, some in grouped((kind, index) for index, kind in enumerate(kinds)):
        row: Json = {"kind": name, "n": len(some)}
        for rate, threshold in thresholds.items():
            hits = int((scores[some] > threshold).sum())
            row[f"over_{rate:g}"] = hits / len(some)
            row[f"over_{rate:g}_interval"] = list(clopper_pearson(hits, len(some)))
        rows.append(row)
    return rows


def grouped(pairs: Iterable[tuple[str, int]]) -> Iterator[tuple[str, list[int]]]:
    """Groups of at least a few, largest first; the rest together."""
    groups: dict[str, list[int]] = {}
    for name, index in pairs:
        groups.setdefault(name, []).append(index)
    small = sorted(index for some in groups.values() if len(some) < FEWEST for index in some)
    large = {name: some for name, some in groups.items() if len(some) >= FEWEST}
    yield from sorted(large.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    if small:
        yield "(all others)", small
