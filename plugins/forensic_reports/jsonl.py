"""The rows of the JSON report alone, one per line: to be read while the scan still runs."""

from collections.abc import Callable, Iterable
from typing import BinaryIO

from forensic_cli import Report, Scan, hookimpl
from forensic_cli.records import FileRecord
from forensic_cli.text import encode


class JsonlReport(Report):
    """One JSON object per line and file, nothing else."""

    live = True

    def write(self, scan: Scan, stream: BinaryIO) -> None:
        for record in scan.records():
            stream.write(encode(record.to_json()) + b"\n")

    def write_rows(self, records: Iterable[FileRecord], stream: BinaryIO) -> None:
        for record in records:
            stream.write(encode(record.to_json()) + b"\n")
            stream.flush()  # whoever reads along waits for this row, not for a full buffer


@hookimpl
def register_reports(register: Callable[[str, type[Report]], None]) -> None:
    register("jsonl", JsonlReport)
