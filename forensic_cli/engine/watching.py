"""Who is told how a pass over images goes, and asked between batches whether it goes on."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import get_args

from forensic_cli.records import FileRecord, Label, Summary

_NAMED = 3  # files that are named among those left out


class Watch:
    """Counts what has passed since it was made. This one tells nobody, and is never interrupted."""

    def __init__(self) -> None:
        self.summary = Summary()
        self.heatmaps = 0
        self.interrupted = False
        self._started = perf_counter()

    def say(self, line: str) -> None:
        """A line for a person."""

    def tell_left_out(self, left_out: Sequence[tuple[str, str]], where: str = "") -> None:
        """The first few (path, reason), and how many more there are; `where` the rest can be read."""
        for path, why in left_out[:_NAMED]:
            self.say(f"left out: {path}: {why}")
        if len(left_out) > _NAMED:
            self.say(f"left out: {len(left_out) - _NAMED:,} more{where}")

    def count(self, **kinds: int) -> None:
        """One more file is done; `kinds` are fields of `Summary`, 1 for each that it counts as."""
        added = {kind: getattr(self.summary, kind) + more for kind, more in kinds.items()}
        seconds = round(perf_counter() - self._started, 3)
        self.summary = replace(self.summary, found=self.summary.found + 1, seconds=seconds, **added)

    def take(self, record: FileRecord) -> None:
        """One more file is done, with this record."""
        self.heatmaps += sum(finding.heatmap is not None for finding in record.findings)
        self.count(
            **({record.verdict.label: 1} if record.verdict else {}),
            scanned=record.status == "ok",
            skipped=record.status == "skipped",
            failed=bool(record.failures),
            from_store=record.from_store,
        )

    def recount(self, records: Iterable[FileRecord]) -> None:
        """Take the verdicts from `records`, which are known only now that all files have been seen."""
        labels = Counter(record.verdict.label for record in records if record.verdict)
        self.summary = replace(self.summary, **{name: labels[name] for name in get_args(Label)})
