"""Pictures of a calibration profile: how scores are spread, and what likelihood ratios made of them are worth."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from forensic_cli.engine.evaluating.figures import canvas
from forensic_cli.errors import ReportError, reason
from forensic_cli.profiles import Calibrated, Profile
from forensic_cli.statistics.costs import Curves, ece, tippett
from forensic_cli.statistics.ratio_fitting import held_out
from forensic_cli.statistics.ratios import Kind, Ratios
from forensic_cli.text import printable
from forensic_cli.writing import atomic

_BARS = 40


def draw(profile: Profile, folder: Path) -> list[Path]:
    """PNG and SVG of each method's figures; the PNGs. Raises ReportError where they cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportError(f"{printable(str(folder))}: cannot be made a folder: {reason(error)}") from error
    made = []
    with canvas.styled():
        for method, known in profile.methods.items():
            for name, figure in _figures(method, known):
                drawn = dict(zip(("svg", "png"), canvas.saved(figure), strict=True))
                for suffix, content in drawn.items():
                    with atomic(folder / f"{method}-{name}.{suffix}") as stream:
                        stream.write(content)
                made.append(folder / f"{method}-{name}.png")
    return made


def _figures(method: str, known: Calibrated) -> Iterator[tuple[str, Figure]]:
    yield "scores", _histogram(method, known)
    ratios = _unseen(known)
    if ratios is not None:
        yield "tippett", _lines(method, tippett(*ratios), _TIPPETT)
        yield "ece", _lines(method, ece(*ratios), _ECE)


def _histogram(method: str, known: Calibrated) -> Figure:
    figure = canvas.sheet(3.4)
    axes = figure.subplots()
    both = np.concatenate([known.photographs, known.generated or ()])
    edges = np.histogram_bin_edges(both, _BARS).tolist()
    for place, (words, scores) in enumerate((("photographs", known.photographs), ("generated", known.generated or ()))):
        if scores:
            weights = [1 / len(scores)] * len(scores)
            axes.hist(
                scores, edges, weights=weights, alpha=0.6, color=canvas.colour(place), label=f"{words} ({len(scores):,})"
            )
    for limit in known.thresholds:
        if limit["score"] is not None:
            axes.axvline(limit["score"], color=canvas.FAINT, linewidth=0.8, linestyle=":")
            axes.annotate(
                f"{limit['fpr']:g}",
                (limit["score"], 1),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="bottom",
                fontsize=7,
            )
    axes.set(xlabel=f"score of {canvas.label(method)}", ylabel="share of its class")
    canvas.title(figure, "Scores; dotted: thresholds at a false-positive rate")
    canvas.legend(figure, axes)
    return figure


_TIPPETT = (
    "Tippett: generated further right,\nphotographs further left is better",
    "log10 likelihood ratio",
    "share with at least this ratio",
    {"generated": ("generated", "-"), "real": ("photographs", "--")},
)
_ECE = (
    "ECE: lower is better,\nabove the dotted line is worse than saying nothing",
    "prior log10 odds of generated",
    "bits still missing",
    {"llr": ("these ratios", "-"), "pav": ("the best in this order", "--"), "neutral": ("saying nothing", ":")},
)


def _lines(method: str, curves: Curves, how: tuple[str, str, str, dict[str, tuple[str, str]]]) -> Figure:
    title, across, up, names = how
    figure = canvas.sheet(3.4)
    axes = figure.subplots()
    for name, (words, line) in names.items():
        axes.plot(curves.x, curves.curves[name], line, color=canvas.colour(0), label=words)
    axes.set(xlabel=f"{across} ({canvas.label(method)})", ylabel=up, ylim=(-0.01, None))
    canvas.title(figure, title)
    canvas.legend(figure, axes)
    return figure


def _unseen(known: Calibrated) -> tuple[np.ndarray, np.ndarray] | None:
    """LLRs of each photograph and each generated image, from models that did not see it, within the bounds."""
    if known.generated is None or known.likelihood is None:
        return None
    real, generated = np.array(known.photographs), np.array(known.generated)
    kind: Kind = known.likelihood["kind"]
    llrs = held_out(kind, real, generated, (["photographs"] * len(real), ["generated"] * len(generated)))
    bounds = Ratios.from_json(known.likelihood).bounds
    return np.clip(llrs[0], *bounds), np.clip(llrs[1], *bounds)
