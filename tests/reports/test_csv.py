import codecs
import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scans import everything, ok, scan, scored, stating

from forensic_cli.errors import ReportError
from forensic_cli.records import Claim, Finding
from forensic_reports.csv import CsvReport


def written(scan) -> bytes:
    stream = io.BytesIO()
    CsvReport().write(scan, stream)
    return stream.getvalue()


def rows(scan) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written(scan).decode("utf-8"), newline="")))


def test_the_whole_file():
    header = (
        "path,sha256,bytes,format,width,height,status,reason,verdict_label,verdict_basis,p_value,q_value,llr,"
        "verdict_reason,rigid_score,rigid_p_value,rigid_llr,rigid_verdict,rigid_claims,rigid_heatmap,rigid_seconds,"
        "rigid_error,rigid_lowest,rigid_highest,rigid_standard_error,rigid_unlike"
    )
    lines = [header, "a.jpg," + "0123456789abcdef" * 4 + ",1000,JPEG,640,480,ok,,,,,,,,-0.5,,,uncalibrated,,,0.25,,,,,"]
    assert written(scan([ok("a.jpg", scored("rigid", -0.5))], "rigid")) == "\r\n".join([*lines, ""]).encode()


def test_claims_errors_and_verdicts_have_their_columns():
    pope, photo, drawn, broken, notes = rows(everything())
    assert pope["provenance_claims"] == "generated/declared: Stable Diffusion settings | unchecked/none: a watermark"
    assert (pope["verdict_label"], pope["verdict_basis"], pope["p_value"]) == ("generated", "provenance", "")
    assert (photo["rigid_error"], photo["rigid_score"]) == ("out of memory", "")
    assert (drawn["rigid_score"], drawn["rigid_p_value"], drawn["q_value"], drawn["llr"]) == ("-0.5", "0.01", "0.02", "2.5")
    assert drawn["rigid_heatmap"] == "maps/drawn.png"
    assert (broken["status"], broken["reason"], broken["width"]) == ("failed", "the file ends too early", "")
    assert (notes["status"], notes["rigid_score"]) == ("skipped", "")


def test_no_byte_order_mark():
    assert not written(scan([])).startswith(codecs.BOM_UTF8)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_is_a_formula(start):
    text = start + "cmd|' /C calc'!A0"
    claim = Claim("software", "x", "y", "declared")
    report = scan([ok(text, Finding("rigid", -1.0, error=text, claims=(claim,)))], "rigid")
    (row,) = rows(report)
    assert row["path"].startswith("'")
    assert row["rigid_error"].startswith("'")
    assert row["rigid_score"] == "-1.0"


def test_a_method_cannot_make_the_header_a_formula():
    assert b",'=evil_score," in written(scan([], "=evil"))


def test_names_with_lines_quotes_and_steering_characters():
    (row,) = rows(scan([ok('a\n"b",c\t\x1b[2J\u202e\udcff.jpg')]))
    assert row["path"] == 'a\n"b",c\t\\x1b[2J\\u202e\\xff.jpg'


def test_a_finding_without_a_column_is_not_lost_silently():
    with pytest.raises(ReportError, match=r"a\.jpg: has a finding by wepe, which the run does not list"):
        written(scan([ok("a.jpg", scored("wepe", 1.0))], "rigid"))


def test_what_is_not_finite_is_empty():
    (row,) = rows(scan([ok("a.jpg", scored("rigid", float("nan"), llr=float("inf")))], "rigid"))
    assert (row["rigid_score"], row["rigid_llr"]) == ("", "")


TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("=+-@\t\n\",;'|"), max_size=30)


@given(TEXT, TEXT)
def test_any_text_comes_back(path, statement):
    report = scan([ok(path, stating(Claim("generated", statement, "x", "signed")))], "provenance")
    parsed = list(csv.reader(io.StringIO(written(report).decode("utf-8"), newline=""), strict=True))
    assert [len(row) for row in parsed] == [len(parsed[0])] * 2
    row = dict(zip(*parsed, strict=True))

    def undone(cell: str) -> str:
        codes = r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})"
        return re.sub(codes, lambda found: chr(int(found[1] or found[2] or found[3], 16)), cell)

    if "\\" not in path + statement:  # a backslash of the name's own is kept as it is
        assert undone(row["path"].removeprefix("'" if path[:1] in ("=", "+", "-", "@", "\t", "\r") else "")) == path
        assert undone(row["provenance_claims"]) == f"generated/signed: {statement}"
    assert not row["path"].startswith(("=", "+", "-", "@", "\t", "\r"))
