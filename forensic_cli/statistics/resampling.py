"""Measures and how far they can be trusted: whole sources are drawn anew, after a single sort of the scores."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from forensic_cli.statistics.intervals import Interval, percentiles

MEASURED_AT = (0.001, 0.01, 0.05, 0.1)


@dataclass(frozen=True)
class Sourced:
    """The images of one class.

    `scores`: (n,), higher is more likely generated. `sources`: (n,) names or numbers; images of one source resemble each
    other. `terms`: further numbers of each image, (n,) by name, whose means are measures of their own.
    """

    scores: np.ndarray
    sources: Sequence[str] | np.ndarray
    terms: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Estimate:
    """A measure on all images, and on each draw: (draws,)."""

    value: float
    drawn: np.ndarray

    @property
    def interval(self) -> Interval:
        """95 %, from the percentiles of the draws."""
        return percentiles(self.drawn)


def bootstrap(
    real: Sourced,
    generated: Mapping[str, Sourced],
    rates: Sequence[float] = MEASURED_AT,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Estimate]]:
    """AUROC, AP, TPR at each FPR and the means of the terms, for each set of generated images against the photographs.

    Names: "auroc", "ap", "tpr_at_fpr_0.01", and for a term its mean over all images, and "balanced_" + term, the mean of
    the means of both classes. Photographs and generated images are drawn separately, unless they come from the very same
    sources: then a source is drawn as one. Images of a single source are drawn one by one. The draws depend on sources,
    the name of the set and `seed` alone, so that two methods on the same images see the same draws. Raises ValueError for
    a class without images and for a score that is not a number.
    """
    if not generated:
        return {}
    check(real.scores, *(one.scores for one in generated.values()))
    side = _Side(real)
    others = {name: _Against(one, side, rates) for name, one in generated.items()}
    found = {name: np.empty((draws + 1, len(other.names))) for name, other in others.items()}
    streams = {name: _weights(other.units, draws, [seed, zlib.crc32(name.encode())]) for name, other in others.items()}
    for number, weights in enumerate(_weights(side.units, draws, [seed])):
        drawn = _Drawn(side, weights, rates)
        for name, other in others.items():
            found[name][number] = other.measures(drawn, weights if other.same else next(streams[name]))
    return {
        name: {
            measure: Estimate(float(some[0]), some[1:]) for measure, some in zip(others[name].names, table.T, strict=True)
        }
        for name, table in found.items()
    }


def check(*scores: np.ndarray) -> None:
    """Raises ValueError where measures are not defined. The photographs come first."""
    for number, some in enumerate(scores):
        word = "generated images" if number else "photographs"
        if not len(some):
            raise ValueError(f"there are no {word} to measure with")
        if np.isnan(some).any():
            raise ValueError(f"a score of the {word} is not a number")


def _weights(units: int, draws: int, seed: list[int]) -> Iterator[np.ndarray]:
    """How often each unit was drawn, (units,); first of all every unit once."""
    generator = np.random.default_rng(seed)
    yield np.ones(units)
    for _ in range(draws):
        yield np.bincount(generator.integers(0, units, units), minlength=units).astype(float)


class _Side:
    """One class in the order of its scores.

    One draw at a time, and in the same memory: to fetch fresh pages costs more than all the arithmetic.
    """

    def __init__(self, scored: Sourced) -> None:
        self.sources, codes = np.unique(np.asarray(scored.sources), return_inverse=True)
        if len(self.sources) < 2:
            codes = np.arange(len(scored.scores))
        self.units = int(codes.max()) + 1
        order = np.argsort(scored.scores, kind="stable")
        self.scores = np.asarray(scored.scores, float)[order]
        self.codes = codes[order]
        self.sums = np.array([np.bincount(codes, some, self.units) for some in scored.terms.values()])  # (terms, units)
        self.terms = list(scored.terms)
        self.own = np.ones(len(codes))  # the weight of each image
        self.cumulated = np.zeros(len(codes) + 1)  # from the lowest score on

    def draw(self, weights: np.ndarray) -> None:
        """Fills `own` and `cumulated`. `weights`: of the units (units,)."""
        weights.take(self.codes, out=self.own, mode="clip")
        np.cumsum(self.own, out=self.cumulated[1:])

    def totals(self, weights: np.ndarray) -> np.ndarray:
        """Of the terms (terms,)."""
        return np.asarray(self.sums @ weights) if self.terms else np.empty(0)


class _Drawn:
    """The photographs of one draw: what every set of generated images needs to know of them."""

    def __init__(self, side: _Side, weights: np.ndarray, rates: Sequence[float]) -> None:
        side.draw(weights)
        self.cumulated = side.cumulated
        self.total = self.cumulated[-1]
        over = np.minimum(self.total - 1, np.floor(self.total * np.asarray(rates) + 1e-9))
        self.thresholds = side.scores[np.searchsorted(self.cumulated[1:], self.total - 1 - over, "right")]  # (rates,)
        self.terms = side.totals(weights)


class _Against(_Side):
    """Generated images, and where their scores lie among those of the photographs."""

    def __init__(self, scored: Sourced, real: _Side, rates: Sequence[float]) -> None:
        super().__init__(scored)
        if self.terms != real.terms:
            raise ValueError("photographs and generated images have different terms")
        self.same = len(self.sources) > 1 and np.array_equal(self.sources, real.sources)
        self.lower = np.searchsorted(real.scores, self.scores, "left")
        self.upper = np.searchsorted(real.scores, self.scores, "right")
        self.first = np.searchsorted(self.scores, self.scores, "left")  # of those with the same score
        self.tied = bool((self.lower != self.upper).any())
        self.room = np.empty((3, len(self.scores)))
        tprs = [f"tpr_at_fpr_{rate:g}" for rate in rates]
        self.names = ["auroc", "ap", *tprs, *self.terms, *(f"balanced_{term}" for term in self.terms)]

    def measures(self, real: _Drawn, weights: np.ndarray) -> np.ndarray:
        """In the order of `names`."""
        self.draw(weights)
        total = self.cumulated[-1]
        below, beaten, least = self.room
        real.cumulated.take(self.lower, out=below, mode="clip")
        pairs = self.own @ below
        if self.tied:
            pairs = (pairs + self.own @ real.cumulated.take(self.upper, out=beaten, mode="clip")) / 2
        self.cumulated.take(self.first, out=least, mode="clip")
        np.subtract(total, least, out=least)  # generated images that score no less
        np.subtract(real.total, below, out=below)  # photographs that score no less
        below += least
        np.maximum(below, 1, out=below)  # of nothing, where an image was not drawn
        np.divide(least, below, out=least)
        ranking = [pairs / (total * real.total), self.own @ least / total]
        above = total - self.cumulated[np.searchsorted(self.scores, real.thresholds, "right")]
        terms = self.totals(weights)
        means = [(terms + real.terms) / (total + real.total), (terms / total + real.terms / real.total) / 2]
        return np.concatenate((ranking, above / total, *means))
