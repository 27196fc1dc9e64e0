"""How good the answers are, beyond their ranking: accuracy at a threshold and Brier score."""

import numpy as np

from forensic_cli.statistics.resampling import check


def probabilities(log_odds: np.ndarray) -> np.ndarray:
    """Of being generated, from natural log-odds at equal priors."""
    half = np.tanh(np.asarray(log_odds, float) / 2)  # which cannot overflow
    return np.asarray((1 + half) / 2)


def right(scores: np.ndarray, threshold: float, generated: bool) -> np.ndarray:
    """1.0 for each image of one class that lies on its side of the threshold; the threshold itself is not flagged."""
    return np.asarray((np.asarray(scores) > threshold) == generated, float)


def accuracy(real: np.ndarray, generated: np.ndarray, threshold: float) -> float:
    """The share of right answers among all images; depends on how many of them are generated."""
    check(real, generated)
    return float(np.concatenate((right(real, threshold, False), right(generated, threshold, True))).mean())


def balanced_accuracy(real: np.ndarray, generated: np.ndarray, threshold: float) -> float:
    """The mean of the shares of right answers in both classes."""
    check(real, generated)
    return float((right(real, threshold, False).mean() + right(generated, threshold, True).mean()) / 2)


def squared_errors(probability: np.ndarray, generated: bool) -> np.ndarray:
    """Of each image of one class; their mean over all images is the Brier score."""
    return np.asarray((np.asarray(probability) - generated) ** 2)


def brier(real: np.ndarray, generated: np.ndarray) -> float:
    """The mean squared error of probabilities, 0 is best; always answering one half gives 0.25 (Brier 1950)."""
    check(real, generated)
    return float(np.concatenate((squared_errors(real, False), squared_errors(generated, True))).mean())
