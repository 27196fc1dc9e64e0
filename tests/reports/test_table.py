import io
import os
import pty
import re
import termios
from dataclasses import replace

import pytest
from rich.cells import cell_len
from scans import CAPTURED, DECLARED, everything, ok, scan, scored, stating

from forensic_cli.records import Claim, FileRecord, Finding, Summary, Verdict
from forensic_reports.table import TableReport

GENERATED = Verdict("generated", "provenance")


def shown(scan) -> str:
    stream = io.BytesIO()
    TableReport().write(scan, stream)
    return stream.getvalue().decode("utf-8")


def test_the_whole_table():
    assert (
        shown(everything())
        == """\
Looked at 3 images: one carries a statement that it is generated. By calibrated scores: 1
inconclusive. 1 unreadable, 1 skipped.

file                        rigid
a/pope.png    generated      0.7500
    ↳ generated: Stable Diffusion settings (declared)
b/drawn.webp  inconclusive  -0.5000 p 0.01
    ↳ inconclusive by scores: p 0.01, q 0.02, log10 likelihood ratio 2.5
a/photo.jpg   no verdict     failed
    ↳ captured: Canon EOS R5 (declared)

Methods that failed
  rigid on 1 image: out of memory

Files that could not be read
  a/broken.jpg: the file ends too early

Skipped
  no image: 1

· “no verdict” does not mean authentic.
· “declared”: anybody can write or remove such a statement.
· Missing credentials mean unknown: 1 of 3 files says nothing of its origin, and anybody can remove
  a statement.
"""
    )


def test_said_to_be_generated_comes_first_then_the_highest_score():
    records = [ok(f"{score}.jpg", scored("rigid", score)) for score in (0.1, 0.9, 0.5)]
    records += [ok("none.jpg", stating()), ok("said.png", stating(DECLARED), scored("rigid", 0.01), verdict=GENERATED)]
    names = re.findall(r"^(\S+) +(?:no verdict|generated)", shown(scan(records, "provenance", "rigid")), re.MULTILINE)
    assert names == ["said.png", "0.9.jpg", "0.5.jpg", "0.1.jpg", "none.jpg"]


def test_ranks_are_among_all_files_not_among_those_shown():
    """The first method picks what is shown; the second ranks those rows in the opposite order, behind rows not shown."""
    records = [ok(f"{i:03}.jpg", scored("rigid", i / 1000), scored("wepe", -i / 7)) for i in range(200)]
    cells = re.findall(r"^(\d+)\.jpg.*#(\d+) .*#(\d+)$", shown(scan(records, "rigid", "wepe")), re.MULTILINE)
    assert len(cells) == 50
    assert [(int(name), int(first), int(second)) for name, first, second in cells] == [
        (i, 200 - i, i + 1) for i in range(199, 149, -1)
    ]


def test_equal_scores_have_equal_ranks():
    records = [ok(f"{i}.jpg", scored("rigid", score)) for i, score in enumerate((0.5, 0.9, 0.5, 0.1))]
    assert re.findall(r"#\d", shown(scan(records, "rigid"))) == ["#1", "#2", "#2", "#4", "#1"]  # the last is the note's


def test_at_most_fifty_rows_and_how_to_get_the_rest():
    text = shown(scan((ok(f"{i}.jpg", scored("rigid", i / 100)) for i in range(1061)), "rigid"))
    assert len(re.findall(r"no verdict  ", text)) == 50
    assert "… and 1,011 more. -o report.json (or .csv, .parquet) writes all of them." in text


@pytest.mark.parametrize(
    "path",
    [
        "a.png\nb.png  generated  0.99 #1",
        "a.png\r\x1b[2Kb.png",
        "gnp.\u202eexe",
        "a.png" + " " * 30 + "generated",
        "\u3000\u3000a.png",
        "a\u2028b\u0085c.png",
    ],
)
def test_a_hostile_name_stays_on_its_line_and_in_its_column(path):
    lines = shown(scan([ok(path, scored("rigid", 0.25)), ok("plain.jpg", scored("rigid", 0.5))], "rigid")).split("\n")
    hostile = next(line for line in lines if line.endswith("0.2500 #2"))
    assert len([line for line in lines if "  no verdict  " in line]) == 2
    assert all(character.isprintable() for character in "".join(lines))
    assert "  " not in hostile[: hostile.index("  no verdict")].rstrip()


def test_hostile_statements_and_reasons_stay_on_their_lines():
    claim = Claim("generated", "x\n\x1b[31mAuthentic[/red]\u202e", "XMP", "trusted")
    failed = FileRecord("b.jpg", "failed", "bad\nc.jpg  unflagged")
    text = shown(scan([ok("a.jpg", stating(claim)), failed], "provenance"))
    assert "generated: x\\x0a\\x1b[31mAuthentic[/red]\\u202e (trusted)" in text
    assert "  b.jpg: bad\\x0ac.jpg␣␣unflagged\n" in text


def test_long_names_are_cut_in_the_middle_and_no_line_is_too_long():
    names = ["deep/" * 60 + "picture.jpg", "写真" * 90 + ".png", "x" * 99 + "é́" * 40]
    text = shown(scan([ok(name, scored("rigid", 0.5), scored("wepe", 1e-7)) for name in names], "rigid", "wepe"))
    assert max(cell_len(line) for line in text.split("\n")) == 100
    assert re.search(r"^deep/.*….*/picture\.jpg  no verdict", text, re.MULTILINE)


