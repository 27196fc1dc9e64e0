"""What a person sees and does while a command runs: a bar on stderr, lines, and Ctrl-C."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Self

from forensic_cli.engine.watching import Watch
from forensic_cli.records import Summary
from forensic_cli.text import visible

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SELDOM = 20.0  # seconds between two lines about a training
_HUNCH = 5.0  # seconds before a guess at the time left is worth showing


def say(line: str) -> None:
    """A line for a person."""
    with suppress(OSError):  # nobody may be there to hear it
        print(f"forensic: {visible(line)}", file=sys.stderr)  # noqa: T201  words for people


def command_line() -> str:
    """What was typed, for records."""
    return shlex.join(["forensic", *sys.argv[1:]])


class Voice(Watch):
    """Speaks to the person in front of a run: above a bar on stderr while there is one, else line by line."""

    _bar: Progress | None = None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, line: str) -> None:
        if self._bar:
            self._bar.console.print(f"forensic: {visible(line)}", markup=False, highlight=False, soft_wrap=True)
        else:
            say(line)


class Watcher(Voice):
    """A pass over images with a person in front of it.

    While it is entered it shows a bar where stderr is a terminal, unless `quiet`, whose total a second thread counts, and
    is `interrupted` by the first Ctrl-C or SIGTERM: the batch in hand is finished. The second ends it at once.
    """

    def __init__(self, count: Callable[[], int | None], *, quiet: bool = False) -> None:
        super().__init__()
        self._total = count
        self._known: int | None = None
        if sys.stderr and sys.stderr.isatty() and not quiet:
            from rich.progress import MofNCompleteColumn, TextColumn

            words = TextColumn("{task.fields[pace]}"), TextColumn("{task.fields[failures]}")
            self._bar = _bar("scan", MofNCompleteColumn(), *words)
            self._task = self._bar.add_task("", total=None, pace="starting", failures="")

    def __enter__(self) -> Self:
        super().__enter__()
        self._before = [signal.signal(one, self._first) for one in _SIGNALS]
        if self._bar:
            Thread(target=self._counted, args=(self._bar,), daemon=True, name="forensic-count").start()
        return self

    def __exit__(self, *_: object) -> None:
        for one, handler in zip(_SIGNALS, self._before, strict=True):
            signal.signal(one, handler)
        super().__exit__()

    def count(self, **kinds: int) -> None:
        super().count(**kinds)
        if self._bar:
            self._bar.update(
                self._task,
                completed=self.summary.found,
                pace=pace(self.summary, self._known),
                failures=f"[red]{self.summary.failed:,} failed" if self.summary.failed else "",
            )

    def _counted(self, bar: Progress) -> None:
        self._known = self._total()
        if self._known is not None:
            bar.update(self._task, total=self._known)

    def _first(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True
        for one in _SIGNALS:
            signal.signal(one, signal.default_int_handler)
        self.say("finishing the batch in hand and writing the reports; once more stops at once")


def _bar(title: str, *columns: ProgressColumn) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(TextColumn(title), BarColumn(bar_width=20), *columns, console=Console(stderr=True), transient=True)


class TrainingVoice(Voice):
    """A training, step by step; without a terminal a line every so often."""

    def __init__(self) -> None:
        super().__init__()
        self._told = 0.0

    def step(self, done: int, total: int, loss: float | None, waiting: float, problems: Sequence[str] = ()) -> None:
        """`waiting` is the share of the time that the network waited for images. Without a loss the steps are images."""
        for problem in problems:
            self.say(f"left out: {problem}")
        if monotonic() - self._told >= _SELDOM or done == total:
            self._told = monotonic()
            loss_words = f", loss {loss:.3f}, {waiting:.1%} of the time waiting for images" if loss is not None else ""
            self.say(f"{'image' if loss is None else 'step'} {done:,} of {total:,}{loss_words}")


class TrainingBar(TrainingVoice):
    """The same as a bar."""

    def __init__(self) -> None:
        super().__init__()
        from rich.progress import MofNCompleteColumn, TextColumn, TimeRemainingColumn

        self._steps = self._bar = _bar(
            "train", MofNCompleteColumn(), TextColumn("{task.fields[loss]}"), TimeRemainingColumn()
        )
        self._task = self._steps.add_task("", total=None, loss="starting")

    def step(self, done: int, total: int, loss: float | None, waiting: float, problems: Sequence[str] = ()) -> None:
        for problem in problems:
            self.say(f"left out: {problem}")
        self._steps.update(
            self._task,
            completed=done,
            total=total,
            loss="images" if loss is None else f"loss {loss:.3f}, waiting {waiting:.0%}",
        )


class Hushed(TrainingVoice):
    """One of several processes that train together, whose first speaks for all."""

    def step(self, done: int, total: int, loss: float | None, waiting: float, problems: Sequence[str] = ()) -> None:
        pass

    def say(self, line: str) -> None:
        pass


def main_process() -> bool:
    """Whether this is the first of the processes that train together, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def steps_observer() -> TrainingVoice:
    """A bar where stderr is a terminal, lines elsewhere."""
    if not main_process():
        return Hushed()
    return TrainingBar() if sys.stderr and sys.stderr.isatty() else TrainingVoice()


def pace(summary: Summary, total: int | None) -> str:
    """Rate and time left in words, from the files that took work; nothing is promised in the first seconds."""
    worked = summary.found - summary.from_store - summary.skipped
    if not worked or not summary.seconds:
        return ""
    rate = worked / summary.seconds
    words = f"{rate:.{1 if rate < 100 else 0}f} files/s"
    if total is None or summary.seconds < _HUNCH:
        return words
    left = max(0, total - summary.found) / rate
    unit = f"{left:.0f} s" if left < 90 else f"{left / 60:.0f} min" if left < 5400 else f"{left / 3600:.1f} h"
    return f"{words}, about {unit} left"
