"""From scores to verdicts at a stated error rate, against the scores of photographs in a profile (design: conformal).

Let k of n calibration photographs score at least as high as an image. Its p-value is (1 + k) / (n + 1); the share of all
such photographs that score so high lies, by Clopper and Pearson, between two limits. An image is `generated` if the upper
limit is not above the stated rate, `unflagged` if the lower one is, `inconclusive` between them. A rate of false
discoveries is kept on average over calibrations, not with confidence for one: there the p-value itself takes the upper
limit's place.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from forensic_cli.profiles import USUAL, Calibrated, Collection, counted
from forensic_cli.records import FileRecord, Finding, Json, Label, Verdict
from forensic_cli.statistics import conformal, discovery
from forensic_cli.statistics.combining import Rule, combine
from forensic_cli.statistics.conformal import at_most
from forensic_cli.statistics.ratios import Ratios

TAIL = 0.05
"""One limit holds with a confidence of 1 - TAIL."""


@dataclass(frozen=True)
class Basis:
    """What a method is judged against: its scores in a profile, the images they are of, and where the profile is from."""

    calibrated: Calibrated
    photographs: Collection
    source: str


@dataclass(frozen=True)
class Point:
    """At most a share `fpr` of photographs is flagged; with `fdr` at most such a share of the flagged are photographs.

    `rule` makes one p-value of those of several methods.
    """

    fpr: float = USUAL
    fdr: float | None = None
    rule: Rule = "bonferroni"


class Judge:
    """Judges the records of one run, one by one; q-values and a rate of false discoveries need all of them first."""

    def __init__(self, bases: Mapping[str, Basis], point: Point) -> None:
        self._bases = bases
        self.point = point
        self._scales = {name: _Scale(one.calibrated, len(bases)) for name, one in bases.items()}
        self._p_values = array("d")
        self._together = lru_cache(1 << 16)(self._all_together)
        highest = self._together(tuple(scale.steps for scale in self._scales.values()))
        self._possible = point.fdr is not None or bool(at_most(highest.high, point.fpr))

    def judged(self, record: FileRecord) -> FileRecord:
        """The record with p-values, likelihood ratios and verdicts at the false-positive rate."""
        record = self._weighed(record)
        verdict = record.verdict
        self._p_values.append(verdict.p_value if verdict and verdict.p_value is not None else np.nan)
        return record

    def settled(self, records: Iterable[FileRecord]) -> Iterator[FileRecord]:
        """The same records, in the same order, with q-values and, if one was asked for, verdicts at the FDR."""
        p_values = np.asarray(self._p_values)
        q_values = discovery.benjamini_hochberg(p_values)
        level = None if self.point.fdr is None else discovery.cutoff(p_values, self.point.fdr)
        for record, q in zip(records, q_values, strict=False):
            yield self._settled(record, None if np.isnan(q) else float(q), level)

    def to_json(self) -> Json:
        """For the run record: what the verdicts rest on."""
        methods = {name: self._described(one) for name, one in self._bases.items()}
        rule = self.point.rule if len(self._bases) > 1 else None
        return {
            "fpr": self.point.fpr,
            "fdr": self.point.fdr,
            "confidence": 1 - TAIL,
            "possible": self._possible,
            "recall": None if self.point.fdr is not None else self.recall(),
            "combination": rule,
            "methods": methods,
        }

    def recall(self) -> float | None:
        """The share of the generated images in the profiles that such a verdict finds; None where there are none.

        Of several methods the best alone, at the limits that hold for all of them: together they find no less.
        """
        found = []
        for name, basis in self._bases.items():
            known, scale = basis.calibrated, self._scales[name]
            scores = known.generated or ()
            strange = known.generated_unlike or (None,) * len(scores)
            steps = [
                tuple(scale.step(score) if one == name else 0 for one in self._bases)
                for score, unlike in zip(scores, strange, strict=True)
                if not known.stranger(unlike)
            ]
            hits = sum(self._between(self._together(step)) == "generated" for step in steps)
            found += [hits / len(scores)] if scores else []
        return max(found, default=None)

    def _between(self, found: "_Together") -> Label:
        return _between(found.low, found.high, self.point.fpr)

    def lacking(self) -> str | None:
        """A sentence where the photographs are too few for the false-positive rate that was asked for."""
        if self._possible:
            return None
        several = len(self._bases)
        parts = [(name, one.calibrated) for name, one in self._bases.items()]
        numbers = " and ".join(f"{name}'s {counted(len(one.photographs), one.sources, one.worth)}" for name, one in parts)
        needed = conformal.fewest(self.point.fpr / several, TAIL / several)
        return (
            f"{numbers} cannot show a false-positive rate of {100 * self.point.fpr:g} %"
            f"{', about ' if several > 1 else ', '}{needed:,} independent ones {'of each ' * (several > 1)}can: "
            "no score calls anything generated"
        )

    def _described(self, basis: Basis) -> Json:
        calibrated = basis.calibrated
        limit = conformal.threshold(np.asarray(calibrated.photographs), self.point.fpr, TAIL, calibrated.worth)
        return {
            "source": basis.source,
            "photographs": limit.photographs,
            "sources": calibrated.sources,
            "worth": calibrated.worth,
            "threshold": limit.score,
            "threshold_interval": list(limit.score_interval),
            "formats": basis.photographs.formats,
            "short_side": list(basis.photographs.short_side),
        }

    def _weighed(self, record: FileRecord) -> FileRecord:
        scored = self._scored(record)
        if not scored:
            return record
        findings = tuple(self._finding(one) if one.method in scored else one for one in record.findings)
        label, why = self._label(record, self.point.fpr)
        if record.verdict:  # its own statement comes first
            label, why = record.verdict.label, None
        llrs = [one.llr for one in findings if one.llr is not None]
        verdict = Verdict(
            label=label,
            basis=record.verdict.basis if record.verdict else "scores",
            p_value=self._together(self._steps(scored)).p_value,
            llr=llrs[0] if len(llrs) == 1 else None,
            reason=why,
        )
        return replace(record, findings=findings, verdict=verdict)

    def _finding(self, finding: Finding) -> Finding:
        assert finding.score is not None
        scale = self._scales[finding.method]
        step = scale.step(finding.score)
        label = _between(scale.low[step], scale.high[step], self.point.fpr)
        return replace(finding, p_value=scale.p_values[step], llr=scale.llr(finding.score), verdict=label)

    def _settled(self, record: FileRecord, q_value: float | None, level: float | None) -> FileRecord:
        if record.verdict is None or record.verdict.p_value is None:
            return record
        verdict = replace(record.verdict, q_value=q_value)
        if level is not None and verdict.basis == "scores":
            label, why = self._label(record, level, mean=True)
            verdict = replace(verdict, label=label, reason=why)
            findings = tuple(self._alone(one, level) for one in record.findings)
            return replace(record, verdict=verdict, findings=findings)
        return replace(record, verdict=verdict)

    def _alone(self, finding: Finding, level: float) -> Finding:
        """With the verdict of this method by itself where the rate of false discoveries draws its line."""
        if finding.score is None or finding.method not in self._scales:
            return finding
        scale = self._scales[finding.method]
        step = scale.step(finding.score)
        return replace(finding, verdict=_between(scale.low[step], scale.p_values[step], level))

    def _scored(self, record: FileRecord) -> dict[str, float]:
        return {one.method: one.score for one in record.findings if one.score is not None and one.method in self._scales}

    def _steps(self, scores: Mapping[str, float]) -> tuple[int | None, ...]:
        """How high each method's score is among its photographs; None where it has none."""
        return tuple(scale.step(scores[name]) if name in scores else None for name, scale in self._scales.items())

    def _label(self, record: FileRecord, level: float, *, mean: bool = False) -> tuple[Label, str | None]:
        """The verdict where a share `level` of photographs may be flagged (on average, if `mean`), and why it is none."""
        scored = self._scored(record)
        for name in scored:
            why = self._outside(name, record)
            if why:
                return "inconclusive", why
        label = self._at(scored, level, mean)
        ranges = {one.method: one.stability for one in record.findings if one.stability and one.method in scored}
        for end in ("low", "high") if ranges else ():
            moved = {name: getattr(ranges.get(name), end, score) for name, score in scored.items()}
            if self._at(moved, level, mean) != label:
                return "inconclusive", "copies of it that were re-encoded or resized are judged otherwise"
        if label == "inconclusive" and not mean and not self._possible:
            return label, "so few photographs that no score can be called generated at this rate"
        if label == "inconclusive":
            fewest = min(
                (self._bases[name].calibrated for name in scored), key=lambda one: len(one.photographs) * one.worth
            )
            photographs = counted(len(fewest.photographs), fewest.sources, fewest.worth)
            return label, f"so near the threshold that {photographs} cannot tell"
        return label, None

    def _outside(self, name: str, record: FileRecord) -> str | None:
        """Why an image is unlike what the method was calibrated with, in words; None if nothing says so."""
        basis = self._bases[name]
        why = basis.photographs.outside(record.width, record.height)
        found = next(one for one in record.findings if one.method == name)
        if why is None and basis.calibrated.stranger(found.unlike):
            return f"{name} takes it for no photograph but a picture made by hand: drawn, painted, plotted, a screenshot"
        return why

    def _at(self, scores: Mapping[str, float], level: float, mean: bool) -> Label:
        found = self._together(self._steps(scores))
        return _between(found.low, found.p_value if mean else found.high, level)

    def _all_together(self, steps: tuple[int | None, ...]) -> "_Together":
        """As one p-value with limits. A method that failed on this image counts as 1: else one that fails where it is
        unsure would loosen the others."""
        scales = list(zip(self._scales.values(), steps, strict=True))
        rows = [[1.0] * 3 if step is None else [scale.p_values[step], *scale.shared[step]] for scale, step in scales]
        return _Together(*map(float, combine(np.array(rows), self.point.rule)))


