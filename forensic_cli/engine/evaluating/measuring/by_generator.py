"""The rows of results.json: one for each method, transform and generator, with intervals wherever the data allow them."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from forensic_cli.engine.evaluating.measuring.cast import Cast, Group, judge
from forensic_cli.engine.evaluating.measuring.results import MEAN, POOLED, Image
from forensic_cli.records import Json
from forensic_cli.statistics.intervals import Interval, clopper_pearson
from forensic_cli.statistics.performance import probabilities, right, squared_errors
from forensic_cli.statistics.resampling import MEASURED_AT, Estimate, Sourced, bootstrap

FEW = 10
"""With fewer images in a class there are no intervals but the exact ones of shares."""
HALF, CALIBRATED, BRIER = "accuracy_0.5", "accuracy_calibrated", "brier"
_TPRS = {f"{rate:g}": rate for rate in MEASURED_AT}

Scores = Mapping[tuple[str, str], np.ndarray]


@dataclass(frozen=True)
class _Part:
    """What becomes one row. `found` lacks what cannot be told; the rest as in the row."""

    name: str
    n_real: int
    n_generated: int
    left_out: int
    found: Mapping[str, Estimate]
    over: tuple[float, float] | None = None  # shares of photographs and of generated images above the threshold


def rows(
    images: Sequence[Image],
    transforms: Sequence[str],
    scores: Scores,
    units: Mapping[str, str],
    *,
    pairs: Mapping[str, Sequence[str]] | None = None,
    thresholds: Mapping[str, float] | None = None,
    fpr: float = 0.05,
    draws: int = 1000,
    seed: int = 0,
) -> list[Json]:
    """For each method and transform: a row for each generator, their mean, and all generated images pooled.

    `pairs`: which photographs a generator is measured against, see `Cast`; pooled are all photographs.

    What is not told is None: accuracy at 0.5 and Brier score without log-odds or probabilities, TPR at a rate that so few
    photographs cannot show, everything where a class has no score. Intervals (95 %): whole sources are drawn anew; those
    of TPRs and accuracies are never narrower than Clopper and Pearson's; with fewer than ten images in a class, TPRs have
    theirs and nothing else has any. An AUROC of 1 or 0 has the exact interval for as many pairs as the smaller class has
    images. The mean's interval speaks of these very generators, the pooled one draws sources, often whole generators.

    `accuracy_calibrated`: at `thresholds`, or at one for `fpr` set on other photographs as they are (see `Cast.over`);
    "fpr_calibrated" and "tpr_calibrated" are the shares above it. `balanced_...`: the mean over both classes.
    """
    cast = Cast(images, pairs)
    found = []
    for method in dict.fromkeys(name for name, _ in scores):
        for transform in transforms:
            if (method, transform) not in scores:
                continue
            values = scores[method, transform]
            given = (thresholds or {}).get(method)
            over = (
                cast.flagged(values, judge(scores, method, transform), fpr)
                if given is None
                else (values > given).astype(float)
            )
            table = _Table(cast, values, _terms(values, units.get(method, "")), over, draws, seed)
            found += [{"method": method, "transform": transform, **row} for row in table.rows()]
    return found


def _terms(scores: np.ndarray, unit: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By name, of every image: its number if it is a photograph, and if it is generated."""
    if unit not in ("log-odds", "probability"):
        return {}
    shares = probabilities(scores) if unit == "log-odds" else scores
    limit = 0.0 if unit == "log-odds" else 0.5
    return {
        HALF: (right(scores, limit, False), right(scores, limit, True)),
        BRIER: (squared_errors(shares, False), squared_errors(shares, True)),
    }


