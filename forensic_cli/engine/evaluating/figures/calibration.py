"""Whether scores can be taken at their word: predicted probabilities against shares, and likelihood ratios."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from forensic_cli.engine.evaluating.figures import canvas
from forensic_cli.engine.evaluating.figures.curves import reliability
from forensic_cli.engine.evaluating.figures.samples import MethodScores
from forensic_cli.engine.evaluating.measuring.results import Evaluation
from forensic_cli.engine.evaluating.tables.tables import methods
from forensic_cli.statistics.costs import cllr, tippett
from forensic_cli.statistics.performance import probabilities
from forensic_cli.statistics.ratio_fitting import held_out


def draw_reliability(evaluation: Evaluation, found: Sequence[MethodScores]) -> Figure | None:
    """Only of methods whose scores are probabilities or their log-odds."""
    shown = [(sample, values) for sample in found if sample.complete and (values := _probability(sample)) is not None]
    if not shown:
        return None
    figure = canvas.sheet(4.6 + 0.11 * len(shown))
    axes = figure.subplots()
    order = methods(evaluation)
    axes.plot([0, 1], [0, 1], color=canvas.FAINT, linewidth=0.8, linestyle=":", label="predicted = observed")
    for sample, values in shown:
        usable = ~sample.handmade
        bins = reliability(values[usable], sample.generated[usable])
        style = canvas.mark_style(order.index(sample.method))
        x, y = [one.predicted for one in bins], [one.observed for one in bins]
        ends = np.array([[one.observed - one.low, one.high - one.observed] for one in bins]).T
        axes.errorbar(x, y, np.maximum(ends, 0), label=canvas.label(sample.method, 22), linewidth=1.2, **style)
    axes.set(xlabel="predicted probability of being generated", ylabel="share that is generated", aspect="equal")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    canvas.title(figure, "Reliability: on the diagonal is better")
    canvas.legend(figure, axes)
    return figure


def _probability(sample: MethodScores) -> np.ndarray | None:
    if sample.unit == "log-odds":
        return probabilities(sample.scores)
    if sample.unit == "probability" and sample.scores.min() >= 0 and sample.scores.max() <= 1:
        return sample.scores
    return None


def draw_tippett(evaluation: Evaluation, found: Sequence[MethodScores]) -> Figure | None:
    """Solid: the share of generated images whose log10 likelihood ratio is at least x; dashed: of photographs."""
    shown = [(sample, ratios) for sample in found if sample.complete and (ratios := _log_ratios(sample)) is not None]
    if not shown:
        return None
    figure = canvas.sheet(4.0 + 0.11 * len(shown))
    axes = figure.subplots()
    order = methods(evaluation)
    axes.axvline(0, color=canvas.FAINT, linewidth=0.8, linestyle=":")
    for sample, ratios in shown:
        style, lines = canvas.line_style(order.index(sample.method)), tippett(*ratios)
        name = f"{canvas.label(sample.method, 20)} (Cllr {cllr(*ratios):.2f})"
        axes.plot(lines.x, lines.curves["generated"], label=name, **style)
        axes.plot(lines.x, lines.curves["real"], **{**style, "linestyle": "--", "linewidth": 1.1})
    axes.set(xlabel="log10 likelihood ratio", ylabel="share with at least this ratio", ylim=(-0.01, 1.01))
    canvas.title(
        figure,
        "Tippett: solid lines (generated) further right,\ndashed lines (photographs) further left are better",
    )
    canvas.legend(figure, axes)
    return figure


def _log_ratios(sample: MethodScores) -> tuple[np.ndarray, np.ndarray] | None:
    """Of photographs and of generated images, from scores of other sources, so that no image judges itself."""
    sources = [list(sample.sources[some]) for some in (sample.photographs, sample.generated)]
    try:
        return held_out("logistic", *sample.both, (sources[0], sources[1]))
    except ValueError:  # too few images, which the numbers beside the tables tell
        return None
