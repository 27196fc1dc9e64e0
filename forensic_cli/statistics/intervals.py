"""Confidence intervals of shares, and of whatever was drawn many times."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import beta

Interval = tuple[float, float]


def clopper_pearson(hits: int, of: int, confidence: float = 0.95) -> Interval:
    """The exact interval of a share when `hits` of `of` were counted (Clopper and Pearson 1934)."""
    # scipy's binomtest looks for the same ends by halving intervals: slower, and to fewer digits
    rest = (1 - confidence) / 2
    low = float(beta.ppf(rest, hits, of - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - rest, hits + 1, of - hits)) if hits < of else 1.0
    return low, high


def percentiles(drawn: np.ndarray | Sequence[float], confidence: float = 0.95) -> Interval:
    """The middle of what was drawn."""
    rest = (1 - confidence) / 2
    low, high = np.quantile(drawn, [rest, 1 - rest])
    return float(low), float(high)
