"""What the author of a report format imports: a scan to read from, and the one method to write."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

from forensic_cli.records import FileRecord, Run, Summary

SCHEMA = "forensic/scan/1"


@dataclass(frozen=True)
class Scan:
    """A finished scan. `records()` starts from the first row at every call; the rows need not fit into memory."""

    run: Run
    summary: Summary
    records: Callable[[], Iterable[FileRecord]]


class Report(ABC):
    """One format. Its registered name is what `--format` takes and the suffix that `--output` looks at."""

    live: ClassVar[bool] = False
    """True if rows may be written while the scan still runs: `write_rows` is then used for standard output."""

    @abstractmethod
    def write(self, scan: Scan, stream: BinaryIO) -> None:
        """Write the whole report to `stream`; the host makes the file appear at once or not at all."""

    def write_rows(self, records: Iterable[FileRecord], stream: BinaryIO) -> None:
        """Write each row as it comes. Only for formats with `live = True`."""
        raise TypeError(f"{type(self).__name__} does not write rows live")
