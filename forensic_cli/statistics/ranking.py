"""How well scores rank generated images above the others; generated is the positive class throughout."""

import numpy as np
from scipy.stats import rankdata


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
