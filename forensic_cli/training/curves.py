"""Loss and held-out AUROC over the steps, as a picture."""

import io
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from forensic_cli.training.fitting import State
from forensic_cli.writing import atomic

_LOSS, _AUROC = "#0072b2", "#d55e00"  # told apart by the colour-blind


def draw_curves(file: Path, state: State, title: str) -> None:
    """A PNG: the loss of every ten steps and its running mean, below it the AUROC on held-out images."""
    figure = Figure(figsize=(8, 6), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True)
    steps, losses = [row[0] for row in state.losses], [row[1] for row in state.losses]
    upper.plot(steps, losses, color=_LOSS, alpha=0.3, linewidth=0.8)
    upper.plot(steps, _smooth(losses), color=_LOSS)
    upper.set_ylabel("training loss")
    upper.set_ylim(bottom=0)
    upper.set_title(title)
    lower.plot([row["step"] for row in state.checks], [row["auroc"] for row in state.checks], "o-", color=_AUROC)
    lower.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
    lower.set_ylabel("AUROC, held out")
    lower.set_xlabel("step")
    lower.set_ylim(0.4, 1.0)
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    with atomic(file) as target:
        target.write(stream.getvalue())


def _smooth(values: list[float], over: int = 20) -> list[float]:
    """The mean of each value and those before it."""
    return [
        sum(values[max(0, end - over) : end]) / len(values[max(0, end - over) : end]) for end in range(1, len(values) + 1)
    ]
