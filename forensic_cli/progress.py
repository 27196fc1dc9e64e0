"""The one observer that draws: rate, time left and failures on stderr, only where stderr is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from threading import Thread

from forensic_cli.records import Summary
from forensic_cli.text import visible


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


class Bar(Silent):
    """A bar whose total a second thread counts while the scan runs."""

    def __init__(self, count: Callable[[Callable[[int], None]], int | None]) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            TextColumn("[bold]scan"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failures]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, rate="", failures="")
        self._count = count

    def __enter__(self) -> Bar:
        self._bar.start()
        Thread(target=self._total, daemon=True, name="forensic-count").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _total(self) -> None:
        total = self._count(lambda so_far: None)
        if total is not None:
            self._bar.update(self._task, total=total)

    def update(self, summary: Summary) -> None:
        rate = summary.found / summary.seconds if summary.seconds else 0.0
        self._bar.update(
            self._task,
            completed=summary.found,
            rate=f"{rate:.1f} files/s" if rate < 100 else f"{rate:.0f} files/s",
            failures=f"[red]{summary.failed} failed" if summary.failed else "",
        )

    def say(self, line: str) -> None:
        self._bar.console.print(f"forensic: {visible(line)}", markup=False, highlight=False, soft_wrap=True)


def observer(arguments: Sequence[str], count: Callable[..., int | None], quiet: bool) -> Silent:
    """A bar where stderr is a terminal, silence elsewhere."""
    return Bar(lambda tick: count(arguments, tick)) if sys.stderr and sys.stderr.isatty() and not quiet else Silent()
