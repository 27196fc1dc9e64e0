"""The JSON report: the whole scan, one row per line, so that it can be searched and compared line by line."""

from collections.abc import Callable
from typing import BinaryIO

from forensic_cli import Report, Scan, hookimpl
from forensic_cli.report import SCHEMA
from forensic_cli.text import encode


class JsonReport(Report):
    """Everything: the run, the summary and all files."""

    def write(self, scan: Scan, stream: BinaryIO) -> None:
        for name, value in (("schema", SCHEMA), ("run", scan.run.to_json()), ("summary", scan.summary.to_json())):
            stream.write((b"{\n" if name == "schema" else b",\n") + encode(name) + b": " + encode(value, indent=2))
        stream.write(b',\n"files": [')
        before = b"\n"
        for record in scan.records():
            stream.write(before + encode(record.to_json()))
            before = b",\n"
        stream.write(b"\n]\n}\n")


@hookimpl
def register_reports(register: Callable[[str, type[Report]], None]) -> None:
    register("json", JsonReport)
