"""How well each method ranks generated images above the others: ROC curves, score histograms, generators one by one."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forensic_cli.engine.evaluating.figures import canvas
from forensic_cli.engine.evaluating.figures.curves import Line, roc, thinned
from forensic_cli.engine.evaluating.figures.samples import MethodScores
from forensic_cli.engine.evaluating.measuring.results import MEAN, POOLED, Evaluation
from forensic_cli.engine.evaluating.tables.cells import Within, within
from forensic_cli.engine.evaluating.tables.tables import base, generators, index, methods
from forensic_cli.records import Json
from forensic_cli.statistics.ranking import auroc

MOST = 200
"""More points than this do not fit into a figure that can be read; so many generators, the hardest, are shown as fit."""

_BINS = 60
_CLASSES = (("photographs", "#0072b2"), ("handmade", "#009e73"), ("generated", "#d55e00"))


def draw_roc(evaluation: Evaluation, found: Sequence[MethodScores]) -> Figure | None:
    """Both shares from 0 to 1."""
    return _roc(evaluation, found, logarithmic=False)


def draw_roc_log(evaluation: Evaluation, found: Sequence[MethodScores]) -> Figure | None:
    """False positives on a logarithmic scale: what is found at the rates that can be afforded."""
    return _roc(evaluation, found, logarithmic=True)


def _roc(evaluation: Evaluation, found: Sequence[MethodScores], logarithmic: bool) -> Figure | None:
    shown = [sample for sample in found if sample.complete]
    if not shown:
        return None
    order = methods(evaluation)
    controls = [(_named(one), Line(*map(np.asarray, curve))) for one in evaluation.controls if (curve := _curve(one))]
    figure = canvas.sheet(4.6 + 0.11 * (len(shown) + len(controls)))
    axes = figure.subplots()
    least = min(1 / np.count_nonzero(sample.photographs) for sample in shown)
    floor = max(1e-4, min(0.1, least)) if logarithmic else 0.0
    guess = np.linspace(0, 1, 2) if not logarithmic else np.geomspace(floor, 1, 200)
    axes.plot(guess, guess, color=canvas.FAINT, linewidth=0.8, linestyle=":", label="guessing")
    for sample in sorted(shown, key=lambda one: -auroc(*one.both)):
        line = thinned(roc(*sample.both), logarithmic)
        name = f"{canvas.label(sample.method, 22)} ({auroc(*sample.both):.3f})"
        axes.plot(np.maximum(line.x, floor), line.y, label=name, **canvas.line_style(order.index(sample.method)))
    for name, line in controls:
        axes.plot(np.maximum(line.x, floor), line.y, label=name, color=canvas.INK, linestyle="--", linewidth=1)
    axes.set(xlabel="false alarms: share of the photographs flagged", ylabel="share of the generated found", ylim=(0, 1.01))
    canvas.title(figure, "ROC at low error rates: higher is better" if logarithmic else "ROC: up and to the left is better")
    if logarithmic:
        axes.set(xscale="log", xlim=(floor, 1))
        axes.xaxis.set_major_formatter(lambda rate, _: f"{100 * rate:g} %")
    else:
        axes.set(xlim=(-0.01, 1), aspect="equal")
    canvas.legend(figure, axes)
    return figure


def _curve(control: Json) -> tuple[object, object] | None:
    """The false and true positive rates of a control, where it brings them."""
    curve = control.get("curve")
    return (curve["fpr"], curve["tpr"]) if isinstance(curve, dict) else None


def _named(control: Json) -> str:
    """What every method must beat."""
    return f"no pixels seen ({control['auroc']:.3f})" if control.get("auroc") is not None else "no pixels seen"


def draw_scores(evaluation: Evaluation, found: Sequence[MethodScores]) -> Figure | None:
    """One panel a method, each class with its own area of 1."""
    if not found:
        return None
    figure = canvas.sheet(0.8 + 1.6 * len(found))
    panels = figure.subplots(len(found), 1, squeeze=False)[:, 0]
    for axes, sample in zip(panels, found, strict=True):
        _histogram(axes, sample)
    canvas.title(figure, "Scores: the less generated and others overlap, the better")
    widest = max(panels, key=lambda axes: len(axes.get_legend_handles_labels()[0]))
    canvas.legend(figure, widest, columns=3)
    return figure


def _histogram(axes: Axes, sample: MethodScores) -> None:
    low, high = np.quantile(sample.scores, [0.005, 0.995])
    if high - low <= 1e-12 * max(1.0, abs(high)):
        low, high = low - 0.5, high + 0.5
    for (name, colour), chosen in zip(_CLASSES, (sample.photographs, sample.handmade, sample.generated), strict=True):
        if chosen.any():
            bins = int(min(_BINS, max(8, 2 * np.sqrt(chosen.sum()))))
            density, edges = np.histogram(np.clip(sample.scores[chosen], low, high), bins, (low, high), density=True)
            axes.stairs(density, edges, fill=True, color=colour, alpha=0.0 if name == "handmade" else 0.25)
            axes.stairs(density, edges, color=colour, linewidth=1.3, label=name)
    axes.set_title(canvas.label(sample.method), fontsize=10)
    axes.set(xlabel=sample.unit or "score", yticks=[], xlim=(low, high))


def draw_generators(evaluation: Evaluation, found: Sequence[MethodScores]) -> Figure | None:
    """One row a generator, the hardest at the top, with the 95 % intervals."""
    rows, order, transform = index(evaluation), methods(evaluation), base(evaluation)
    values = {
        one: {
            method: row["auroc"]
            for method in order
            if (row := rows.get((method, transform, one), {})).get("auroc") is not None
        }
        for one in generators(evaluation)
        if one not in (MEAN, POOLED)
    }
    means = {one: float(np.mean(list(some.values()))) for one, some in values.items() if some}
    names = sorted(means, key=lambda one: means[one])[: max(12, MOST // max(5, len(order)))]
    if not names:
        return None
    figure = canvas.sheet(1.3 + len(names) * (0.2 + 0.06 * len(order)) + 0.1 * len(order))
    axes = figure.subplots()
    axes.axvline(0.5, color=canvas.FAINT, linewidth=1, linestyle=":")
    step = 0.7 / max(1, len(order))
    for place, method in enumerate(order):
        heights = [number + (place - (len(order) - 1) / 2) * step for number in range(len(names))]
        cells = [within(rows.get((method, transform, one), {}), "auroc") for one in names]
        dots(axes, cells, heights, method, place)
    axes.set_yticks(range(len(names)), [canvas.label(one, 26) for one in names])
    axes.set(ylim=(len(names) - 0.4, -0.6), xlabel="AUROC with its 95 % interval; 0.5 is guessing")
    axes.tick_params(axis="y", length=0)
    few = (
        f"The {len(names)} hardest of {len(means):,} generators"
        if len(names) < len(means)
        else "Generators, the hardest first"
    )
    canvas.title(figure, f"{few}: further right is better")
    canvas.legend(figure, axes, columns=3)
    return figure


def dots(axes: Axes, cells: Sequence[object], heights: Sequence[float], method: str, place: int) -> None:
    """A point for each value at its height, and its interval where it has one."""
    style = canvas.mark_style(place)
    for cell, height in zip(cells, heights, strict=True):
        if isinstance(cell, Within):
            axes.plot([cell.low, cell.high], [height, height], color=style["color"], linewidth=1.2, alpha=0.7)
    points = [
        (cell.value if isinstance(cell, Within) else cell, height)
        for cell, height in zip(cells, heights, strict=True)
        if isinstance(cell, Within | float)
    ]
    if points:
        axes.plot(*zip(*points, strict=True), linestyle="none", label=canvas.label(method, 22), **style)
