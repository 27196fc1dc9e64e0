"""How unusual a score is among photographs, with what so few photographs cannot tell.

Scores are higher for what looks more generated. The p-values hold on average over calibrations and images, if the image
were one more photograph of the kind that calibrated (exchangeable with them); nothing is assumed of how scores are spread.
The limits hold, with confidence, for the one calibration at hand, if its photographs were drawn independently; where they
come in sources, `worth` says how many independent ones each is worth (statistics.clusters), and the limits are as wide as
with so many.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from scipy.special import betainccinv, betaincinv

_TWELVE_DIGITS = 1 + 1e-12


@dataclass(frozen=True)
class Threshold:
    """Where photographs end at a false-positive rate of `fpr`: an image is flagged if its score is higher than `score`.

    That is exactly where its conformal p-value is at most `fpr`. `score` is None where there are so few `photographs` that
    no score gets there.
    `score_interval`: above its upper end, the share of all photographs that score so high is at most `fpr`; at its lower
    end and below, it is more. Each with confidence 1 - `tail`; an end is None where there are too few to say.
    `flagged` photographs of the calibration lie above `score` (none, where it is None); `share_interval` is the 95 %
    interval (Clopper and Pearson) of the share of all photographs that do. Its upper end is cautious where photographs tie.
    """

    fpr: float
    score: float | None
    score_interval: tuple[float | None, float | None]
    photographs: int
    flagged: int
    share_interval: tuple[float, float]
    tail: float = 0.05


def p_values(scores: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """(1 + number of calibration scores >= s) / (n + 1) for each score s, of the same shape; NaN for NaN.

    Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005). Raises ValueError if the calibration holds
    NaN.
    """
    values, ordered = np.asarray(scores, float), _ordered(calibration)
    return np.where(np.isnan(values), np.nan, (1 + _reaching(values, ordered)) / (len(ordered) + 1))


def rates(
    scores: np.ndarray, calibration: np.ndarray, tail: float = 0.05, worth: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """For each score s the lower and the upper limit of the share of all photographs that score at least s; NaN for NaN.

    Each is the one-sided Clopper-Pearson limit with confidence 1 - `tail`. upper <= fpr: flagging every score from s
    upwards keeps to `fpr`. lower > fpr: it does not. Neither: the calibration cannot say. Raises ValueError if the
    calibration holds NaN.
    """
    _check("tail", tail, 0.5)
    values, ordered = np.asarray(scores, float), _ordered(calibration)
    reaching, unknown = _reaching(values, ordered), np.isnan(values)
    used = np.flatnonzero(np.bincount(reaching.ravel(), minlength=len(ordered) + 1))
    limits = np.empty((2, len(ordered) + 1))  # one for each count: images are many more than counts
    limits[:, used] = _limits(used, len(ordered), tail, worth)
    low, high = (np.where(unknown, np.nan, side[reaching]) for side in limits)
    return low, high


def threshold(calibration: np.ndarray, fpr: float, tail: float = 0.05, worth: float = 1.0) -> Threshold:
    """The score above which an image is flagged at `fpr`. Raises ValueError if the calibration holds NaN.

    The interval has the order statistics as its ends at which `rates` with the same `tail` crosses `fpr`.
    """
    _check("fpr", fpr, 1)
    _check("tail", tail, 0.5)
    falling = _ordered(calibration)[::-1]
    n = len(falling)
    counts = range(n + 1)  # of photographs that reach a score
    nominal = bisect_right(counts, False, key=lambda count: not at_most((1 + count) / (n + 1), fpr))
    surely = bisect_right(counts, fpr, key=lambda count: float(_limits(count, n, tail, worth)[1]))
    perhaps = bisect_right(counts, fpr, key=lambda count: float(_limits(count, n, tail, worth)[0]))

    def place(count: int) -> float | None:
        """The score that at least `count` photographs reach, and fewer exceed."""
        return float(falling[count - 1]) if 1 <= count <= n else None

    score = place(nominal)
    flagged = 0 if score is None else int(np.count_nonzero(falling > score))
    low = float(_limits(flagged, n, 0.025, worth)[0])
    high = float(_limits(max(0, nominal - 1), n, 0.025, worth)[1])
    return Threshold(fpr, score, (place(perhaps), place(surely)), n, flagged, (low, high), tail)


def fewest(fpr: float, tail: float = 0.05) -> int:
    """How many independent photographs it takes before some score is surely above a threshold at `fpr`.

    With confidence 1 - `tail`.
    """
    _check("fpr", fpr, 1)
    _check("tail", tail, 0.5)
    least = max(1, math.floor(math.log(tail) / math.log1p(-fpr)))
    return least if float(_limits(0, least, tail)[1]) <= fpr else least + 1


def at_most(values: np.ndarray | float, level: float) -> np.ndarray:
    """Which p-values, combined p-values or q-values are at most a `level` that a person typed; NaN is not.

    Compared to twelve digits: they are fractions, and often meet the level exactly, where the last bit of a float would
    decide the verdict.
    """
    return np.asarray(np.asarray(values) <= level * _TWELVE_DIGITS)


def _ordered(calibration: np.ndarray) -> np.ndarray:
    """Ascending float64."""
    ordered = np.sort(np.asarray(calibration, float), axis=None)
    if len(ordered) and np.isnan(ordered[-1]):  # where NaN is sorted to
        raise ValueError("the calibration holds scores that are not numbers (NaN); leave those photographs out")
    return ordered


def _reaching(scores: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """How many calibration scores are at least as high as each score."""
    return np.asarray(len(ordered) - np.searchsorted(ordered, scores, side="left"))


def _limits(hits: np.ndarray | int, of: int, tail: float, worth: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """The lower and the upper Clopper-Pearson limit of a share of which `hits` of `of` were counted, each at `tail`."""
    few, rest = np.asarray(hits) * worth, (of - np.asarray(hits)) * worth
    low = betaincinv(np.maximum(few, worth), np.maximum(rest + 1, 1), tail)
    high = betainccinv(few + 1, np.maximum(rest, worth), tail)
    return np.where(np.equal(hits, 0), 0.0, low), np.where(np.equal(hits, of), 1.0, high)


def _check(name: str, value: float, below: float) -> None:
    if not 0 < value < below:
        raise ValueError(f"{name} is {value}, not between 0 and {below}")
