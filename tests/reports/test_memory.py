"""No report holds all rows at once: ten times the rows take no more memory."""

import gc
import io
import tracemalloc

import pytest
from scans import CAPTURED, SHA, run, scored, stating

from forensic_cli import report_files
from forensic_cli.records import FileRecord, Summary
from forensic_cli.report import Scan
from forensic_cli.report_files import read_report
from forensic_reports import parquet
from forensic_reports.csv import CsvReport
from forensic_reports.json import JsonReport
from forensic_reports.jsonl import JsonlReport
from forensic_reports.parquet import ParquetReport
from forensic_reports.table import TableReport


class Nowhere(io.RawIOBase):
    def writable(self):
        return True

    def write(self, data):
        return len(data)


def many(number: int) -> Scan:
    def records():
        for i in range(number):
            findings = (stating(CAPTURED), scored("rigid", i % 997 / 997), scored("wepe", i % 991 / 991))
            status = ("ok", "ok", "ok", "failed", "skipped")[i % 5]
            yield FileRecord(f"folder/{i:08}.jpg", status, f"reason {i}", SHA, i, "JPEG", 640, 480, None, findings)

    return Scan(run("provenance", "rigid", "wepe"), Summary(), records)


def peak(work) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("report", [JsonReport, JsonlReport, CsvReport, TableReport, ParquetReport])
def test_writing(report, monkeypatch):
    monkeypatch.setattr(parquet, "_ROWS", 100)
    report().write(many(10), Nowhere())  # imports and caches
    small, large = (peak(lambda number=number: report().write(many(number), Nowhere())) for number in (300, 3000))
    assert large < 1.2 * small + 50_000  # the rows alone would be millions


@pytest.mark.parametrize(("report", "name"), [(JsonReport, "scan.json"), (JsonlReport, "rows.jsonl")])
def test_reading(tmp_path, report, name, monkeypatch):
    monkeypatch.setattr(report_files, "_PIECE", 10_000)
    path, peaks = tmp_path / name, []
    for number in (10, 300, 3000):
        with path.open("wb") as stream:
            report().write(many(number), stream)
        peaks.append(peak(lambda: sum(1 for _ in read_report(path).records())))
    assert path.stat().st_size > 2_000_000
    assert peaks[2] < 1.2 * peaks[1] + 50_000
