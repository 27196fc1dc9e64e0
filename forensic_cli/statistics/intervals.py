"""Confidence intervals of shares."""

from scipy.stats import beta


def clopper_pearson(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a share when `hits` of `of` were counted (Clopper and Pearson 1934)."""
    rest = (1 - confidence) / 2
    low = float(beta.ppf(rest, hits, of - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - rest, hits + 1, of - hits)) if hits < of else 1.0
    return low, high
