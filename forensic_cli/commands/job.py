"""One scan with a person in front of it: progress, interruption, reports, exit status."""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from forensic_cli import paths
from forensic_cli.commands import outputs
from forensic_cli.commands.outputs import Target
from forensic_cli.commands.parameters import Shown
from forensic_cli.engine import runs
from forensic_cli.engine.scan import scan
from forensic_cli.engine.spool import Spool
from forensic_cli.errors import ReportError, Stopped, reason
from forensic_cli.progress import Watcher, command_line
from forensic_cli.records import FileRecord, Summary
from forensic_cli.report import Scan
from forensic_cli.status import Status
from forensic_cli.text import in_words

if TYPE_CHECKING:
    from forensic_cli.engine.judging import Judge
    from forensic_cli.engine.work import Ready

_MOST_REASONS = 1000


@dataclass
class Job:
    """One scan with a person in front of it: progress, interruption, reports."""

    paths: list[str]
    ready: Ready
    judge: Judge | None
    heatmaps: Path | None
    strict: bool
    fail_on_generated: bool

    def run(self, targets: Sequence[Target]) -> Status:
        """Scan and deliver the reports; what was found so far is delivered in any case."""
        ready = self.ready
        run = replace(runs.begin(ready, command_line()), calibration=self.judge.to_json() if self.judge else None)
        waits = self.judge is not None and self.judge.point.fdr is not None  # for all p-values
        live = None if waits else outputs.live(targets)
        quiet = live is not None and _on_terminal(sys.stdout)  # rows and a bar would overwrite each other
        watch, reasons = Watcher(lambda: paths.count(self.paths), quiet=quiet), Reasons()
        trouble: list[str] = []
        cut_short = False

        def complain(words: str) -> None:
            trouble.append(words)
            watch.say(words)

        with closing(ready.store), closing(Spool()) as spool:
            with watch:
                for method in ready.methods:
                    if method.error:
                        complain(method.error)
                    elif method.detector.caution:
                        watch.say(f"{method.name}: {method.detector.caution}")
                try:
                    live_or_spool = live.write if live else spool.fill
                    live_or_spool(reasons.noted(self._records(watch)))
                except (Stopped, ReportError) as error:
                    cut_short = True
                    complain(str(error))
            cut_short |= watch.interrupted
            if not live:
                try:
                    done = runs.settled(run, ready.methods)
                    if waits:
                        watch.recount(self._settled(spool))
                    records = partial(self._settled, spool)
                    outputs.deliver(targets, Scan(done if cut_short else runs.end(done), watch.summary, records))
                except ReportError as error:
                    complain(str(error))
        if not any(target.name == "table" and target.path is None for target in targets):
            for line in (*_sentences(watch.summary, self.judge), *reasons.lines()):
                watch.say(line)
        if watch.heatmaps:
            watch.say(f"{watch.heatmaps:,} heatmap{'s' * (watch.heatmaps != 1)} in {self.heatmaps}")
        if watch.interrupted:
            watch.say("interrupted before the end; the same command goes on from here")
        return self._status(watch, bool(trouble))

    def _status(self, watch: Watcher, trouble: bool) -> Status:
        if watch.interrupted:
            return Status.INTERRUPTED
        if self.fail_on_generated and watch.summary.generated:
            return Status.GENERATED
        return Status.FAILURES if trouble or watch.summary.failed else Status.DONE

    def _records(self, watch: Watcher) -> Iterator[FileRecord]:
        runtime = self.ready.runtime
        ready = replace(self.ready, runtime=replace(runtime, trace=_Traces().show if Shown.traceback else runtime.trace))
        found = paths.find(self.paths, getattr(sys.stdin, "buffer", None))
        for record in scan(found, ready, watch, strict=self.strict, heatmaps=self.heatmaps):
            judged = self.judge.judged(record) if self.judge else record
            watch.take(judged)
            yield judged

    def _settled(self, spool: Spool) -> Iterable[FileRecord]:
        return self.judge.settled(spool.records()) if self.judge else spool.records()


def _on_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


class Reasons:
    """What went wrong, counted, for those who do not get a table."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def noted(self, records: Iterable[FileRecord]) -> Iterator[FileRecord]:
        for record in records:
            for words in record.failures:
                if words in self._counts or len(self._counts) < _MOST_REASONS:
                    self._counts[words] += 1
            yield record

    def lines(self) -> list[str]:
        """The three most frequent reasons."""
        return [f"  {_files(number)}: {words}" for words, number in self._counts.most_common(3)]


class _Traces:
    """Shows the traceback behind each different failure of a method once (--debug)."""

    def __init__(self) -> None:
        self._shown: set[str] = set()

    def show(self, error: BaseException) -> None:
        if reason(error) not in self._shown and len(self._shown) < _MOST_REASONS:
            self._shown.add(reason(error))
            traceback.print_exception(error)


def _files(number: int) -> str:
    return f"{number:,} file{'s' * (number != 1)}"


def _sentences(summary: Summary, judge: Judge | None) -> Iterator[str]:
    """The run in a line, for those who do not get a table, and what its verdicts miss."""
    yield _sentence(summary, judge)
    told = judge and summary.generated + summary.inconclusive + summary.unflagged
    recall = judge.recall() if judge and told and judge.point.fdr is None and not judge.lacking() else None
    if judge and recall is not None:
        yield (
            f"by scores at most {in_words(judge.point.fpr)} photographs are called generated; of generated images never "
            f"seen before {in_words(recall)} are; unflagged is not authentic"
        )


def _sentence(summary: Summary, judge: Judge | None) -> str:
    generated = "generated" if judge else "generated by their own statement"
    parts = [f"{summary.scanned:,} scanned", f"{summary.skipped:,} skipped" if summary.skipped else ""]
    parts += [f"{summary.failed:,} failed or with a failed method" if summary.failed else ""]
    parts += [f"{summary.from_store:,} from the store" if summary.from_store else ""]
    parts += [f"{summary.generated:,} {generated}" if summary.generated else ""]
    parts += [f"{summary.inconclusive:,} inconclusive" if summary.inconclusive else ""]
    parts += [f"{summary.unflagged:,} unflagged" if summary.unflagged else ""]
    return f"{_files(summary.found)} in {summary.seconds:.1f} s: " + ", ".join(part for part in parts if part)
