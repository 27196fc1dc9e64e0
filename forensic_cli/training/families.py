"""What a detector finds of each family of generators, as a picture."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from forensic_cli.writing import atomic

_FOUND, _MISSED = "#d55e00", "#d8d8da"


def draw_families(file: Path, rows: Sequence[dict[str, Any]], rate: float) -> None:
    """A PNG: for each family the share that a scan calls generated at the false-positive rate `rate`, and what it misses.

    The line is the 95 % interval of the share, as if images were independent.
    """
    figure = Figure(figsize=(8, 0.9 + 0.34 * max(1, len(rows))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    places = range(len(rows))
    shares = [row[f"over_{rate:g}"] for row in rows]
    ends = [row[f"over_{rate:g}_interval"] for row in rows]
    axes.barh(places, [1.0] * len(rows), color=_MISSED, height=0.7)
    axes.barh(places, shares, color=_FOUND, height=0.7)
    for place, share, (low, high) in zip(places, shares, ends, strict=True):
        axes.plot([low, high], [place, place], color="black", linewidth=1)
        axes.text(1.02, place, f"{share:.0%}", va="center", fontsize=9)
    axes.set_yticks(list(places), [f"{row['family']} ({row['n']:,})" for row in rows])
    axes.set_xlim(0, 1.12)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.invert_yaxis()
    axes.set_title(f"called generated where at most {rate:.0%} of photographs are; grey: missed", fontsize=10, loc="left")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    with atomic(file) as target:
        target.write(stream.getvalue())
