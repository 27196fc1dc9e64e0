"""Tables as files: what is in them, and that no name breaks out of them."""

import csv
import io
import re

from hand_made import HOSTILE

from forensic_cli.engine.evaluating.tables.cells import Table, Within
from forensic_cli.engine.evaluating.tables.rendering import shown, to_csv, to_latex, to_markdown
from loops import each

TABLE = Table(
    "some",
    "A title of 50 %",
    ("method", "AUROC", "n", "note"),
    (("rigid", Within(0.91234, 0.9, 0.92), 1200, HOSTILE), ("[x]", 0.5, None, "=1+1"), ("*y", None, 3, "")),
    "A note_with_marks",
)


def test_csv_has_numbers_in_full_and_intervals_as_columns():
    header, *rows = csv.reader(io.StringIO(to_csv(TABLE)))
    assert header == ["method", "AUROC", "AUROC low", "AUROC high", "n", "note"]
    assert rows[0][:5] == ["rigid", "0.91234", "0.9", "0.92", "1200"]
    assert rows[1] == ["[x]", "0.5", "", "", "", "'=1+1"]
    assert rows[2][:5] == ["*y", "", "", "", "3"]
    assert rows[0][5] == HOSTILE.replace("\u202e", r"\u202e").replace("\x07", r"\x07")


def test_latex_escapes_all_that_latex_would_read():
    text = to_latex(TABLE)
    assert text.splitlines()[3:6] == [r"\caption{A title of 50 \%}", r"\label{tab:some}", r"\begin{tabular}{lrrl}"]
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    assert body.count(r" \\") == 3
    bare = re.sub(
        r"\\textbackslash\{\}|\\text[a-z]+\{\}|\\[&%$#_{}]|\{[\[*]\}", "", body.replace(r" \\", "").replace(r"\midrule", "")
    )
    assert not set(bare) & set('\\%$#_{}^~<>|"[*')
    assert bare.count("&") == 9  # those between the cells alone
    assert r"0.912 {[}0.900, 0.920]" in body
    assert "{[}x]" in body


def test_markdown_rows_have_as_many_cells_as_the_header():
    lines = [line for line in to_markdown(TABLE).splitlines() if line.startswith("|")]
    assert len(lines) == 5
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {5}
    assert lines[1] == "| :--- | ---: | ---: | :--- |"
    assert r"\<script\>" in lines[2]
    assert "note\\_with\\_marks" in to_markdown(TABLE)


@each(
    "cell, text",
    [
        (None, "\N{EN DASH}"),
        (float("nan"), "\N{EN DASH}"),
        (0.12345, "0.123"),
        (0.0, "0.000"),
        (0.00001, "1e-05"),
        (-0.25, "-0.250"),
        (12345, "12,345"),
        (3024.5, "3,024"),
        (Within(0.5, 0.25, 0.75), "0.500 [0.250, 0.750]"),
        (Within(0.5, float("nan"), 1.0), "0.500"),
        ("a\u202eb", r"a\u202eb"),
    ],
)
def test_cells_as_people_read_them(cell, text):
    assert shown(cell) == text
