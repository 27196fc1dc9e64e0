"""How far one gets without looking at a single pixel: the figure that stands beside every figure of a detector."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_curve

from forensic_cli.statistics.ranking import auroc
from forensic_cli.statistics.splitting import halves

_FEWEST = 5  # of each class in each half
_MOST = 20_000  # images to learn from
_COMMON = 30  # words (formats, tables) that are looked at one by one


@dataclass(frozen=True)
class Outside:
    """What is known of an image from the outside.

    `tables`: a word for its JPEG quantisation tables, `quality` (1 to 100) the standard ones that they are nearest to; ""
    and 0 if it is no JPEG. `source`: images of one source are never on both sides of a split, if that can be.
    """

    suffix: str
    width: int
    height: int
    bytes: int
    generated: bool
    format: str = ""
    tables: str = ""
    quality: int = 0
    source: str = ""

    @property
    def per_pixel(self) -> float:
        """Bytes."""
        return self.bytes / max(1, self.width * self.height)


_Columns = Callable[[Sequence[Outside], Sequence[Outside]], np.ndarray]


def zero_pixel(known: Sequence[Outside], unseen: Sequence[Outside], seed: int = 0) -> float:
    """AUROC on `unseen` of gradient-boosted trees that saw suffix, width, height and bytes per pixel of `known`.

    0.5 says that the outside tells nothing. NaN where a class is missing.
    """
    if any(len({one.generated for one in some}) < 2 for some in (known, unseen)):
        return float("nan")
    return auroc(*_scored(known, unseen, _table, seed))


def controls(images: Sequence[Outside], seed: int = 0) -> list[dict[str, Any]]:
    """How well each aspect of the outside, and all of them together, tell generated images from others; JSON-ready rows.

    `auroc`: learnt on one half and measured on the other, both ways round, whole sources in one half where that can be;
    0.5 tells nothing, and what lies below was learnt in vain; None for too few images. `photographs`, `generated`: in
    words, what the classes are like. `curve` (of all together): false and true positive rates.
    """
    parts = halves([one.source for one in images], [one.generated for one in images], seed)
    classes = {name: [one for one in images if one.generated == label] for name, label in _CLASSES.items()}
    first, second = ([one for one, inside in zip(images, parts, strict=True) if inside == side] for side in (True, False))
    enough = all(
        sum(one.generated == label for one in some) >= _FEWEST for some in (first, second) for label in (True, False)
    )
    rows = []
    for name, (columns, words) in _ASPECTS.items():
        both = [_scored(*pair, columns, seed) for pair in ((first, second), (second, first))] if enough else []
        row: dict[str, Any] = {"name": name, "auroc": float(np.mean([auroc(*scores) for scores in both])) if both else None}
        row |= {"n_real": len(classes["photographs"]), "n_generated": len(classes["generated"])}
        row |= {label: words(some) if some else "" for label, some in classes.items()}
        if both and name == TOGETHER:
            row["curve"] = _curve(both)
        rows.append(row)
    return rows


def _scored(
    known: Sequence[Outside], unseen: Sequence[Outside], columns: _Columns, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of what is not generated among `unseen`, and of what is."""
    if len(known) > _MOST:
        places = np.sort(np.random.default_rng(seed).choice(len(known), _MOST, replace=False))
        known = [known[place] for place in places]
    trees = HistGradientBoostingClassifier(random_state=seed, max_iter=100, min_samples_leaf=5)
    trees.fit(columns(known, known), np.array([one.generated for one in known]))
    scores = trees.predict_proba(columns(unseen, known))[:, 1]
    labels = np.array([one.generated for one in unseen])
    return scores[~labels], scores[labels]


def _table(images: Sequence[Outside], known: Sequence[Outside]) -> np.ndarray:
    suffixes = sorted({one.suffix for one in known})
    rows = [[*(float(one.suffix == suffix) for suffix in suffixes), *_sizes(one), one.per_pixel] for one in images]
    return np.array(rows, float)


def _sizes(one: Outside) -> list[float]:
    return [one.width, one.height, one.width / max(1, one.height), one.width % 64, one.height % 64]


def _words(of: Callable[[Outside], str]) -> _Columns:
    """A column for each of the words that are common among the known."""

    def columns(images: Sequence[Outside], known: Sequence[Outside]) -> np.ndarray:
        numbers = Counter(map(of, known))
        common = sorted(numbers, key=lambda word: (-numbers[word], word))[:_COMMON]
        return np.array([[float(of(one) == word) for word in common] for one in images], float)

    return columns


def _numbers(of: Callable[[Outside], list[float]]) -> _Columns:
    return lambda images, _: np.array([of(one) for one in images], float)


def _beside(*several: _Columns) -> _Columns:
    return lambda images, known: np.hstack([columns(images, known) for columns in several])


def _format(one: Outside) -> str:
    return one.format or one.suffix or "unknown"


def _shares(of: Callable[[Outside], str]) -> Callable[[Sequence[Outside]], str]:
    def words(images: Sequence[Outside]) -> str:
        common = Counter(map(of, images)).most_common(3)
        return ", ".join(f"{word or 'none'} {number / len(images):.0%}" for word, number in common)

    return words


def _mean_size(images: Sequence[Outside]) -> str:
    return (
        " x ".join(f"{np.mean([getattr(one, side) for one in images]):.0f}" for side in ("width", "height")) + " on average"
    )


def _mean_weight(images: Sequence[Outside]) -> str:
    return f"{np.mean([one.per_pixel for one in images]):.2f} bytes on average"


def _tables_in_words(images: Sequence[Outside]) -> str:
    jpegs = [one for one in images if one.tables]
    if not jpegs:
        return "no JPEG"
    different = len({one.tables for one in jpegs})
    return f"quality {np.mean([one.quality for one in jpegs]):.0f} on average, {different} different"


_CLASSES = {"photographs": False, "generated": True}
TOGETHER = "all of these"
_SUFFIX, _FORMAT, _SIZES = _words(lambda one: one.suffix), _words(_format), _numbers(_sizes)
_WEIGHT = _numbers(lambda one: [one.per_pixel])
_TABLES = _beside(_words(lambda one: one.tables), _numbers(lambda one: [one.quality]))
_ASPECTS: Mapping[str, tuple[_Columns, Callable[[Sequence[Outside]], str]]] = {
    "suffix": (_SUFFIX, _shares(lambda one: one.suffix)),
    "format": (_FORMAT, _shares(_format)),
    "dimensions": (_SIZES, _mean_size),
    "bytes per pixel": (_WEIGHT, _mean_weight),
    "JPEG tables": (_TABLES, _tables_in_words),
    TOGETHER: (_beside(_SUFFIX, _FORMAT, _SIZES, _WEIGHT, _TABLES), lambda _: ""),
}


def _curve(both: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, list[float]]:
    """The mean of the ROC curves of both halves, at 101 false positive rates."""
    grid = np.linspace(0, 1, 101)
    shares = []
    for real, generated in both:
        labels = np.repeat([0, 1], [len(real), len(generated)])
        fpr, tpr, _ = roc_curve(labels, np.concatenate((real, generated)), drop_intermediate=False)
        shares.append(np.interp(grid, fpr, tpr))
    return {"fpr": [round(float(one), 4) for one in grid], "tpr": [round(float(one), 4) for one in np.mean(shares, axis=0)]}
