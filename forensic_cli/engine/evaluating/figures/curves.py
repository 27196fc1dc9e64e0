"""The lines of the figures, computed from scores, and thinned to what a screen can show."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_curve

from forensic_cli.statistics.intervals import clopper_pearson

CELLS = 800
"""A figure is taken to be that many points wide and high."""


class Line(NamedTuple):
    """Points in order: both arrays are of one length."""

    x: np.ndarray
    y: np.ndarray


class Bin(NamedTuple):
    """Images whose predicted probability is alike: its mean, the share that is generated, 95 % interval, how many."""

    predicted: float
    observed: float
    low: float
    high: float
    images: int


def roc(real: np.ndarray, generated: np.ndarray) -> Line:
    """x: FPR, y: TPR at every threshold that the scores offer, from (0, 0) to (1, 1); equal scores are one threshold."""
    labels = np.repeat([0, 1], [len(real), len(generated)])
    return Line(*roc_curve(labels, np.concatenate((real, generated)), drop_intermediate=False)[:2])


def thinned(line: Line, logarithmic: bool = False) -> Line:
    """The same line to the eye, with at most a few thousand points; x and y between 0 and 1, never falling.

    With `logarithmic` x is shown on four decades below 1.
    """
    shown = np.log10(np.maximum(line.x, 1e-4)) / 4 + 1 if logarithmic else line.x
    place = np.round(shown * CELLS) * (CELLS + 1) + np.round(line.y * CELLS)
    new = np.append(True, np.diff(place) != 0)
    keep = new | np.append(new[1:], True)  # the first and the last point of each cell
    return Line(line.x[keep], line.y[keep])


def reliability(probability: np.ndarray, generated: np.ndarray, bins: int = 10) -> list[Bin]:
    """Images by predicted probability in `bins` of equal width; empty ones are left out."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    found = []
    for number in range(bins):
        inside = place == number
        images, hits = int(inside.sum()), int(generated[inside].sum())
        if images:
            low, high = clopper_pearson(hits, images)
            found.append(Bin(float(probability[inside].mean()), hits / images, low, high, images))
    return found
