"""The variance of an AUROC, and whether two methods on the same images differ (DeLong 1988, fast as Sun and Xu 2014)."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from forensic_cli.statistics.intervals import Interval
from forensic_cli.statistics.resampling import check


@dataclass(frozen=True)
class Difference:
    """`first` and `second` are AUROCs. `interval` (95 %) and two-sided `p_value` of their difference by DeLong.

    Both are None where the variance cannot be told: with fewer than two images in a class, or where nothing varies.
    """

    first: float
    second: float
    interval: Interval | None
    p_value: float | None

    @property
    def value(self) -> float:
        return self.first - self.second


def compare(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> Difference:
    """Two methods on the same images in the same order; each a pair of scores, photographs and generated images.

    Takes images as independent of each other; sources are heeded by `resampling.bootstrap`. Raises ValueError where the
    numbers of images differ, for a class without images and for a score that is not a number.
    """
    if [len(some) for some in first] != [len(some) for some in second]:
        raise ValueError("the two methods scored different numbers of images")
    places = [_places(*pair) for pair in (first, second)]
    one, other = (float(some[0].mean()) for some in places)
    spread = 0.0
    if min(len(some) for some in first) > 1:
        spread = float(np.sqrt(sum(np.var(a - b, ddof=1) / len(a) for a, b in zip(*places, strict=True))))
    if spread < 1e-12:
        return Difference(one, other, None, None)
    away = float(norm.ppf(0.975)) * spread
    p_value = float(2 * norm.sf(abs(one - other) / spread))
    return Difference(one, other, (one - other - away, one - other + away), p_value)


def _places(real: np.ndarray, generated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share of photographs below each generated image, and of generated images above each photograph, ties half."""
    check(real, generated)
    ranks = rankdata(np.concatenate((generated, real)))
    m = len(generated)
    return (ranks[:m] - rankdata(generated)) / len(real), 1 - (ranks[m:] - rankdata(real)) / m
