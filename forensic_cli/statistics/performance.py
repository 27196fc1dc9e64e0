"""How good the answer for each image is, beyond the ranking: right or wrong, and how far off."""

import numpy as np
from scipy.special import expit


def probabilities(log_odds: np.ndarray) -> np.ndarray:
    """Of being generated, from natural log-odds at equal priors."""
    return np.asarray(expit(np.asarray(log_odds, float)))


def right(scores: np.ndarray, threshold: float, generated: bool) -> np.ndarray:
    """1.0 for each image of one class that lies on its side of the threshold; the threshold itself is not flagged."""
    return np.asarray((np.asarray(scores) > threshold) == generated, float)


def squared_errors(probability: np.ndarray, generated: bool) -> np.ndarray:
    """Of each image of one class; their mean over all images is the Brier score."""
    return np.asarray((np.asarray(probability) - generated) ** 2)