class _Table:
    """The rows of one method under one transform."""

    def __init__(
        self,
        cast: Cast,
        scores: np.ndarray,
        terms: Mapping[str, tuple[np.ndarray, np.ndarray]],
        over: np.ndarray | None,
        draws: int,
        seed: int,
    ) -> None:
        self.cast, self.scores, self.over, self.draws, self.seed = cast, scores, over, draws, seed
        self.terms = dict(terms) if over is None else {**terms, CALIBRATED: (1 - over, over)}
        self.usable = ~np.isnan(scores)

    def rows(self) -> Iterator[Json]:
        pooled = Group(POOLED, self.cast.real, self.cast.generated)
        parts = self._parts([*self.cast.groups, pooled])
        for part in parts[:-1]:
            yield _row(part, _interval)
        whole = parts[-1]
        yield {**_row(_mean(parts[:-1], whole), _drawn), "n_generators": sum(bool(one.found) for one in parts[:-1])}
        yield _row(whole, _interval)

    def _parts(self, groups: Sequence[Group]) -> list[_Part]:
        """Those with the same photographs together, so that these are drawn once, and alike for the mean."""
        found: dict[str, dict[str, Estimate]] = {}
        for partners in dict.fromkeys(group.partners for group in groups):
            several = [group for group in groups if group.partners == partners]
            if self._any(several[0].real):
                others = {group.name: self._scored(group.generated, 1) for group in several if self._any(group.generated)}
                seed = self.seed + zlib.crc32("\0".join(partners).encode())  # so that other photographs are drawn otherwise
                found |= bootstrap(self._scored(several[0].real, 0), others, MEASURED_AT, self.draws, seed)
        return [self._part(group, found.get(group.name, {})) for group in groups]

    def _any(self, some: np.ndarray) -> bool:
        return bool(self.usable[some].any())

    def _scored(self, some: np.ndarray, side: int) -> Sourced:
        some = some[self.usable[some]]
        terms = {name: both[side][some] for name, both in self.terms.items()}
        return Sourced(self.scores[some], self.cast.sources[some], terms)

    def _part(self, group: Group, found: Mapping[str, Estimate]) -> _Part:
        sides = [some[self.usable[some]] for some in (group.real, group.generated)]
        n_real, n_generated = map(len, sides)
        hidden = {f"tpr_at_fpr_{name}" for name, rate in _TPRS.items() if n_real * rate < 1}
        over = None
        if self.over is not None and found:
            over = (float(self.over[sides[0]].mean()), float(self.over[sides[1]].mean()))
        told = {name: one for name, one in found.items() if name not in hidden}
        left_out = len(group.real) + len(group.generated) - n_real - n_generated
        return _Part(group.name, n_real, n_generated, left_out, told, over)


def _mean(parts: Sequence[_Part], whole: _Part) -> _Part:
    """Over the generators that have the measure, on each draw too."""
    names = dict.fromkeys(name for part in parts for name in part.found)
    found = {}
    for name in names:
        some = [part.found[name] for part in parts if name in part.found]
        value = float(np.mean([one.value for one in some]))
        found[name] = Estimate(value, np.mean([one.drawn for one in some], axis=0))
    pairs = [part.over for part in parts if part.over is not None]
    over = (float(np.mean([one for one, _ in pairs])), float(np.mean([one for _, one in pairs]))) if pairs else None
    return _Part(MEAN, whole.n_real, whole.n_generated, whole.left_out, found, over)


def _row(part: _Part, interval: Callable[[_Part, str], Interval | None]) -> Json:
    """All keys of a row, whatever could be told."""

    def ends(name: str) -> list[float] | None:
        found = interval(part, name) if name in part.found else None
        return list(found) if found else None

    def value(name: str) -> float | None:
        return part.found[name].value if name in part.found else None

    row: Json = {
        "generator": part.name,
        "n_real": part.n_real,
        "n_generated": part.n_generated,
        "n_left_out": part.left_out,
    }
    for name in ("auroc", "ap", HALF, f"balanced_{HALF}", CALIBRATED, f"balanced_{CALIBRATED}", BRIER):
        row |= {name: value(name), f"{name}_interval": ends(name)}
    row["fpr_calibrated"], row["tpr_calibrated"] = part.over or (None, None)
    return row | {
        "tpr_at_fpr": {rate: value(f"tpr_at_fpr_{rate}") for rate in _TPRS},
        "tpr_at_fpr_interval": {rate: ends(f"tpr_at_fpr_{rate}") for rate in _TPRS},
    }


def _drawn(part: _Part, name: str) -> Interval | None:
    """From the draws alone; None where nothing varied, which is no certainty."""
    low, high = part.found[name].interval
    return (low, high) if high - low > 1e-12 else None


def _interval(part: _Part, name: str) -> Interval | None:
    value = part.found[name].value
    both = part.n_real, part.n_generated
    if name.startswith("tpr_at_fpr"):
        return _at_least(None if min(both) < FEW else _drawn(part, name), value, part.n_generated)
    if min(both) < FEW:
        return None
    if name in (HALF, CALIBRATED):
        return _at_least(_drawn(part, name), value, sum(both))
    if name == "auroc" and value in (0, 1):
        return _at_least(None, value, min(both))
    return _drawn(part, name)


def _at_least(interval: Interval | None, share: float, of: int) -> Interval:
    """The wider of both ends: of `interval`, and of the exact one for a share `of` so many."""
    low, high = clopper_pearson(round(share * of), of)
    return (min(low, interval[0]), max(high, interval[1])) if interval else (low, high)
