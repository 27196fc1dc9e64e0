import io
import json
import os
import subprocess
import sys

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from scans import everything, ok, scan, scored, stating

from forensic_cli.records import Claim
from forensic_reports.json import JsonReport
from forensic_reports.parquet import ParquetReport


def written(report, scan) -> bytes:
    stream = io.BytesIO()
    report.write(scan, stream)
    return stream.getvalue()


def test_rows_run_and_summary_are_those_of_the_json_report():
    expected = json.loads(written(JsonReport(), everything()))
    table = pq.read_table(io.BytesIO(written(ParquetReport(), everything())))
    assert table.to_pylist() == expected["files"]
    about = {key.decode(): json.loads(value) for key, value in table.schema.metadata.items()}
    assert about == {f"forensic.{name}": expected[name] for name in ("schema", "run", "summary")}


def test_no_rows():
    table = pq.read_table(io.BytesIO(written(ParquetReport(), scan([]))))
    assert (table.num_rows, table.column_names[0]) == (0, "path")


def test_rows_come_in_groups():
    report = scan(ok(f"{number}.jpg", scored("rigid", number / 7)) for number in range(4500))
    file = pq.ParquetFile(io.BytesIO(written(ParquetReport(), report)))
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [2000, 2000, 500]
    assert file.read().column("path").to_pylist() == [f"{number}.jpg" for number in range(4500)]


def test_a_pipe_that_cannot_seek_will_do(tmp_path):
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb") as stream:
        ParquetReport().write(everything(), stream)
        stream.close()
        assert pq.read_table(io.BytesIO(source.read())).num_rows == 5


def test_pyarrow_is_not_imported_until_something_is_written():
    code = "import sys, forensic_reports.parquet as p; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.text(st.characters(codec="utf-8"), max_size=30))
@settings(max_examples=50, deadline=None)
def test_any_text_comes_back(path, statement):
    report = scan([ok(path, stating(Claim("generated", statement, "x", "signed")))], "provenance")
    (row,) = pq.read_table(io.BytesIO(written(ParquetReport(), report))).to_pylist()
    assert row["path"] == path
    assert row["findings"][0]["claims"][0]["statement"] == statement
