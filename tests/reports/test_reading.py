import io
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scans import DECLARED, everything, ok, scan, scored, stating

from forensic_cli import report_files
from forensic_cli.errors import ReportError
from forensic_cli.records import Claim, FileRecord, Finding, Summary, Verdict
from forensic_cli.report_files import read_report
from forensic_reports.json import JsonReport
from forensic_reports.jsonl import JsonlReport
from loops import each


def written(report, scan) -> bytes:
    stream = io.BytesIO()
    report.write(scan, stream)
    return stream.getvalue()


@pytest.fixture
def report(tmp_path):
    """A function that saves a report of everything, changed by `edit`, and returns its path."""

    def save(edit=lambda content: None, name: str = "scan.json"):
        content = json.loads(written(JsonReport(), everything()))
        edit(content)
        path = tmp_path / name
        path.write_text(json.dumps(content))
        return path

    return save


def error_of(path) -> str:
    with pytest.raises(ReportError) as error:
        read_report(path)
    text = str(error.value)
    assert "\n" not in text
    assert str(path) in text
    return text.removeprefix(f"{path}: ")


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "scan.json"
    path.write_bytes(written(JsonReport(), everything()))
    scan = read_report(path)
    expected = everything()
    assert (scan.run, scan.summary) == (expected.run, expected.summary)
    assert list(scan.records()) == list(expected.records())
    assert list(scan.records()) == list(expected.records())
    assert written(JsonReport(), scan) == path.read_bytes()


TEXT = st.text(st.characters(), max_size=12)
NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
CLAIMS = st.builds(Claim, st.sampled_from(["generated", "captured"]), TEXT, TEXT, st.sampled_from(["trusted", "none"]))
FINDINGS = st.builds(
    Finding, TEXT, NUMBER, NUMBER, NUMBER, st.none() | TEXT, st.tuples(CLAIMS) | st.just(()), st.none() | TEXT, NUMBER
)
VERDICTS = st.none() | st.builds(Verdict, st.sampled_from(["generated", "unflagged"]), TEXT, NUMBER, NUMBER, NUMBER)
PATHS = st.text(st.characters(codec="utf-8"), max_size=12)
RECORDS = st.builds(
    FileRecord,
    PATHS,
    st.sampled_from(["ok", "failed", "skipped"]),
    st.none() | TEXT,
    verdict=VERDICTS,
    findings=st.tuples(FINDINGS) | st.just(()),
)


@given(st.lists(RECORDS, max_size=4))
def test_reading_and_writing_again_changes_no_byte(tmp_path_factory, records):
    path = tmp_path_factory.getbasetemp() / "again.json"
    first = written(JsonReport(), scan(records, "rigid"))
    path.write_bytes(first)
    assert written(JsonReport(), read_report(path)) == first
    rows = path.with_suffix(".jsonl")
    rows.write_bytes(written(JsonlReport(), scan(records)))
    assert written(JsonlReport(), read_report(rows)) == rows.read_bytes()


@each("layout", [{"indent": 4}, {"separators": (",", ":")}, {"sort_keys": True}, {"ensure_ascii": True}])
@each("piece", [1, 7, 64])
def test_any_layout_of_the_same_json_is_read(tmp_path, monkeypatch, layout, piece):
    """Read in the smallest pieces too, so that every border between them is somewhere in the file."""
    monkeypatch.setattr(report_files, "_PIECE", piece)
    path = tmp_path / "scan.json"
    content = json.loads(written(JsonReport(), everything())) | {"a newer field": -12345.5e-3, "empty": [], "π": "😀"}
    path.write_text(json.dumps(content, **layout), encoding="utf-8-sig")
    assert list(read_report(path).records()) == list(everything().records())


def test_fields_of_newer_versions_are_left_out(report):
    def edit(content):
        content["run"]["mood"] = 1
        content["files"][0]["findings"][0]["claims"][0]["colour"] = "red"

    scan = read_report(report(edit))
    assert list(scan.records()) == list(everything().records())


