"""What the table says of the scan as a whole: the headline, what went wrong, and how not to misread it."""

from collections import Counter
from collections.abc import Iterator

from forensic_cli import Scan
from forensic_cli.records import FileRecord, Json
from forensic_cli.text import in_words
from forensic_reports.table.facts import (
    ORIGIN,
    claims_of,
    finding_of,
    is_generated,
    is_shown,
    safe,
    score_of,
    word_of,
)

_FAILURES, _REASONS = 10, 5  # lines at most
_TOLD_APART = 1000  # reasons; memory stays small though every file may have its own
_OTHER = "other reasons"
_MEANINGS = {
    "signed": "the signature holds, but the signer is on no trust list that was given.",
    "declared": "anybody can write or remove such a statement.",
    "invalid": "it was signed, but signature or content no longer match.",
}


class Overview:
    """One pass over all rows, kept as numbers.

    `columns`: the methods with scores or errors; `ranked`: those whose scores can only be ranked; `shown`: how many
    files have a line of their own, if there is room.
    """

    def __init__(self, scan: Scan) -> None:
        self.shown = 0
        self._from_store = scan.summary.from_store
        self._calibration = scan.run.calibration
        self._cut_short = bool(scan.run.started) and scan.run.finished is None
        self._unreadable = self._asked = self._stated = self._silent = 0
        self._words: Counter[str] = Counter()
        self._by_scores: Counter[str] = Counter()
        self._scored: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._calibrated: set[str] = set()
        self._trusts: set[str] = set()
        self._first_error: dict[str, str] = {}
        self._failed: list[str] = []
        for record in scan.records():
            self._count(record)
        names = [method.name for method in scan.run.methods]
        self.columns = [name for name in names if self._scored[name] or self._errors[name]]
        self.ranked = [name for name in names if self._scored[name] > 1 and name not in self._calibrated]
        self._leading = next((name for name in names if self._scored[name]), "")

    def _count(self, record: FileRecord) -> None:
        why = safe(record.reason or "no reason given")
        if record.status == "skipped":
            known = why in self._skipped or len(self._skipped) < _TOLD_APART
            self._skipped[why if known else _OTHER] += 1
        elif is_shown(record):
            self._count_shown(record)
        else:
            self._unreadable += 1
            if len(self._failed) < _FAILURES:
                self._failed.append(f"{safe(record.path)}: {why}")
        for finding in record.findings:
            self._scored[finding.method] += score_of(finding) is not None
            if finding.p_value is not None:
                self._calibrated.add(finding.method)
            if finding.error is not None:
                self._errors[finding.method] += 1
                self._first_error.setdefault(finding.method, finding.error)

    def _count_shown(self, record: FileRecord) -> None:
        self.shown += 1
        self._words[word_of(record)] += 1
        claims = claims_of(record)
        asked = bool(claims) or any(finding.score is None and not finding.error for finding in record.findings)
        self._asked += asked
        self._stated += any(claim.kind == "generated" and claim.trust != "invalid" for claim in claims)
        self._silent += asked and not any(claim.kind in ORIGIN for claim in claims)
        self._trusts |= {claim.trust for claim in claims if claim.kind in ORIGIN}
        if record.verdict and record.verdict.basis != "provenance":
            self._by_scores[record.verdict.label] += 1

    def order(self, record: FileRecord) -> tuple[int, bool, float, bool]:
        """Larger is shown earlier: what is said or found to be generated, whole or in part, then by the first scores."""
        score = score_of(finding_of(record, self._leading))
        kinds = {claim.kind for claim in claims_of(record)}
        generated = 2 * is_generated(record) or int("edited" in kinds)
        return generated, score is not None, score or 0.0, not kinds.isdisjoint(ORIGIN)

    def headline(self) -> str:
        if self.shown:
            start = f"Looked at {_images(self.shown)}" + (f": {self._statements()}" if self._asked else "")
        else:
            start = "No image could be read" if self._unreadable else "No image was found"
        sentences = ["Cut short, files are missing"] * self._cut_short + [start]
        if self._by_scores:
            labels = [label for label in ("generated", "inconclusive", "unflagged") if self._by_scores[label]]
            sentences.append(
                "By calibrated scores: " + ", ".join(f"{self._by_scores[label]:,} {label}" for label in labels)
            )
        rest = {
            "unreadable": self._unreadable,
            "skipped": self._skipped.total(),
            "known from an earlier run": self._from_store,
        }
        if any(rest.values()):
            sentences.append(", ".join(f"{number:,} {what}" for what, number in rest.items() if number))
        return ". ".join(sentences) + "."

    def warning(self) -> str | None:
        """Both rates in a line, where verdicts rest on scores: how many photographs are flagged, how many others missed."""
        return odds(self._calibration) if self._calibration and self._calibrated and self._by_scores else None

    def _statements(self) -> str:
        if self.shown == 1:
            word = "a" if self._stated else "no valid" if "invalid" in self._trusts else "no"
            return f"it carries {word} statement that it is generated"
        if self._stated < 2:
            return f"{'one' if self._stated else 'none'} carries a statement that it is generated"
        return f"{self._stated:,} carry a statement that they are generated"

    def lists(self) -> Iterator[tuple[str, list[str]]]:
        """A title and its lines for whatever went wrong or was left out."""
        failing = [name for name, number in self._errors.items() if number]
        if failing:
            lines = (f"{safe(name)} on {_images(self._errors[name])}: " + safe(self._first_error[name]) for name in failing)
            yield "Methods that failed", list(lines)
        if self._failed:
            yield "Files that could not be read", self._failed + _more(self._unreadable - len(self._failed))
        if self._skipped:
            top = self._skipped.most_common(_REASONS)
            hidden = self._skipped.total() - sum(number for _, number in top)
            yield "Skipped", [f"{why}: {number:,}" for why, number in top] + _more(hidden)

    def notes(self) -> Iterator[str]:
        """How not to misread the table, in sentences that apply to this one."""
        if any(self._scored[name] and name not in self._calibrated for name in self.columns):
            rank = ", #1 is the highest here" if self.ranked else ""
            yield (
                f"A higher score means more likely generated{rank}. Without calibration a score only ranks and is no "
                "verdict: compare it with the scores of photographs of the same kind."
            )
        if self._calibration and self._calibrated:
            yield from rates(self._calibration)
            yield (
                "A score is the method's own number, higher for more likely generated. Its p is the share of the "
                "calibration photographs that score as high, the image itself counted in: the smaller, the rarer."
            )
        told = self._calibration and self._calibrated and odds(self._calibration)
        words = [f"“{word}”" for word in ("unflagged", "no verdict") if self._words[word] and not told]
        if words:
            yield f"{' and '.join(words)} {'do' if len(words) > 1 else 'does'} not mean authentic."
        yield from (f"“{trust}”: {meaning}" for trust, meaning in _MEANINGS.items() if trust in self._trusts)
        if self._silent:
            yield f"Missing credentials mean unknown: {self._silence()}, and anybody can remove a statement."

    def _silence(self) -> str:
        if self.shown == 1:
            return "this file says nothing of its origin"
        if self._silent == self.shown:
            return f"none of the {self.shown:,} files says anything of its origin"
        say, their = ("says", "its") if self._silent == 1 else ("say", "their")
        return f"{self._silent:,} of {self.shown:,} files {say} nothing of {their} origin"


