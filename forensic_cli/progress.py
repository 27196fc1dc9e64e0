"""The one observer that draws: rate, time left and failures on stderr, only where stderr is a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Self

from forensic_cli.records import Summary
from forensic_cli.text import visible

if TYPE_CHECKING:
    from rich.progress import Progress

_NAMED = 3  # files that are named among those left out
_SELDOM = 20.0  # seconds between two lines about a training
_HUNCH = 5.0  # seconds before a guess at the time left is worth showing


class Silent(AbstractContextManager["Silent"]):
    """Nobody is watching."""

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, summary: Summary) -> None:
        pass

    def say(self, line: str) -> None:
        """A line for a person."""
        with suppress(OSError):  # nobody may be there to hear it
            print(f"forensic: {visible(line)}", file=sys.stderr)  # noqa: T201  words for people


def tell_left_out(watcher: Silent, left_out: Sequence[tuple[str, str]], where: str = "") -> None:
    """The first few (path, reason), and how many more there are; `where` the rest can be read."""
    for path, why in left_out[:_NAMED]:
        watcher.say(f"left out: {path}: {why}")
    if len(left_out) > _NAMED:
        watcher.say(f"left out: {len(left_out) - _NAMED:,} more{where}")


class _Drawn(Silent):
    """Has a bar on stderr, above which it says its lines."""

    _bar: Progress

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        self._bar.console.print(f"forensic: {visible(line)}", markup=False, highlight=False, soft_wrap=True)


class Bar(_Drawn):
    """A bar whose total a second thread counts while the scan runs."""

    def __init__(self, count: Callable[[], int | None]) -> None:
        self._known: int | None = None
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn("scan"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            TextColumn("{task.fields[failures]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, pace="starting", failures="")
        self._count = count

    def __enter__(self) -> Self:
        super().__enter__()
        Thread(target=self._total, daemon=True, name="forensic-count").start()
        return self

    def _total(self) -> None:
        self._known = self._count()
        if self._known is not None:
            self._bar.update(self._task, total=self._known)

    def update(self, summary: Summary) -> None:
        self._bar.update(
            self._task,
            completed=summary.found,
            pace=pace(summary, self._known),
            failures=f"[red]{summary.failed:,} failed" if summary.failed else "",
        )


class Steps(Silent):
    """A training, step by step; without a terminal a line every so often."""

    def __init__(self) -> None:
        self._told = 0.0

    def step(self, done: int, total: int, loss: float | None, waiting: float, problems: Sequence[str] = ()) -> None:
        """`waiting` is the share of the time that the network waited for images. Without a loss the steps are images."""
        for problem in problems:
            self.say(f"left out: {problem}")
        if monotonic() - self._told >= _SELDOM or done == total:
            self._told = monotonic()
            loss_words = f", loss {loss:.3f}, {waiting:.1%} of the time waiting for images" if loss is not None else ""
            self.say(f"{'image' if loss is None else 'step'} {done:,} of {total:,}{loss_words}")


class StepsBar(_Drawn, Steps):
    """The same as a bar."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("train"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, loss="starting")

    def step(self, done: int, total: int, loss: float | None, waiting: float, problems: Sequence[str] = ()) -> None:
        for problem in problems:
            self.say(f"left out: {problem}")
        self._bar.update(
            self._task,
            completed=done,
            total=total,
            loss="images" if loss is None else f"loss {loss:.3f}, waiting {waiting:.0%}",
        )


class Hushed(Steps):
    """One of several processes that train together, whose first speaks for all."""

    def step(self, done: int, total: int, loss: float | None, waiting: float, problems: Sequence[str] = ()) -> None:
        pass

    def say(self, line: str) -> None:
        pass


def main_process() -> bool:
    """Whether this is the first of the processes that train together, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def steps_observer() -> Steps:
    """A bar where stderr is a terminal, lines elsewhere."""
    if not main_process():
        return Hushed()
    return StepsBar() if sys.stderr and sys.stderr.isatty() else Steps()


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


def observer(arguments: Sequence[str], count: Callable[..., int | None], quiet: bool) -> Silent:
    """A bar where stderr is a terminal, silence elsewhere."""
    return Bar(lambda: count(arguments)) if sys.stderr and sys.stderr.isatty() and not quiet else Silent()
