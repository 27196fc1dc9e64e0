"""What is left of a method after the images were compressed, resized, cropped, ..."""

import re
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forensic_cli.engine.evaluating.figures import canvas
from forensic_cli.engine.evaluating.figures.ranking import dots
from forensic_cli.engine.evaluating.figures.samples import MethodScores
from forensic_cli.engine.evaluating.measuring.results import NONE, Evaluation
from forensic_cli.engine.evaluating.tables.cells import Cell, Within, within
from forensic_cli.engine.evaluating.tables.tables import index, methods, overall

_SWEEP = 2.7
"""Inches of height."""
_STEP = re.compile(r"(.+):(-?\d+(?:\.\d+)?)(@\w+)?")


def sweeps(transforms: Sequence[str]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """The transforms that differ in a number alone, by number, by what they share ("jpeg": "90": ...), and all others."""
    groups: dict[str, dict[str, str]] = {}
    for one in transforms:
        match = _STEP.fullmatch(one)
        if match:
            groups.setdefault(match[1] + (match[3] or ""), {})[match[2]] = one
    lines = {name: steps for name, steps in groups.items() if len(steps) > 1}
    drawn = {one for steps in lines.values() for one in steps.values()}
    return lines, [one for one in transforms if one not in drawn]


def draw_robustness(evaluation: Evaluation, found: Sequence[MethodScores]) -> Figure | None:
    """A panel for each sweep, a line for each method; one panel more for the transforms that stand alone."""
    if len(evaluation.transforms) < 2 or not evaluation.rows:
        return None
    lines, single = sweeps(evaluation.transforms)
    alone = single if any(one != NONE for one in single) else []
    names = methods(evaluation)
    heights = [_SWEEP] * len(lines) + ([1.0 + len(alone) * (0.2 + 0.06 * len(names)) + 0.1 * len(names)] if alone else [])
    figure = canvas.sheet(sum(heights) + 0.3)
    panels = list(figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0])
    for axes, (name, steps) in zip(panels, lines.items(), strict=False):
        _sweep(evaluation, axes, name, steps)
    if alone:
        _rows(evaluation, panels[-1], alone)
        canvas.legend(figure, panels[-1], columns=3)
    canvas.title(figure, "After post-processing: higher, or further right, is better")
    return figure


def _sweep(evaluation: Evaluation, axes: Axes, name: str, steps: Mapping[str, str]) -> None:
    """Equal distances whatever the numbers, in the order typed; untouched images at the left."""
    rows, over = index(evaluation), overall(evaluation)
    there = {"as is": NONE} if NONE in evaluation.transforms else {}
    there |= steps
    ends, lows = [], []
    for place, method in enumerate(methods(evaluation)):
        heights = [rows.get((method, one, over), {}).get("auroc") for one in there.values()]
        known = [(x, y) for x, y in enumerate(heights) if y is not None]
        if known:
            axes.plot(*zip(*known, strict=True), **canvas.mark_style(place), linewidth=1.5)
            lows.append(min(height for _, height in known) - 0.03)
            ends.append((known[-1][1], method, canvas.colour(place)))
    axes.set_ylim(min([0.45, *lows]), 1.01)
    axes.axhline(0.5, color=canvas.FAINT, linewidth=1, linestyle=":")
    axes.set_xticks(range(len(there)), list(there))
    axes.set(xlabel=canvas.label(name), ylabel="AUROC", xlim=(-0.15, len(there) - 0.9))
    canvas.name_ends(axes, ends, len(there) - 1, _SWEEP - 0.7)


def _rows(evaluation: Evaluation, axes: Axes, transforms: Sequence[str]) -> None:
    rows, over, names = index(evaluation), overall(evaluation), methods(evaluation)
    step = 0.7 / max(1, len(names))
    axes.axvline(0.5, color=canvas.FAINT, linewidth=1, linestyle=":")
    for place, method in enumerate(names):
        heights = [number + (place - (len(names) - 1) / 2) * step for number in range(len(transforms))]
        cells: list[Cell | Within] = [within(rows.get((method, one, over), {}), "auroc") for one in transforms]
        dots(axes, cells, heights, method, place)
    axes.set_yticks(range(len(transforms)), ["as is" if one == NONE else canvas.label(one, 26) for one in transforms])
    axes.set(ylim=(len(transforms) - 0.4, -0.6), xlabel="AUROC; 0.5 is guessing")
    axes.tick_params(axis="y", length=0)
