"""How far one gets without looking at a single pixel: the figure that stands beside every figure of a detector."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from forensic_cli.statistics.ranking import auroc


@dataclass(frozen=True)
class Outside:
    """What is known of an image from the outside."""

    suffix: str
    width: int
    height: int
    bytes: int
    generated: bool


def zero_pixel(known: Sequence[Outside], unseen: Sequence[Outside], seed: int = 0) -> float:
    """AUROC on `unseen` of gradient-boosted trees that saw suffix, width, height and bytes per pixel of `known`.

    0.5 says that the outside tells nothing. NaN where a class is missing.
    """
    labels = [np.array([one.generated for one in some]) for some in (known, unseen)]
    if any(len(set(some.tolist())) < 2 for some in labels):
        return float("nan")
    suffixes = sorted({one.suffix for one in known})
    trees = HistGradientBoostingClassifier(random_state=seed, max_iter=100, min_samples_leaf=5)
    trees.fit(_table(known, suffixes), labels[0])
    scores = trees.predict_proba(_table(unseen, suffixes))[:, 1]
    return auroc(scores[~labels[1]], scores[labels[1]])


def _table(images: Sequence[Outside], suffixes: Sequence[str]) -> np.ndarray:
    rows = []
    for one in images:
        pixels = max(1, one.width * one.height)
        rest = [one.width, one.height, one.width / max(1, one.height), one.width % 64, one.height % 64, one.bytes / pixels]
        rows.append([*(float(one.suffix == suffix) for suffix in suffixes), *rest])
    return np.array(rows, float)
