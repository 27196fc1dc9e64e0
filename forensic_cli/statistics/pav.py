"""Pool adjacent violators: the likelihood ratios that rise with the score and fit the data best."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from forensic_cli.statistics.resampling import check


@dataclass(frozen=True)
class Staircase:
    """Blocks of neighbouring scores that share one ratio. `low` and `high`: their first and last score; and how many
    photographs and generated images each holds: all (blocks,).
    """

    low: np.ndarray
    high: np.ndarray
    real: np.ndarray
    generated: np.ndarray

    @property
    def probability(self) -> np.ndarray:
        """Of being generated, at equal priors."""
        shares = self.generated / self.generated.sum(), self.real / self.real.sum()
        return np.asarray(shares[0] / (shares[0] + shares[1]))

    @property
    def llr10(self) -> np.ndarray:
        """Infinite where a block holds one class alone."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log10(self.generated / self.generated.sum()) - np.log10(self.real / self.real.sum()))


def pav(real: np.ndarray, generated: np.ndarray) -> Staircase:
    """Both classes weigh the same, whatever their numbers. Raises ValueError for an empty class and for NaN."""
    check(real, generated)
    scores, places = np.unique(np.concatenate((real, generated)), return_inverse=True)
    counts = [np.bincount(some, minlength=len(scores)) for some in (places[: len(real)], places[len(real) :])]
    weights = counts[0] / len(real) + counts[1] / len(generated)
    edges = isotonic_regression(counts[1] / len(generated) / weights, weights=weights).blocks
    held = [np.add.reduceat(some, edges[:-1]) for some in counts]
    return Staircase(scores[edges[:-1]], scores[edges[1:] - 1], *held)
