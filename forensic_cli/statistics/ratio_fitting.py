"""Likelihood ratios learnt from the scores of photographs and generated images, and judged on images left out."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
from sklearn.linear_model import LogisticRegression

from forensic_cli.statistics.bounds import by_counts, elub
from forensic_cli.statistics.pav import pav
from forensic_cli.statistics.ratios import Density, Isotonic, Kind, Logistic, Model, Ratios
from forensic_cli.statistics.resampling import check
from forensic_cli.statistics.splitting import class_folds

Bound = Literal["elub", "counts"]
Sources = tuple[Sequence[str], Sequence[str]]
_STEPS = 1024
_AT_ONCE = 1 << 16  # numbers
_MANY = 5000  # scores of which a hundredth of a kernel's width is enough
_LN10 = float(np.log(10))


def fit(
    kind: Kind, real: np.ndarray, generated: np.ndarray, sources: Sources | None = None, bound: Bound = "elub"
) -> Ratios:
    """LLRs of "generated" against "photograph", both classes weighing the same.

    `bound`: "elub", or "counts" alone. With `sources` the bounds are drawn from LLRs of images whose source the model did
    not see. Raises ValueError, in plain words, if the scores do not allow it.
    """
    _check(real, generated)
    model = _FITS[kind](real, generated)
    if bound not in get_args(Bound):
        raise ValueError(f"bounds are {' or '.join(get_args(Bound))}, not {bound}")
    if bound == "counts":
        return Ratios(model, by_counts(len(real), len(generated)))
    seen = held_out(kind, real, generated, sources) if sources else (model.llr10(real), model.llr10(generated))
    return Ratios(model, elub(*seen))


def held_out(
    kind: Kind, real: np.ndarray, generated: np.ndarray, sources: Sources, parts: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """Unbounded LLRs of each photograph and generated image, from models that saw nothing of its source.

    Images of a single source are parted one by one. Raises ValueError as `fit` does.
    """
    _check(real, generated)
    homes = class_folds(*sources, parts)
    found = np.empty(len(real)), np.empty(len(generated))
    for part in range(parts):
        inside = [home == part for home in homes]
        if not any(some.any() for some in inside):
            continue
        rest = [scores[~some] for scores, some in zip((real, generated), inside, strict=True)]
        _check(*rest)
        model = _FITS[kind](*rest)
        for llrs, scores, some in zip(found, (real, generated), inside, strict=True):
            llrs[some] = model.llr10(scores[some])
    return found


def _check(real: np.ndarray, generated: np.ndarray) -> None:
    check(real, generated)
    if not all(np.isfinite(some).all() for some in (real, generated)):
        raise ValueError("a score is infinite, and likelihood ratios need finite ones")
    if min(len(real), len(generated)) < 2:
        raise ValueError("likelihood ratios need two photographs and two generated images at the very least")


def _logistic(real: np.ndarray, generated: np.ndarray) -> Logistic:
    """Maximum likelihood with a penalty of slope ** 2 / 2 for standardised scores, so that classes may lie apart."""
    scores = np.concatenate((real, generated))
    labels = np.repeat([0, 1], [len(real), len(generated)])
    middle, spread = scores.mean(), scores.std() or 1.0
    model = LogisticRegression(class_weight="balanced", solver="newton-cholesky", tol=1e-12)
    model.fit(((scores - middle) / spread)[:, None], labels)
    slope, intercept = model.coef_[0, 0], model.intercept_[0]
    return Logistic(float(slope / spread / _LN10), float((intercept - slope * middle / spread) / _LN10))


def _isotonic(real: np.ndarray, generated: np.ndarray) -> Isotonic:
    steps = pav(real, generated)
    edges = np.stack((steps.low, steps.high), axis=1).ravel()
    shares = np.repeat(steps.probability, 2)
    kept = np.append(True, np.diff(edges) > 0)  # a block of one score has one edge
    return Isotonic(tuple(edges[kept].tolist()), tuple(shares[kept].tolist()))


def _density(real: np.ndarray, generated: np.ndarray) -> Density:
    """Gaussian kernels, as wide as Silverman's rule asks of each class."""
    both = np.concatenate((real, generated))
    places = np.linspace(both.min(), both.max(), _STEPS)
    llrs = (_log_density(places, generated) - _log_density(places, real)) / _LN10
    return Density(float(places[0]), float(places[-1]), tuple(llrs.tolist()))


def _log_density(places: np.ndarray, scores: np.ndarray) -> np.ndarray:
    width = scores.std() * (4 / 3 / len(scores)) ** 0.2
    if not width > 0:
        raise ValueError("all scores of a class are the same, which has no density; use logistic or isotonic")
    if len(scores) > _MANY:
        scores = np.round(scores / width * 100) / 100 * width
    values, counts = np.unique(scores, return_counts=True)
    blocks = np.array_split(places, max(1, len(places) * len(values) // _AT_ONCE))
    logs = [_log_sum(-(((block[:, None] - values) / width) ** 2) / 2, counts) for block in blocks]
    return np.asarray(np.concatenate(logs) - np.log(len(scores) * width * np.sqrt(2 * np.pi)))


def _log_sum(logs: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Log of the sums over rows, each column counted so often; nothing underflows."""
    peaks = logs.max(axis=1)
    return np.asarray(peaks + np.log(np.exp(logs - peaks[:, None]) @ counts))


_FITS: dict[Kind, Callable[[np.ndarray, np.ndarray], Model]] = {
    "logistic": _logistic,
    "isotonic": _isotonic,
    "kde": _density,
}