class _Together(NamedTuple):
    """Of all methods: the p-value, and the limits of the share of photographs that look so generated."""

    p_value: float
    low: float
    high: float


@lru_cache(1 << 16)
def _between(low: float, high: float, level: float) -> Label:
    if at_most(high, level):
        return "generated"
    return "inconclusive" if at_most(low, level) else "unflagged"


class _Scale:
    """The scores of one method's photographs, ready for one score at a time; `several` methods are judged together.

    By step: p-values; limits of the share of photographs that score so high, of this method alone; and `shared` ones that
    hold for all methods at once.
    """

    def __init__(self, calibrated: Calibrated, several: int) -> None:
        scores = np.asarray(calibrated.photographs, float)
        self._places = np.unique(scores).tolist()
        points = np.append(self._places, np.inf)  # what holds at a step holds from the one below it upwards
        self.p_values = conformal.p_values(points, scores).tolist()
        worth = calibrated.worth
        self.low, self.high = (side.tolist() for side in conformal.rates(points, scores, TAIL, worth))
        self.shared = np.transpose(conformal.rates(points, scores, TAIL / several, worth)).tolist()
        self._ratio = Ratios.from_json(calibrated.likelihood) if calibrated.likelihood else None

    @property
    def steps(self) -> int:
        """The step above every photograph."""
        return len(self._places)

    def step(self, score: float) -> int:
        return bisect_left(self._places, score)

    def llr(self, score: float) -> float | None:
        return None if self._ratio is None else float(self._ratio.llr10(np.array([score]))[0])