def test_rows_alone_tell_their_methods_and_are_counted(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(written(JsonlReport(), everything()) + b"\n")
    scan = read_report(path)
    assert list(scan.records()) == list(everything().records())
    assert [method.name for method in scan.run.methods] == ["provenance", "rigid"]
    assert scan.summary == Summary(found=5, scanned=3, skipped=1, failed=2, generated=1, inconclusive=1)


def test_no_rows_at_all(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"")
    assert (list(read_report(path).records()), read_report(path).summary) == ([], Summary())


def delete(*names):
    def edit(content):
        for name in names[:-1]:
            content = content[name]
        del content[names[-1]]

    return edit


def put(*names_and_value):
    *names, last, value = names_and_value

    def edit(content):
        for name in names:
            content = content[name]
        content[last] = value

    return edit


@each(
    "edit, complaint",
    [
        (put("schema", "forensic/calibration/1"), "its schema is 'forensic/calibration/1'; this version reads"),
        (delete("schema"), "no report of a scan, 'schema' is missing"),
        (delete("files"), "no report of a scan, 'files' is missing"),
        (delete("run", "seed"), "run has no 'seed'"),
        (put("run", "methods", {}), "run.methods is {}, not a list"),
        (delete("files", 3, "sha256"), "files[3] has no 'sha256'"),
        (put("files", 1, "status", "fine"), "files[1].status is 'fine', not one of ok, skipped, failed"),
        (put("files", 1, "width", True), "files[1].width is True, not a whole number"),
        (put("files", 1, "width", 2**63), "broken JSON, 9223372036854775808 is no whole number of 64 bits"),
        (put("files", 1, "path", None), "files[1].path is None, not text"),
        (put("files", 0, "findings", 1, "score", "0.5"), "files[0].findings[1].score is '0.5', not a number"),
        (
            put("files", 0, "findings", 0, "claims", 0, "trust", 1),
            "files[0].findings[0].claims[0].trust is 1, not",
        ),
        (put("files", 0, "verdict", []), "files[0].verdict is [], not an object"),
        (put("files", "x"), "'[' expected"),
    ],
)
def test_wrong_content_is_told_with_its_name(report, edit, complaint):
    assert complaint in error_of(report(edit))


@each(
    "content, complaint",
    [
        (b"", "line 1, column 1: broken JSON, '{' expected but the file ends"),
        (b"[]", "line 1, column 1: broken JSON, '{' expected"),
        (
            b'{"schema": "forensic/scan/1",\n\n  "run": {"id"; 1}}',
            "line 3, column 15: broken JSON, expecting ':'",
        ),
        (b'{"schema": "forensic/scan/1"\n}\n{}', "line 3, column 1: broken JSON, there is more after its end"),
        (b'{"x": NaN}', "line 1, column 7: broken JSON, NaN is no finite number"),
        (b'{"x": 1e999}', "line 1, column 7: broken JSON, 1e999 is no finite number"),
        (b'{"x": 1e999' + b"9" * 99 + b"}", "is no finite number"),
        (b'{"x": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
        (b'{"x": ' + b"[" * 200_000, "nested too deeply"),
        (b'{"x": "\xff"}', "byte 7: not UTF-8"),
        (
            b'{"files": ["' + b"x" * 100 + b"\n" + b"y" * 1000,
            "line 1, column 113: broken JSON, invalid control",
        ),
        ('{"x": 1}'.encode("utf-16"), "byte 0: not UTF-8"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "byte 0: not UTF-8"),
    ],
)
def test_broken_files_are_told_with_the_place(tmp_path, content, complaint):
    path = tmp_path / "scan.json"
    path.write_bytes(content)
    assert complaint in error_of(path)


@pytest.mark.parametrize("piece", [1, 16, 1 << 18])
def test_every_cut_of_a_report_is_an_error_in_one_line(tmp_path, monkeypatch, piece):
    monkeypatch.setattr(report_files, "_PIECE", piece)
    whole = written(JsonReport(), scan([ok("é.jpg", stating(DECLARED), scored("rigid", 0.5))], "rigid")).rstrip()
    path = tmp_path / "scan.json"
    for length in range(0, len(whole), 41):
        path.write_bytes(whole[:length])
        assert error_of(path)


def test_the_line_of_a_broken_row(tmp_path):
    path = tmp_path / "rows.jsonl"
    lines = written(JsonlReport(), everything()).splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + b'{"path": "a"}\n' + b"".join(lines[2:]))
    assert error_of(path).startswith("line 3, column 1: row has no 'status'")
    path.write_bytes(b"".join(lines[:3]) + lines[3][:50])
    assert error_of(path).startswith("line 4, column ")


def test_an_error_far_behind_the_first_piece_has_its_own_place(tmp_path, monkeypatch):
    monkeypatch.setattr(report_files, "_PIECE", 100)
    path = tmp_path / "scan.json"
    content = written(JsonReport(), everything()).replace(b'"a/notes.txt"', b'"a/notes.txt",,')
    path.write_bytes(content)
    line = content[: content.index(b",,")].count(b"\n") + 1
    assert error_of(path).startswith(f"line {line}, column 24: ")


def test_files_that_are_none(tmp_path):
    assert error_of(tmp_path / "none.json") == "no such file or directory"
    assert "not a regular file" in error_of(tmp_path)
    os.mkfifo(tmp_path / "pipe.json")
    assert "not a regular file" in error_of(tmp_path / "pipe.json")


def test_rows_in_a_file_of_the_wrong_name(tmp_path):
    path = tmp_path / "rows.json"
    path.write_bytes(written(JsonlReport(), scan([ok("a.jpg")])))
    assert "rows alone belong in a file named .jsonl" in error_of(path)


def test_half_characters_are_read_as_text_that_can_be_written(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(written(JsonlReport(), scan([ok("abc.jpg")])).replace(b"abc", rb"\ud800"))
    (record,) = read_report(path).records()
    assert record.path == "\\ud800.jpg"
    assert b"ud800.jpg" in written(JsonReport(), read_report(path))
