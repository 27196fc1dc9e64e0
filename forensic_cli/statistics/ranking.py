"""How well scores rank generated images above the others; generated is the positive class throughout."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

Interval = tuple[float, float]


def auroc(real: np.ndarray, generated: np.ndarray) -> float:
    """The probability that a generated image scores higher than another, ties counting half (Mann and Whitney)."""
    ranks = rankdata(np.concatenate((generated, real)))[: len(generated)]
    return float((ranks.sum() - len(generated) * (len(generated) + 1) / 2) / (len(generated) * len(real)))


def average_precision(real: np.ndarray, generated: np.ndarray) -> float:
    """The mean of the precision over the generated images; images of equal score share one threshold."""
    scores = np.concatenate((generated, real))
    labels = np.concatenate((np.ones(len(generated)), np.zeros(len(real))))
    order = np.argsort(-scores, kind="stable")
    scores, labels = scores[order], labels[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    found = np.cumsum(labels)[last]
    return float(np.sum(np.diff(found, prepend=0) * found / (last + 1)) / len(generated))


def threshold_at(real: np.ndarray, fpr: float) -> float:
    """The lowest score that at most a share `fpr` of `real` exceeds; an image is flagged if its score is higher."""
    return float(np.sort(real)[::-1][min(len(real) - 1, int(np.floor(fpr * len(real) + 1e-9)))])


def tpr_at(real: np.ndarray, generated: np.ndarray, fpr: float) -> float:
    """The share of `generated` above the threshold that at most a share `fpr` of `real` exceeds."""
    return float(np.mean(generated > threshold_at(real, fpr)))


def summary(real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
    """AUROC, AP, and TPR at 1 and 5 % FPR."""
    return {
        "auroc": auroc(real, generated),
        "ap": average_precision(real, generated),
        "tpr_at_fpr_0.01": tpr_at(real, generated, 0.01),
        "tpr_at_fpr_0.05": tpr_at(real, generated, 0.05),
    }


def bootstrap(
    measure: Callable[[np.ndarray, np.ndarray], Mapping[str, float]],
    real: np.ndarray,
    generated: np.ndarray,
    groups: tuple[Sequence[str], Sequence[str]],
    draws: int = 200,
    seed: int = 0,
) -> dict[str, Interval]:
    """95 % percentile intervals of each measure when whole `groups` (sources) are drawn with replacement.

    Images of one source resemble each other, so that drawing single images would promise too much.
    """
    generator = np.random.default_rng(seed)
    members = [[np.flatnonzero(np.asarray(names) == name) for name in sorted(set(names))] for names in groups]
    found: dict[str, list[float]] = {}
    for _ in range(draws):
        drawn = [np.concatenate([of[one] for one in generator.integers(0, len(of), len(of))]) for of in members]
        for name, value in measure(real[drawn[0]], generated[drawn[1]]).items():
            found.setdefault(name, []).append(value)
    return {name: _middle(values) for name, values in found.items()}


def _middle(values: Sequence[float]) -> Interval:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
