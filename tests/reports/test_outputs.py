import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from scans import everything, ok, scan

from forensic_cli.commands import outputs
from forensic_cli.errors import ReportError, UsageError
from forensic_cli.plugins import Plugins
from forensic_cli.report import Report
from forensic_cli.report_files import read_report
from forensic_reports.json import JsonReport
from forensic_reports.jsonl import JsonlReport


class Broken(Report):
    """A stranger's report with a bug."""

    def write(self, scan, stream):
        stream.write(b"half")
        raise KeyError("heatmap")


def plan(*paths, format=None, terminal=False):
    return outputs.plan(list(paths), format, Plugins(), terminal=terminal)


@pytest.mark.parametrize(
    ("format", "terminal", "name"),
    [(None, True, "table"), (None, False, "jsonl"), ("csv", True, "csv"), ("csv", False, "csv")],
)
def test_without_files_one_report_goes_to_standard_output(format, terminal, name):
    (target,) = plan(format=format, terminal=terminal)
    assert (target.name, target.path) == (name, None)


def test_suffixes_pick_the_format(tmp_path):
    paths = [tmp_path / name for name in ("a.json", "b.CSV", "c.x.parquet")]
    assert [(target.name, target.path) for target in plan(*paths)] == list(
        zip(["json", "csv", "parquet"], paths, strict=True)
    )
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["report.txt", "report", ".json", "report."])
def test_an_unknown_suffix_is_answered_with_those_that_exist(tmp_path, name):
    with pytest.raises(UsageError, match=r"the suffix picks the format, and is one of \.csv, .*\.json, \.jsonl, \.parquet"):
        plan(tmp_path / name)


def test_an_unknown_format_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match=r"did you mean json\w?\?"):
        plan(format="jsno")


def test_format_and_files_exclude_each_other(tmp_path):
    with pytest.raises(UsageError, match="--format is for standard output"):
        plan(tmp_path / "a.json", format="csv")


def test_one_file_twice(tmp_path):
    (tmp_path / "link.json").symlink_to("a.json")
    for second in ("a.json", "./a.json", "link.json"):
        with pytest.raises(UsageError, match="is given twice"):
            plan(tmp_path / "a.json", Path(f"{tmp_path}/{second}"))


def test_a_file_that_cannot_be_written_is_refused_beforehand(tmp_path):
    with pytest.raises(ReportError, match="there is no folder"):
        plan(tmp_path / "a.json", tmp_path / "none" / "b.json")
    assert os.listdir(tmp_path) == []


def test_live_is_for_rows_alone_on_standard_output(tmp_path):
    assert outputs.live(plan()) is not None
    assert outputs.live(plan(format="table")) is None
    assert outputs.live(plan(tmp_path / "a.jsonl")) is None


def test_one_failure_does_not_keep_the_others_from_being_written(tmp_path):
    targets = [
        outputs.Target("broken", Broken(), tmp_path / "a.broken"),
        outputs.Target("json", JsonReport(), tmp_path / "none" / "b.json"),
        outputs.Target("json", JsonReport(), tmp_path / "c.json"),
    ]
    with pytest.raises(ReportError) as error:
        outputs.deliver(targets, everything())
    assert "a.broken: the report 'broken' failed: KeyError: 'heatmap'; " in str(error.value)
    assert "b.json: there is no folder" in str(error.value)
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == ["c.json"]
    assert list(read_report(tmp_path / "c.json").records()) == list(everything().records())


def test_a_pipe_whose_reader_leaves_is_no_failure(tmp_path, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with io.TextIOWrapper(os.fdopen(writing, "wb")) as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        outputs.deliver([outputs.Target("json", JsonReport(), None)], everything())


def test_a_live_scan_ends_when_its_reader_leaves(monkeypatch):
    reading, writing = os.pipe()
    asked = []

    def records():
        for number in range(10):
            asked.append(number)
            if number == 3:
                os.close(reading)
            yield ok(f"{number}.jpg")

    with io.TextIOWrapper(os.fdopen(writing, "wb")) as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        outputs.Live(JsonlReport()).write(records())
    assert asked == [0, 1, 2, 3]


CODE = """
import sys, typer
from forensic_cli.commands.report import report
from forensic_cli.errors import ForensicError
app = typer.Typer()
app.command()(report)
try:
    app(standalone_mode=False)
except ForensicError as error:
    sys.exit(f"{error}")
"""


def forensic_report(*arguments, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", CODE, *map(str, arguments)]
    return subprocess.run(command, capture_output="stdout" not in options, check=False, timeout=60, **options)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "scan.json"
    outputs.deliver([outputs.Target("json", JsonReport(), path)], everything())
    return path


def test_the_command_converts_into_everything(tmp_path, source):
    names = ["a.json", "a.jsonl", "a.csv", "a.parquet"]
    result = forensic_report(source, *(part for name in names for part in ("-o", tmp_path / name)))
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    assert (tmp_path / "a.json").read_bytes() == source.read_bytes()
    assert all((tmp_path / name).stat().st_size for name in names)
    result = forensic_report(tmp_path / "a.jsonl", "-f", "jsonl")
    assert result.stdout == (tmp_path / "a.jsonl").read_bytes()


def test_a_report_can_be_written_over_itself(source):
    before = source.read_bytes()
    assert forensic_report(source, "-o", source).returncode == 0
    assert source.read_bytes() == before


def test_the_command_prints_rows_where_there_is_no_terminal(source, tmp_path):
    result = forensic_report(source)
    assert result.stdout.count(b"\n") == 5
    assert result.stdout.startswith(b'{"path": "a/pope.png"')


def test_a_source_that_is_no_report_leaves_no_output(tmp_path):
    (tmp_path / "scan.json").write_text('{"schema": "something/else"}')
    result = forensic_report(tmp_path / "scan.json", "-o", tmp_path / "a.csv")
    assert result.returncode == 1
    assert b"its schema is 'something/else'" in result.stderr
    assert os.listdir(tmp_path) == ["scan.json"]


def test_head_ends_it_quietly(tmp_path, start):
    path = tmp_path / "many.json"
    records = [ok(f"{number}.jpg") for number in range(3000)]
    outputs.deliver([outputs.Target("json", JsonReport(), path)], scan(records))
    for name in ("jsonl", "csv", "table"):
        process = start("-c", CODE, path, "-f", name, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_a_full_device_on_standard_output_is_one_line(source):
    with open("/dev/full", "wb") as full:
        result = forensic_report(source, "-f", "json", stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 1
    assert result.stderr == b"standard output: no space left on device\n"
