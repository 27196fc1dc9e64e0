"""Paper, ink and colours of all figures, and how they become files."""

import io
import re
import warnings
from collections.abc import Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from forensic_cli.text import visible

INK, PAPER, FAINT = "#1b1b1d", "#fffffe", "#85858a"
"""Ink and paper are no others' colours: the page replaces them by its own, which depend on the time of day."""

_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)  # Okabe and Ito: told apart by the colour-blind
_DASHES = ("-", (0, (5, 1, 1, 1)), (0, (1, 1)))
_MARKS = ("o", "s", "^", "D", "v", "P")
WIDTH = 5.2
"""Inches. Narrow, so that the writing can still be read where the page is a telephone's."""

_STYLE: Any = {
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.titlesize": 10.5,
    "figure.titleweight": "bold",
    "figure.facecolor": PAPER,
    "font.size": 10,
    "grid.alpha": 0.25,
    "grid.color": FAINT,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "svg.fonttype": "none",  # writing stays writing: it can be searched, copied, and set in any script
    "svg.hashsalt": "forensic",
    "text.color": INK,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
}


def styled() -> Any:
    """The context in which figures are made and saved."""
    return rc_context(_STYLE)


def sheet(height: float) -> Figure:
    """An empty figure, `height` in inches."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def colour(place: int) -> str:
    return _COLOURS[place % len(_COLOURS)]


def line_style(place: int) -> dict[str, Any]:
    """What tells the line of the method at `place` from all others."""
    return {"color": colour(place), "linestyle": _DASHES[place // len(_COLOURS) % len(_DASHES)], "linewidth": 1.7}


def mark_style(place: int) -> dict[str, Any]:
    """The same for single points."""
    return {"color": colour(place), "marker": _MARKS[(place + place // len(_COLOURS)) % len(_MARKS)], "markersize": 5}


def label(text: str, longest: int = 32) -> str:
    """A stranger's name as it can stand in a figure: visible, not too long, its dollars no formulas."""
    short = visible(text)
    short = short if len(short) <= longest else f"{short[: longest - 1]}…"
    return short.replace("$", r"\$")


def legend(figure: Figure, axes: Axes, columns: int = 2) -> None:
    """Below everything, so that it never lies on a line."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(columns, len(handles)))


def title(figure: Figure, text: str) -> None:
    """At the very left, since long names may leave little width to the axes."""
    figure.suptitle(text, x=0.01, ha="left")


def name_ends(axes: Axes, ends: Sequence[tuple[float, str, str]], x: float, inches: float) -> None:
    """Names lines at their right ends, (height, text, colour) each, moved apart where they would overlap.

    `inches`: how high the axes are.
    """
    low, high = axes.get_ylim()
    gap = (high - low) * 0.15 / inches
    place = -float("inf")
    for height, text, ink in sorted(ends):
        place = max(height, place + gap)
        axes.annotate(
            label(text, 20), (x, place), xytext=(6, 0), textcoords="offset points", va="center", color=ink, fontsize=9
        )


def saved(figure: Figure) -> tuple[bytes, bytes]:
    """The figure as SVG and as PNG, laid out once."""
    vector = _saved(figure, "svg", metadata={"Date": None, "Creator": None})
    figure.set_layout_engine("none")
    return vector, _saved(figure, "png", dpi=160, metadata={"Software": None})


def _saved(figure: Figure, kind: str, **settings: Any) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # a script that the font does not have
        figure.savefig(stream, format=kind, facecolor=PAPER, **settings)
    return stream.getvalue()


def inlined(drawing: bytes, name: str) -> str:
    """An SVG as part of a page: its ids are its own, ink and paper those of the page."""
    text = drawing.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(
        r'^<svg ([^>]*?)width="[^"]*" height="[^"]*"|^<svg ([^>]*?)height="[^"]*"([^>]*?)width="[^"]*"', _sized, text
    )
    return text.replace(INK, "currentColor").replace(PAPER, "none")


def _sized(match: re.Match[str]) -> str:
    return f'<svg role="img" {match[1] or (match[2] or "") + (match[3] or "")}'
