"""From `-o` and `-f` to reports: what will be written where, and the writing of all of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from forensic_cli.entries import REPORTS
from forensic_cli.errors import ForensicError, ReportError, UsageError, reason
from forensic_cli.plugins import Plugins
from forensic_cli.records import FileRecord
from forensic_cli.report import Report, Scan
from forensic_cli.text import printable
from forensic_cli.writing import atomic, check_writable


@dataclass(frozen=True)
class Target:
    """One report and where it goes: a file, or standard output (None)."""

    name: str
    report: Report
    path: Path | None

    def write(self, scan: Scan) -> None:
        """Raises ReportError. A reader of a pipe who leaves early is no error."""
        if self.path is None:
            with standard_output() as stream:
                self.report.write(scan, stream)
        else:
            with suppress(BrokenPipeError), atomic(self.path) as stream:
                self.report.write(scan, stream)


@dataclass(frozen=True)
class Live:
    """A report on standard output whose rows are written while the scan still runs."""

    report: Report

    def write(self, records: Iterable[FileRecord]) -> None:
        """Takes records until there are no more, or until the reader of a pipe has left. Raises ReportError."""
        with standard_output() as stream:
            self.report.write_rows(records, stream)


def plan(outputs: Sequence[Path], format: str | None, plugins: Plugins, *, terminal: bool) -> list[Target]:
    """What to write where; `terminal`: whether standard output is one.

    Raises UsageError for formats that do not exist and ReportError for files that cannot be written, so that both are
    known before the work begins.
    """
    if not outputs:
        name = format or ("table" if terminal else "jsonl")
        return [Target(name, plugins.report(name), None)]
    if format:
        raise UsageError("--format is for standard output, and the suffix of -o picks the format there: leave one out")
    real = [os.path.realpath(path) for path in outputs]
    targets = []
    for number, path in enumerate(outputs):
        if real[number] in real[:number]:
            raise UsageError(f"-o {printable(str(path))} is given twice")
        targets.append(_target(path, plugins))
        check_writable(path)
    return targets


def _target(path: Path, plugins: Plugins) -> Target:
    name = path.suffix.removeprefix(".").lower()
    known = plugins.names(REPORTS)
    if name not in known:
        suffixes = ", ".join(f".{one}" for one in known)
        raise UsageError(f"-o {printable(str(path))}: the suffix picks the format, and is one of {suffixes}")
    return Target(name, plugins.report(name), path)


def live(targets: Sequence[Target]) -> Live | None:
    """The one target that can be written row by row, if there is nothing else to write."""
    (first, *others) = targets
    return Live(first.report) if first.path is None and first.report.live and not others else None


def deliver(targets: Sequence[Target], scan: Scan) -> None:
    """Write all reports; one that fails does not keep the others from being written. Then raises ReportError."""
    failures: list[ForensicError] = []
    for target in targets:
        try:
            target.write(scan)
        except ForensicError as error:
            failures.append(error)
        except Exception as error:  # a report is a plugin: what it does wrong is its own failure
            where = "standard output" if target.path is None else printable(str(target.path))
            failures.append(ReportError(f"{where}: the report {target.name!r} failed: {reason(error)}"))
            failures[-1].__cause__ = error
    if failures:
        raise ReportError("; ".join(map(str, failures))) from failures[0]


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Standard output as bytes. Raises ReportError if it cannot take them; ends quietly if its reader has left."""
    stream = sys.stdout.buffer
    try:
        sys.stdout.flush()
        yield stream
        stream.flush()
    except OSError as error:
        with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())  # or Python fails once more when it ends and flushes what is left
        if not isinstance(error, BrokenPipeError):
            raise ReportError(f"standard output: {(error.strerror or str(error)).lower()}") from error