def test_scores_that_do_not_fit_beside_the_name_go_below():
    methods = [f"method-number-{i}" for i in range(8)]
    text = shown(scan([ok("long-name/" * 5 + "a.jpg", *(scored(name, 0.5) for name in methods))], *methods))
    assert all(f"{name} 0.5000" in text for name in methods)
    assert max(map(len, text.split("\n"))) <= 100


def test_one_file_shows_every_claim_and_no_rank():
    claims = (CAPTURED, Claim("unchecked", "a watermark", "pixels", "none"), Claim("software", "GIMP", "EXIF", "declared"))
    text = shown(scan([ok("a.jpg", stating(*claims), scored("rigid", 0.5))], "provenance", "rigid"))
    assert "Looked at 1 image: it carries no statement that it is generated." in text
    assert all(words in text for words in ("Canon EOS R5", "a watermark", "GIMP"))
    assert "#1" not in text


def test_contradicting_statements_are_both_shown_and_the_weaker_of_one_kind_is_not():
    signed = Claim("captured", "Leica M11", "C2PA", "trusted")
    text = shown(scan([ok("a.jpg", stating(CAPTURED, DECLARED, signed), verdict=GENERATED), ok("b.jpg")], "provenance"))
    assert "generated: Stable Diffusion settings (declared)" in text
    assert "captured: Leica M11 (trusted)" in text
    assert "Canon EOS R5" not in text


def test_a_broken_seal_is_no_statement():
    claim = Claim("generated", "made by AI", "C2PA", "invalid")
    text = shown(scan([ok("a.jpg", stating(claim))], "provenance"))
    assert "it carries no valid statement that it is generated" in text
    assert "generated: made by AI (invalid)" in text


def test_nothing_is_said_about_statements_that_nobody_looked_for():
    text = shown(scan([ok("a.jpg", scored("rigid", 0.5))], "rigid"))
    assert text.startswith("Looked at 1 image.\n")
    assert "Missing credentials" not in text


def test_notes_only_where_they_apply():
    calibrated = ok("a.jpg", Finding("rigid", 0.5, p_value=0.2), verdict=Verdict("unflagged", "scores", 0.2))
    text = shown(scan([calibrated], "rigid"))
    assert "“unflagged” does not mean authentic" in text
    assert "Without calibration" not in text
    assert "no verdict" not in text


def test_only_failures():
    text = shown(scan((FileRecord(f"{i}.jpg", "failed", "truncated") for i in range(13)), "rigid"))
    assert text.startswith("No image could be read. 13 unreadable.\n")
    assert text.count("truncated") == 10
    assert "… and 3 more" in text


def test_a_failed_file_that_says_it_is_generated_is_shown():
    record = FileRecord("a.jpg", "failed", "truncated", verdict=GENERATED, findings=(stating(DECLARED),))
    text = shown(scan([record], "provenance"))
    assert re.search(r"^a\.jpg  generated\n    ↳ could not be read: truncated\n    ↳ generated", text, re.MULTILINE)


def test_nothing_found():
    assert shown(scan([])) == "No image was found.\n"
    skipped = shown(scan(FileRecord(f"{i}", "skipped", f"reason {i}") for i in range(2000)))
    assert "No image was found. 2,000 skipped." in skipped
    assert "other reasons: 1,000" in skipped


def test_what_was_known_from_an_earlier_run():
    assert "3 known from an earlier run" in shown(scan([ok("a.jpg")], summary=Summary(from_store=3)))


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_terminal_has_colours_and_its_own_width(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, columns))
    with os.fdopen(theirs, "wb") as stream, os.fdopen(ours, "rb", buffering=0) as terminal:
        TableReport().write(scan([ok("n/" * 99 + "a.jpg", stating(DECLARED), verdict=GENERATED)], "provenance"), stream)
        stream.flush()
        text = terminal.read(65536).decode("utf-8")
    assert re.search(r"\x1b\[[0-9;]*mgenerated", text)
    assert max(cell_len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in text.split("\r\n")) == columns


def test_no_colours_where_there_is_no_terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in shown(everything())


def test_generated_in_part_comes_next_and_without_scores_those_that_say_something():
    edited = Claim("edited", "generative fill", "C2PA", "signed")
    records = [ok("silent.jpg", stating()), ok("camera.jpg", stating(CAPTURED)), ok("edited.jpg", stating(edited))]
    text = shown(scan([*records, ok("whole.png", stating(DECLARED))], "provenance"))
    names = ["whole.png", "edited.jpg", "camera.jpg", "silent.jpg"]
    assert re.findall(r"^(\S+) +no verdict", text, re.MULTILINE) == names
    assert "generated in part: generative fill (signed)" in text


def test_a_run_that_was_cut_short_says_so():
    whole = scan([ok("a.jpg")], "provenance")
    assert "Cut short" not in shown(whole)
    assert shown(replace(whole, run=replace(whole.run, finished=None))).startswith(
        "Cut short, files are missing. Looked at 1"
    )
