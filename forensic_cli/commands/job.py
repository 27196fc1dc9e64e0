"""One scan with a person in front of it: progress, interruption, reports, exit status."""

from __future__ import annotations

import shlex
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from forensic_cli import paths
from forensic_cli.commands import outputs
from forensic_cli.commands.interrupts import Interrupts
from forensic_cli.commands.outputs import Target
from forensic_cli.commands.parameters import Shown
from forensic_cli.detector import Session
from forensic_cli.engine import runs
from forensic_cli.engine.examining import Runtime
from forensic_cli.engine.methods import Method
from forensic_cli.engine.scan import Tally, scan
from forensic_cli.engine.spool import Spool
from forensic_cli.errors import ReportError, Stopped, reason
from forensic_cli.progress import Silent, observer
from forensic_cli.records import FileRecord, Summary
from forensic_cli.report import Scan
from forensic_cli.status import Status
from forensic_cli.store import AnyStore
from forensic_cli.text import in_words
from forensic_cli.transforms import Transform

if TYPE_CHECKING:
    from forensic_cli.engine.judging import Judge

_MOST_REASONS = 1000


@dataclass
class Job:
    """One scan with a person in front of it: progress, interruption, reports."""

    paths: list[str]
    methods: list[Method]
    session: Session
    runtime: Runtime
    store: AnyStore
    batch_size: int
    workers: int
    strict: bool
    fail_on_generated: bool
    judge: Judge | None = None
    heatmaps: Path | None = None
    copies: Sequence[Transform] = ()

    def run(self, targets: Sequence[Target]) -> Status:
        """Scan and deliver the reports; what was found so far is delivered in any case."""
        run = runs.begin(self.methods, self.session, shlex.join(["forensic", *sys.argv[1:]]))
        run = replace(run, calibration=self.judge.to_json() if self.judge else None)
        waits = self.judge is not None and self.judge.point.fdr is not None  # for all p-values
        live = None if waits else outputs.live(targets)
        quiet = live is not None and _on_terminal(sys.stdout)  # rows and a bar would overwrite each other
        tally, reasons = Tally(), Reasons()
        trouble: list[str] = []
        cut_short = False

        def complain(words: str) -> None:
            trouble.append(words)
            watcher.say(words)

        with closing(self.store), closing(Spool()) as spool:
            with observer(self.paths, paths.count, quiet) as watcher, Interrupts(watcher.say) as interrupts:
                for method in self.methods:
                    if method.error:
                        complain(method.error)
                    elif method.detector.caution:
                        watcher.say(f"{method.name}: {method.detector.caution}")
                try:
                    live_or_spool = live.write if live else spool.fill
                    live_or_spool(reasons.noted(self._records(watcher, tally, lambda: interrupts.requested)))
                except (Stopped, ReportError) as error:
                    cut_short = True
                    complain(str(error))
            cut_short |= interrupts.requested
            if not live:
                try:
                    done = runs.settled(run, self.methods)
                    if waits:
                        tally.recount(self._settled(spool))
                    records = partial(self._settled, spool)
                    outputs.deliver(targets, Scan(done if cut_short else runs.end(done), tally.summary, records))
                except ReportError as error:
                    complain(str(error))
        if not any(target.name == "table" and target.path is None for target in targets):
            for line in (*_sentences(tally.summary, self.judge), *reasons.lines()):
                watcher.say(line)
        if tally.heatmaps:
            watcher.say(f"{tally.heatmaps:,} heatmap{'s' * (tally.heatmaps != 1)} in {self.heatmaps}")
        if interrupts.requested:
            watcher.say("interrupted before the end; the same command goes on from here")
        return self._status(tally.summary, bool(trouble), interrupts.requested)

    def _status(self, summary: Summary, trouble: bool, interrupted: bool) -> Status:
        if interrupted:
            return Status.INTERRUPTED
        if self.fail_on_generated and summary.generated:
            return Status.GENERATED
        return Status.FAILURES if trouble or summary.failed else Status.DONE

    def _records(self, watcher: Silent, tally: Tally, stop: Callable[[], bool]) -> Iterator[FileRecord]:
        for record in scan(
            paths.find(self.paths, getattr(sys.stdin, "buffer", None)),
            self.methods,
            self.session,
            self.store,
            replace(self.runtime, trace=_Traces().show if Shown.traceback else self.runtime.trace),
            batch_size=self.batch_size,
            workers=self.workers,
            strict=self.strict,
            heatmaps=self.heatmaps,
            copies=self.copies,
            warn=watcher.say,
            stop=stop,
        ):
            judged = self.judge.judged(record) if self.judge else record
            tally.count(judged)
            watcher.update(tally.summary)
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
