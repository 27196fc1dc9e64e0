"""How well scores rank generated images above the others; generated is the positive class throughout."""

import numpy as np
from scipy.stats import rankdata


def auroc(real: np.ndarray, generated: np.ndarray) -> float:
    """The probability that a generated image scores higher than another, ties counting half (Mann and Whitney)."""
    ranks = rankdata(np.concatenate((generated, real)))[: len(generated)]
    return float((ranks.sum() - len(generated) * (len(generated) + 1) / 2) / (len(generated) * len(real)))


def threshold_at(real: np.ndarray, fpr: float) -> float:
    """The lowest score that at most a share `fpr` of `real` exceeds; an image is flagged if its score is higher."""
    return float(np.sort(real)[::-1][min(len(real) - 1, int(np.floor(fpr * len(real) + 1e-9)))])
