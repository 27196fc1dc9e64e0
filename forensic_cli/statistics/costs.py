"""What likelihood ratios are worth: their cost, and the curves that show it. LLRs are in powers of ten.

A good ratio is above 1 for generated images and below 1 for photographs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from forensic_cli.records import Json
from forensic_cli.statistics.pav import pav
from forensic_cli.statistics.performance import probabilities
from forensic_cli.statistics.resampling import check

_LN10 = float(np.log(10))


def cllr(real: np.ndarray, generated: np.ndarray) -> float:
    """The cost of LLRs in bits, averaged over both classes (Brummer and du Preez 2006).

    0 is perfect, 1 is what saying nothing costs; infinite if one was infinite and misleading.
    """
    check(real, generated)
    return float((_bits(real).mean() + _bits(-generated).mean()) / 2)


def cllr_min(real: np.ndarray, generated: np.ndarray) -> float:
    """What would be left of the cost if each LLR, in the order of these, had its best value (PAV)."""
    steps = pav(real, generated)
    ratios = steps.llr10
    photographs, others = steps.real > 0, steps.generated > 0
    costs = (
        np.average(_bits(ratios[photographs]), weights=steps.real[photographs]),
        np.average(_bits(-ratios[others]), weights=steps.generated[others]),
    )
    return float(sum(costs) / 2)


@dataclass(frozen=True)
class Curves:
    """Curves over `x`, each (len(x),)."""

    x: np.ndarray
    curves: Mapping[str, np.ndarray]

    def to_json(self) -> Json:
        return {"x": self.x.tolist(), **{name: values.tolist() for name, values in self.curves.items()}}


def tippett(real: np.ndarray, generated: np.ndarray, points: int = 401) -> Curves:
    """The shares of "real" and "generated" with an LLR of at least x. x spans all finite LLRs and 0."""
    check(real, generated)
    both = np.concatenate((real, generated, [0.0]))
    finite = both[np.isfinite(both)]
    x = np.linspace(finite.min(), finite.max(), points) if np.ptp(finite) else np.array([-1.0, 0.0, 1.0])
    shares = {
        name: 1 - np.searchsorted(np.sort(some), x) / len(some) for name, some in (("real", real), ("generated", generated))
    }
    return Curves(x, shares)


def empirical_cross_entropy(real: np.ndarray, generated: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """The bits still missing after the LLRs were heard, for each prior log10 odds of "generated" (Ramos 2007)."""
    check(real, generated)
    share = probabilities(prior * _LN10)
    lost = np.array([_bits(real + odds).mean() for odds in prior])
    missed = np.array([_bits(-generated - odds).mean() for odds in prior])
    return np.asarray((1 - share) * lost + share * missed)


def ece(real: np.ndarray, generated: np.ndarray, reach: float = 3.0, points: int = 121) -> Curves:
    """Over prior log10 odds of "generated": "llr", "neutral" (all LLRs 0) and "pav" (the best that their order allows)."""
    x = np.linspace(-reach, reach, points)
    nothing = np.zeros(1)
    best = pav(real, generated)
    return Curves(
        x,
        {
            "llr": empirical_cross_entropy(real, generated, x),
            "neutral": empirical_cross_entropy(nothing, nothing, x),
            "pav": empirical_cross_entropy(np.repeat(best.llr10, best.real), np.repeat(best.llr10, best.generated), x),
        },
    )


def _bits(llr10: np.ndarray) -> np.ndarray:
    """The cost of hearing 10 ** `llr10` for what is not the case."""
    return np.asarray(np.logaddexp(0.0, np.asarray(llr10) * _LN10) / np.log(2))