def odds(calibration: Json) -> str | None:
    """How often verdicts by scores are right and wrong, in a tired person's words; None where no rate is told."""
    try:
        recall, rate, possible = calibration["recall"], calibration["fpr"], calibration["possible"]
        if recall is None or not possible:
            return None
        return (
            f"By scores at most {in_words(rate)} photographs are called “generated”; of generated images never seen before "
            f"{in_words(recall)} are. “unflagged” does not mean authentic."
        )
    except (KeyError, TypeError, ValueError):  # a report by somebody else, or of an earlier version
        return None


def rates(calibration: Json) -> list[str]:
    """How often the verdicts are wrong, on which photographs that was measured, and what would be better."""
    try:
        methods = calibration["methods"].values()
        whose = " and ".join(f"the {one['photographs']:,} photographs of {safe(one['source'])}" for one in methods)
        if not calibration.get("possible", True):
            lines = [
                f"{whose[0].upper()}{whose[1:]} are too few for the rate asked for: no score calls anything generated."
            ]
        elif calibration["fdr"] is None:
            rate = f"{100 * calibration['fpr']:g} %"
            lines = [f"By scores at most {rate} of photographs like {whose} are called “generated” (95 % confidence)."]
        else:
            rate = f"{100 * calibration['fdr']:g} %"
            lines = [
                f"Of those called “generated” by scores at most {rate} should be photographs, if yours are like {whose}."
            ]
        if any(one["source"].endswith("'s own") for one in methods):
            lines.append("For a rate that holds for photographs like yours: forensic calibrate PHOTOS -o profile.json.")
    except (KeyError, TypeError, ValueError, AttributeError):  # a report by somebody else
        return []
    return lines


def _images(number: int) -> str:
    return "1 image" if number == 1 else f"{number:,} images"


def _more(hidden: int) -> list[str]:
    return [f"… and {hidden:,} more"] if hidden else []
