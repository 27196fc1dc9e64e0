"""The lines of the table: a file, the word for it, its scores, and below them what the file says of itself."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from statistics import median_high
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from forensic_cli import Claim, Finding, Scan
from forensic_cli.records import FileRecord
from forensic_reports.table.facts import ORIGIN, TRUST, claims_of, finding_of, safe, score_of, word_of

Ranks = dict[str, dict[float, int]]

_LEAST_ROOM = 24  # a name cut shorter than this says nothing: the scores then go below it
_LONGEST = 160  # characters of a statement, where several files are shown
_STYLES = {"generated": "bold red", "inconclusive": "yellow", "no verdict": "dim", "unreadable": "red"}
_ABOUT = {
    "generated": "generated",
    "edited": "generated in part",
    "captured": "captured",
    "resembles": "resembles",
    "credentials": "credentials",
    "software": "software",
    "unchecked": "not checked",
}


class _Column(NamedTuple):
    """One method: a heading and one cell per file, all of one width; `errors` says which cells are failures."""

    head: str
    cells: list[str]
    errors: list[bool]


def ranks(methods: Sequence[str], records: Sequence[FileRecord], scan: Scan) -> Ranks:
    """For each method, the rank of the scores in `records` among all scores of the scan: 1 for the highest."""
    if not methods:
        return {}
    shown = {method: {score_of(finding_of(record, method)) for record in records} for method in methods}
    ladders = {method: sorted(score for score in scores if score is not None) for method, scores in shown.items()}
    passed = {method: [0] * (len(ladder) + 1) for method, ladder in ladders.items()}
    for record in scan.records():
        for finding in record.findings:
            score = score_of(finding)
            if score is not None and finding.method in ladders:
                passed[finding.method][bisect_left(ladders[finding.method], score)] += 1  # so many rungs lie below it
    return {
        method: {score: 1 + sum(passed[method][rung + 1 :]) for rung, score in enumerate(ladder)}
        for method, ladder in ladders.items()
    }


def print_rows(console: Console, records: Sequence[FileRecord], methods: Sequence[str], ranks: Ranks) -> None:
    """One line per file and its evidence below it; scores that do not fit beside the name go below it as well."""
    columns = [_column(method, [finding_of(record, method) for record in records], ranks) for method in methods]
    names = [safe(record.path) for record in records]
    words = [word_of(record) for record in records]
    longest = max(map(cell_len, ["file", *names]))
    word_width = max(map(len, words))
    room = console.width - word_width - 2
    beside = room - sum(cell_len(column.head) + 2 for column in columns)
    fits = beside >= min(longest, _LEAST_ROOM)
    room = max(1, min(longest, beside if fits else room))
    console.print()
    if fits and columns:
        heads = [_pad("file", room), " " * word_width, *(column.head for column in columns)]
        console.print(Text("  ".join(heads).rstrip(), "dim"), no_wrap=True, overflow="crop")
    for row, record in enumerate(records):
        line = Text(_pad(_middle(names[row], room), room))
        line.append("  ").append(f"{words[row]:{word_width}}", _STYLES.get(words[row], ""))
        for column in columns if fits else ():
            line.append("  ").append(column.cells[row], "red" if column.errors[row] else "")
        line.rstrip()
        console.print(line, no_wrap=True, overflow="crop")
        for cells in [] if fits else _packed((f"{one.head.strip()} {one.cells[row]}" for one in columns), console.width):
            print_indented(console, Text(cells), 4)
        for sentence, style in _evidence(record, alone=len(records) == 1):
            print_indented(console, Text(sentence, style), 6, "↳ ")


def print_indented(console: Console, text: Text, indent: int, mark: str = "") -> None:
    """Words that stay to the right of `indent` on every line; `mark` stands before the first."""
    room = max(1, console.width - indent)
    for number, line in enumerate(text.wrap(console, room)):
        line.rstrip()
        start = mark if number == 0 else ""
        console.print(Text(f"{start:>{indent}}").append_text(line), no_wrap=True, overflow="crop")


def _column(method: str, findings: Sequence[Finding | None], ranks: Ranks) -> _Column:
    known = [score_of(finding) for finding in findings]
    errors = [
        finding is not None and finding.error is not None and score is None
        for finding, score in zip(findings, known, strict=True)
    ]
    decimals = _decimals(score for score in known if score is not None)
    scores = ["failed" if error else _number(score, decimals) for score, error in zip(known, errors, strict=True)]
    notes = [_note(finding, ranks.get(method, {})) for finding in findings]
    score_width, note_width = max(map(len, scores)), max(map(len, notes))
    cells = [f"{score:>{score_width}} {note:{note_width}}".rstrip() for score, note in zip(scores, notes, strict=True)]
    head = _middle(safe(method), 20)
    width = max(map(cell_len, [head, *cells]))
    return _Column(_pad(head, width), [_pad(cell, width) for cell in cells], errors)


def _decimals(scores: Iterable[float]) -> int:
    """One number of decimals for a column, so that its points stand below each other: four digits of a usual score."""
    sizes = [abs(score) for score in scores if score]
    return min(12, max(0, 3 - math.floor(math.log10(median_high(sizes))))) if sizes else 4


def _number(score: float | None, decimals: int) -> str:
    if score is None:
        return "-"
    return f"{score + 0.0:.{decimals}f}" if abs(score) < 1e9 else f"{score:.3e}"  # + 0.0: no minus before a zero


def _note(finding: Finding | None, ranks: dict[float, int]) -> str:
    """What stands beside a score: its p-value if it is calibrated, else its rank."""
    score = score_of(finding)
    if finding is None or score is None:
        return ""
    if finding.p_value is not None:
        return f"p {finding.p_value:.2g}"
    return f"#{ranks[score]:,}" if score in ranks else ""


def _evidence(record: FileRecord, alone: bool) -> Iterator[tuple[str, str]]:
    """Sentences and their styles: the best claim of each origin, so that contradictions show; of a lone file all."""
    if record.status == "failed":
        yield f"could not be read: {safe(record.reason or 'no reason given')}", "red"
    verdict = record.verdict
    if verdict and verdict.basis != "provenance" and verdict.label != "unflagged":
        numbers = {"p": verdict.p_value, "q": verdict.q_value, "log10 likelihood ratio": verdict.llr}
        known = [f"{name} {number:.2g}" for name, number in numbers.items() if number is not None]
        line = f"{verdict.label} by {safe(verdict.basis)}: {', '.join(known)}".removesuffix(": ")
        yield line + (f"; {safe(verdict.reason)}" if verdict.reason else ""), ""
    claims = sorted(claims_of(record), key=_weight)
    for claim in claims if alone else _strongest(claims):
        trust = f" ({claim.trust})" if claim.trust in TRUST else ""
        statement = safe(claim.statement)
        short = statement if alone or len(statement) <= _LONGEST else statement[: _LONGEST - 1] + "…"
        yield f"{_ABOUT.get(claim.kind, safe(claim.kind))}: {short}{trust}", "" if claim.kind in ORIGIN else "dim"


def _strongest(claims: Sequence[Claim]) -> list[Claim]:
    """Out of sorted claims the first of each origin; without any, the first that is more than an absence."""
    first = {claim.kind: claim for claim in reversed(claims) if claim.kind in ORIGIN}
    return sorted(first.values(), key=_weight) or [claim for claim in claims if claim.trust in TRUST][:1]


def _weight(claim: Claim) -> tuple[int, int]:
    kinds, trusts = [*_ABOUT, claim.kind], [*TRUST, claim.trust]
    return kinds.index(claim.kind), trusts.index(claim.trust)


def _packed(cells: Iterable[str], width: int) -> Iterator[str]:
    """The cells of one file on as few lines as hold them."""
    line = ""
    for cell in cells:
        if line and 4 + cell_len(line) + 3 + cell_len(cell) > width:
            yield line
            line = ""
        line += f"   {cell}" if line else cell
    if line:
        yield line


def _pad(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _middle(text: str, room: int) -> str:
    """`text` cut in the middle to `room` cells: the end of a path tells files apart, its start tells whose they are."""
    if cell_len(text) <= room:
        return text
    end = _fit(text[::-1], (room - 1) * 2 // 3)[::-1]
    return _fit(text, room - 1 - cell_len(end)) + "…" + end


def _fit(text: str, room: int) -> str:
    """As many characters from the start as fit into `room` cells."""
    for length, character in enumerate(text):
        room -= cell_len(character)
        if room < 0:
            return text[:length]
    return text
