"""How far from 1 a likelihood ratio may lie before it speaks of more than the data can show; all in powers of ten."""

import numpy as np

from forensic_cli.statistics.intervals import Interval
from forensic_cli.statistics.resampling import check


def by_counts(real: int, generated: int) -> Interval:
    """A ratio no further from 1 than one more image of the other class could have told: 1 / (n + 1)."""
    return -float(np.log10(generated + 1)), float(np.log10(real + 1))


def elub(real: np.ndarray, generated: np.ndarray) -> Interval:
    """Empirical lower and upper bounds of LLRs of photographs and of generated images (Vergeer et al. 2016).

    One misleading LLR, as strong as any, is added to each class. Within the bounds, decisions by the LLRs cost no more on
    average than decisions without them, whatever the threshold. Exact, not on a grid of thresholds; infinite LLRs are
    allowed. Never wider than `by_counts`, and 0 where LLRs are worth nothing.
    """
    check(real, generated)
    return -_upper(-generated, -real), _upper(real, generated)


def _upper(against: np.ndarray, towards: np.ndarray) -> float:
    """The lowest threshold t >= 1 at which misses + t x false alarms cost more than the 1 of always refusing."""
    steps = np.unique(np.concatenate((against, towards, [0.0])))
    steps = steps[steps >= 0]  # between two of them the numbers on each side stay the same
    missed = (np.searchsorted(np.sort(towards), steps, "right") + 1) / (len(towards) + 1)
    alarms = (len(against) - np.searchsorted(np.sort(against), steps, "right") + 1) / (len(against) + 1)
    with np.errstate(divide="ignore"):
        costly = np.maximum(steps, np.log10(np.maximum(0, 1 - missed) / alarms))
    return float(costly[costly < np.append(steps[1:], np.inf)].min(initial=np.inf))
