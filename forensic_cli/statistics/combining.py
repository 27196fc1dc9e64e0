"""The p-values of several methods as one that holds however the methods depend on each other.

Methods look at the same pixels, so that Fisher's and Stouffer's combinations, made for independent p-values, would promise
too much. Each rule here keeps P(combined <= a) <= a whatever the dependence, if that holds of every single p-value, and if
whether a method has a p-value does not depend on what it would have been.

Bonferroni's is the default. Methods are few and specialists: one finds its generator where the others see nothing, and then
this rule gives K times the smallest p-value; no other here gives less. The smallest conformal p-value is 1 / (n + 1), so
that whatever multiplies it needs more photographs before anything can be flagged. For two methods Bonferroni's is never
worse than the harmonic and the median rule. The others suit methods that see the same traces.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal, get_args

import numpy as np

Rule = Literal["bonferroni", "median", "mean", "harmonic"]


def combine(p: np.ndarray, rule: Rule = "bonferroni") -> np.ndarray:
    """One p-value for each image, (N,), of those of K methods, (K, N); at most 1.

    NaN is a method that has none for this image: only the others count. NaN where no method has one. Raises ValueError
    for another shape, another rule, or values outside 0 to 1.
    """
    values = np.asarray(p, float)
    if values.ndim != 2:
        raise ValueError(f"p-values have the shape {values.shape}, not (methods, images)")
    if rule not in _RULES:
        raise ValueError(f"the rule {rule!r} is none of {', '.join(get_args(Rule))}")
    if np.any((values < 0) | (values > 1)):
        raise ValueError("p-values lie between 0 and 1")
    count = np.count_nonzero(~np.isnan(values), axis=0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # p of 0, images without any
        found = _RULES[rule](values, count)
    return np.where(count > 0, np.minimum(found, 1), np.nan)


def _bonferroni(p: np.ndarray, count: np.ndarray) -> np.ndarray:
    """K times the smallest (Bonferroni 1936; Dunn 1961)."""
    return np.asarray(count * np.fmin.reduce(p, axis=0, initial=np.nan))


def _median(p: np.ndarray, count: np.ndarray) -> np.ndarray:
    """K / r times the r-th smallest (Rüger 1978), with r half of the methods, rounded up: at most twice the median."""
    if not len(p):
        return np.full(count.shape, np.nan)
    rank = np.maximum(1, (count + 1) // 2)
    return np.asarray(count / rank * np.take_along_axis(np.sort(p, axis=0), rank[np.newaxis] - 1, axis=0)[0])


def _mean(p: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Twice the arithmetic mean (Rüschendorf 1982; Vovk and Wang 2020); one p-value is left as it is."""
    return np.asarray(np.minimum(2, count) * np.nansum(p, axis=0) / count)


def _harmonic(p: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The harmonic mean times the smallest constant that is enough for K of them (Vovk and Wang 2020)."""
    constants = np.array([harmonic_constant(several) for several in range(len(p) + 1)])
    return np.asarray(constants[count] * count / np.nansum(1 / p, axis=0))


@lru_cache
def harmonic_constant(several: int) -> float:
    """The least of (1 + K / y) ln(1 + y) over y > 0, approached from above; about ln K for many.

    Every y will do: with b = K / y and a = 1 / ln(1 + y), E = mean of min(K, max(0, a level / p - b)) has an expectation of
    at most `level`, and is at least 1 wherever (1 + b) / a times the harmonic mean is at most `level`. Then Markov.
    """
    if several <= 2:
        return float(several)  # the limit for small y
    y = np.geomspace(1e-3, 1e9, 100_000)
    return float(np.min((1 + several / y) * np.log1p(y)))


_RULES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "bonferroni": _bonferroni,
    "median": _median,
    "mean": _mean,
    "harmonic": _harmonic,
}
