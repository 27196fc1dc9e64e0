"""A table as CSV, LaTeX and Markdown; strangers' names cannot break out of any of them."""

import csv
import io
import math
import re

from forensic_cli.engine.evaluating.tables.cells import Cell, Table, Within
from forensic_cli.text import visible

ABSENT = "\N{EN DASH}"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that starts so is run by a spreadsheet
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",  # after the end of a row it would be an option of it
    "*": "{*}",
    ABSENT: "--",
    **{sign: f"\\{sign}" for sign in "&%$#_"},
}

_SPECIAL = f"[{re.escape(''.join(_LATEX))}]"


def shown(cell: Cell, digits: int = 3) -> str:
    """A cell as a person reads it: three digits after the point, an absent number as a dash."""
    match cell:
        case None:
            return ABSENT
        case Within(value, low, high):
            ends = f" [{low:.{digits}f}, {high:.{digits}f}]" if math.isfinite(low) and math.isfinite(high) else ""
            return f"{shown(value)}{ends}"
        case str():
            return visible(cell)
        case int():
            return f"{cell:,}"
    if not math.isfinite(cell):
        return ABSENT
    if abs(cell) >= 1000:
        return f"{cell:,.0f}"
    return f"{cell:.0e}" if 0 < abs(cell) < 0.5 * 10**-digits else f"{cell:.{digits}f}"


def plain(cell: str | int | float | None) -> str | int | float | None:
    """A cell of a CSV file: text that cannot be mistaken for a formula and hides nothing; an absent number is empty."""
    if isinstance(cell, str):
        return ("'" if cell.startswith(_FORMULA) else "") + visible(cell, keep="\n\t")
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def to_csv(table: Table) -> str:
    """Numbers in full; a value with an interval takes three columns, the ends named low and high."""
    ranged = [any(isinstance(row[place], Within) for row in table.rows) for place in range(len(table.header))]
    stream = io.StringIO()
    writer = csv.writer(stream)
    names: list[str] = []
    for name, three in zip(table.header, ranged, strict=True):
        names += [name, f"{name} low", f"{name} high"] if three else [name]
    writer.writerow([plain(name) for name in names])
    for row in table.rows:
        cells: list[str | int | float | None] = []
        for cell, three in zip(row, ranged, strict=True):
            if isinstance(cell, Within):
                cells += list(cell)
            else:
                cells += [cell, None, None] if three else [cell]
        writer.writerow([plain(cell) for cell in cells])
    return stream.getvalue()


def to_latex(table: Table) -> str:
    """A `table` environment that needs \\usepackage{booktabs}."""
    numbers = ["r" if _is_number(table, place) else "l" for place in range(len(table.header))]
    body = [" & ".join(_latex(shown(cell)) for cell in row) + r" \\" for row in table.rows]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(shown(table.title))}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{{''.join(numbers)}}}",
        r"\toprule",
        " & ".join(_latex(shown(name)) for name in table.header) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "% needs \\usepackage{booktabs}\n" + "\n".join(lines) + "\n"


def to_markdown(table: Table) -> str:
    """A pipe table under its title."""
    marks = ["---:" if _is_number(table, place) else ":---" for place in range(len(table.header))]
    lines = [[_markdown(shown(name)) for name in table.header], marks]
    lines += [[_markdown(shown(cell)) for cell in row] for row in table.rows]
    note = f"\n{_markdown(shown(table.note))}\n" if table.note else ""
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"**{_markdown(shown(table.title))}**\n\n{rows}\n{note}"


def numeric(table: Table) -> list[bool]:
    """Which columns hold numbers."""
    return [_is_number(table, place) for place in range(len(table.header))]


def _is_number(table: Table, place: int) -> bool:
    return place > 0 and not any(isinstance(row[place], str) for row in table.rows)


def _latex(text: str) -> str:
    return re.sub(_SPECIAL, lambda match: _LATEX[match[0]], text)


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|~#&$])", r"\\\1", text)
