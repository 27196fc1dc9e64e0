"""Which images of a whole folder to flag, so that few of those flagged are photographs.

The false-discovery rate is the expected share of photographs among the flagged images, none flagged counting as 0. The
expectation is over calibrations too: in one folder with one calibration the share may well be higher.
"""

import numpy as np

from forensic_cli.statistics.conformal import at_most


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """The q-value of each p-value, (N,): the least false-discovery rate at which it is flagged. NaN stays and counts not.

    Benjamini and Hochberg (1995). It holds for independent p-values, and for those that rise and fall together (PRDS:
    Benjamini and Yekutieli 2001). Conformal p-values of one method that share one calibration do (Bates, Candès, Lei,
    Romano and Sesia 2023), if each photograph in the folder is exchangeable with those of the calibration whatever the
    other images are; scores may tie. For Bonferroni's combination of several methods the bound holds method by method, and
    so in sum, where the p-values of all methods rise and fall together. It is not proved for methods that contradict each
    other, nor for the other combinations.
    """
    values = np.asarray(p, float)
    if values.ndim != 1:
        raise ValueError(f"p-values have the shape {values.shape}, not (images,)")
    if np.any((values < 0) | (values > 1)):
        raise ValueError("p-values lie between 0 and 1")
    # scipy's false_discovery_control refuses NaN, so that all but the last two lines would stand here all the same
    known = np.flatnonzero(~np.isnan(values))
    falling = known[np.argsort(-values[known])]
    raised = values[falling] * len(known) / np.arange(len(known), 0, -1)
    adjusted = np.full(len(values), np.nan)
    adjusted[falling] = np.minimum(1, np.minimum.accumulate(raised))
    return adjusted


def cutoff(p: np.ndarray, fdr: float) -> float:
    """The largest p-value that `benjamini_hochberg` flags at `fdr`; 0 if none is."""
    if not 0 < fdr < 1:
        raise ValueError(f"fdr is {fdr}, not between 0 and 1")
    values = np.asarray(p, float)
    return float(np.max(values[at_most(benjamini_hochberg(values), fdr)], initial=0.0))
