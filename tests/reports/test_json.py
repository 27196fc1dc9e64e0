import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scans import CAPTURED, everything, ok, scan, scored, stating

from forensic_cli.records import Claim, Finding
from forensic_cli.text import encode, visible
from forensic_reports.json import JsonReport
from forensic_reports.jsonl import JsonlReport


def written(report, scan) -> bytes:
    stream = io.BytesIO()
    report.write(scan, stream)
    return stream.getvalue()


def test_json_is_the_contract():
    report = json.loads(written(JsonReport(), everything()))
    assert list(report) == ["schema", "run", "summary", "files"]
    assert report["schema"] == "forensic/scan/1"
    assert list(report["summary"]) == (
        ["found", "scanned", "skipped", "failed", "from_store", "generated", "inconclusive", "unflagged", "seconds"]
    )
    assert report["run"]["methods"][1] == {
        "name": "rigid",
        "distribution": "forensic-cli",
        "version": "0.1.0",
        "options": {"size": 224},
        "weights": [{"source": "a/b", "revision": None}],
        "provider": None,
    }
    assert report["run"]["calibration"] is None
    assert report["files"][0] == {
        "path": "a/pope.png",
        "sha256": "0123456789abcdef" * 4,
        "bytes": 1000,
        "format": "JPEG",
        "width": 640,
        "height": 480,
        "status": "ok",
        "reason": None,
        "verdict": {"label": "generated", "basis": "provenance", "p_value": None, "q_value": None, "llr": None}
        | {"reason": None},
        "findings": [
            {
                "method": "provenance",
                "score": None,
                "p_value": None,
                "llr": None,
                "verdict": None,
                "claims": [
                    {
                        "kind": "generated",
                        "statement": "Stable Diffusion settings",
                        "source": "PNG tEXt parameters",
                        "trust": "declared",
                    },
                    {"kind": "unchecked", "statement": "a watermark", "source": "pixels", "trust": "none"},
                ],
                "heatmap": None,
                "seconds": 0.01,
                "error": None,
                "stability": None,
                "standard_error": None,
                "unlike": None,
            },
            {
                "method": "rigid",
                "score": 0.75,
                "p_value": None,
                "llr": None,
                "verdict": "uncalibrated",
                "claims": [],
                "heatmap": None,
                "seconds": 0.25,
                "error": None,
                "stability": None,
                "standard_error": None,
                "unlike": None,
            },
        ],
    }
    assert [row["status"] for row in report["files"]] == ["ok", "ok", "ok", "failed", "skipped"]


def test_every_file_has_one_line():
    lines = written(JsonReport(), everything()).decode().split("\n")
    rows = [line for line in lines if line.startswith('{"path"')]
    assert [json.loads(row.rstrip(","))["path"] for row in rows] == [
        "a/pope.png",
        "a/photo.jpg",
        "b/drawn.webp",
        "a/broken.jpg",
        "a/notes.txt",
    ]


def test_no_files_is_still_json():
    assert json.loads(written(JsonReport(), scan([])))["files"] == []


def test_jsonl_is_the_rows_of_json():
    rows = [json.loads(line) for line in written(JsonlReport(), everything()).splitlines()]
    assert rows == json.loads(written(JsonReport(), everything()))["files"]


def test_a_live_row_is_there_before_the_next_is_asked_for():
    class Counting(io.BytesIO):
        flushed = 0

        def flush(self):
            self.flushed = self.getvalue().count(b"\n")

    stream, seen = Counting(), []

    def records():
        for number in range(3):
            seen.append(stream.flushed)
            yield ok(f"{number}.jpg")

    assert JsonlReport.live
    JsonlReport().write_rows(records(), stream)
    assert seen == [0, 1, 2]


def test_what_is_not_finite_is_null():
    report = scan([ok("a.jpg", Finding("rigid", score=float("nan"), llr=float("-inf"), seconds=0.5))], "rigid")
    text = written(JsonReport(), report)
    finding = json.loads(text, parse_constant=pytest.fail)["files"][0]["findings"][0]
    assert (finding["score"], finding["llr"], finding["seconds"]) == (None, None, 0.5)


STEERING = "\x00\x07\x1b\x7f\x85\x9b\xad\u061c\u2028\u202e\u2066\u200b\ufeff\U000e0041\n\r"


@given(st.text(st.characters(codec="utf-8") | st.sampled_from(STEERING), max_size=40))
def test_any_text_survives_and_steers_no_terminal(text):
    line = encode({"statement": text})
    assert json.loads(line) == {"statement": text}
    assert not set(line.decode("utf-8")) & set(STEERING)


def test_half_characters_become_text_that_strict_readers_take():
    row = json.loads(encode({"statement": "a\udcffb\ud800"}))
    assert row == {"statement": "a\\xffb\\ud800"}


def test_hostile_text_is_made_visible():
    assert visible("a\x1b[2J\u202egnp.exe\n") == "a\\x1b[2J\\u202egnp.exe\\x0a"
    assert visible("a\tb\n", keep="\t\n") == "a\tb\n"
    assert visible("日本 é 😀") == "日本 é 😀"


def test_a_path_of_no_encoding_is_written_in_full():
    report = scan([ok("bad\udcff.jpg", stating(CAPTURED, Claim("software", "\ud800", "x", "none")), scored("rigid", 1.0))])
    row = json.loads(written(JsonlReport(), report))
    assert row["path"] == "bad\\xff.jpg"
