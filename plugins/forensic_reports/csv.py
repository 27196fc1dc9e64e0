"""The rows as a plain table for spreadsheets and databases: one line per file, the findings side by side (RFC 4180)."""

import codecs
import csv
import math
from collections.abc import Callable, Iterable
from typing import BinaryIO

from forensic_cli import Finding, Report, Scan, hookimpl
from forensic_cli.errors import ReportError
from forensic_cli.records import FileRecord
from forensic_cli.text import visible

Cell = str | int | float | None

_FILE = ("path", "sha256", "bytes", "format", "width", "height", "status", "reason")
_VERDICT = ("label", "basis", "p_value", "q_value", "llr", "reason")
_METHOD = (
    "score",
    "p_value",
    "llr",
    "verdict",
    "claims",
    "heatmap",
    "seconds",
    "error",
    "lowest",
    "highest",
    "standard_error",
    "unlike",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that starts so is run by a spreadsheet


class CsvReport(Report):
    """One line per file; each method has its own columns. UTF-8 without a byte order mark."""

    def write(self, scan: Scan, stream: BinaryIO) -> None:
        methods = [method.name for method in scan.run.methods]
        writer = csv.writer(codecs.getwriter("utf-8")(stream))
        header = [*_FILE, "verdict_label", "verdict_basis", "p_value", "q_value", "llr", "verdict_reason"]
        writer.writerow([_cell(name) for name in header + [f"{name}_{part}" for name in methods for part in _METHOD]])
        for record in scan.records():
            writer.writerow([_cell(value) for value in _values(record, methods)])


def _values(record: FileRecord, methods: Iterable[str]) -> Iterable[Cell]:
    yield from (getattr(record, name) for name in _FILE)
    yield from (getattr(record.verdict, name, None) for name in _VERDICT)
    findings = {finding.method: finding for finding in record.findings}
    for method in methods:
        finding = findings.pop(method, None) or Finding(method)
        claims = " | ".join(f"{claim.kind}/{claim.trust}: {claim.statement}" for claim in finding.claims)
        ends = {"lowest": getattr(finding.stability, "low", None), "highest": getattr(finding.stability, "high", None)}
        made = {"claims": claims, **ends}
        yield from (made[part] if part in made else getattr(finding, part) for part in _METHOD)
    if findings:
        stranger = visible(", ".join(findings))
        raise ReportError(f"{visible(record.path)}: has a finding by {stranger}, which the run does not list")


def _cell(value: Cell) -> Cell:
    """Text that cannot be mistaken for a formula and hides nothing; an absent number is empty."""
    if isinstance(value, str):
        return ("'" if value.startswith(_FORMULA) else "") + visible(value, keep="\n\t")
    return None if isinstance(value, float) and not math.isfinite(value) else value


@hookimpl
def register_reports(register: Callable[[str, type[Report]], None]) -> None:
    register("csv", CsvReport)
