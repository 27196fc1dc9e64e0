"""Reads a report back: the JSON report, or its rows alone; one row at a time, however many there are."""

import codecs
import functools
import json
import math
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from forensic_cli.errors import ReportError
from forensic_cli.records import FileRecord, MethodUse, Record, Run, Summary
from forensic_cli.report import SCHEMA, Scan
from forensic_cli.shapes import WrongShape, shaped
from forensic_cli.text import encode, printable

_PARTS = {"schema": str, "run": Run, "summary": Summary}
_PIECE = 1 << 18
_NEAR = 32  # an error so close to the end of what was read may only mean that the rest is not read yet
_SPACE = re.compile(r"[ \t\r\n]*")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # the escape of half a character, which no report could hold again
_LATER = {"libraries", "stability", "standard_error", "unlike", "reason"}  # reports of earlier versions have none


def read_report(path: Path) -> Scan:
    """The scan that a report tells of. A file named .jsonl holds rows alone, any other name a JSON report.

    The whole file is checked now and read again by each `records()`. Of rows alone, what the run was is not known and
    stays empty, except the names of its methods; the numbers of the summary are counted. Fields that this version does
    not know are left out. Raises ReportError, with the place, if the file cannot be read or is no such report.
    """
    if path.suffix.lower() == ".jsonl":
        rows = functools.partial(_rows_alone, path)
        return Scan(*_counted(rows()), rows)
    parts: dict[str, Any] = {}
    for name, value in _members(path):
        parts[name] = value
    missing = [name for name in (*_PARTS, "files") if name not in parts]
    if missing:
        raise _error(path, f"no report of a scan, {missing[0]!r} is missing (rows alone belong in a file named .jsonl)")
    return Scan(parts["run"], parts["summary"], functools.partial(_rows, path))


def _rows(path: Path) -> Iterator[FileRecord]:
    return chain.from_iterable(value for name, value in _members(path) if name == "files")


def _rows_alone(path: Path) -> Iterator[FileRecord]:
    with _opened(path) as text:
        while text.peek():
            yield text.record(FileRecord, "row")


def _members(path: Path) -> Iterator[tuple[str, Any]]:
    """What the report consists of, in its order: names and values; for "files" first [], then [row] for each row."""
    with _opened(path) as text:
        for _ in text.items("{", "}"):
            name = text.record(str, "name")
            text.take(":")
            if name == "files":
                yield name, []
                for number in text.items("[", "]"):
                    yield name, [text.record(FileRecord, f"files[{number}]")]
            elif name not in _PARTS:
                text.value()
            else:
                value = text.record(_PARTS[name], name)
                if name == "schema" and value != SCHEMA:
                    raise _error(path, f"its schema is {value!r:.60}; this version reads {SCHEMA!r}")
                yield name, value
        if text.peek():
            text.fail("broken JSON, there is more after its end")


def _counted(rows: Iterable[FileRecord]) -> tuple[Run, Summary]:
    """What rows alone tell of their run."""
    methods: dict[str, None] = {}
    status: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    broken = 0
    for row in rows:
        methods |= dict.fromkeys(finding.method for finding in row.findings)
        status[row.status] += 1
        labels[row.verdict.label if row.verdict else ""] += 1
        broken += row.status == "failed" or any(finding.error for finding in row.findings)
    uses = tuple(MethodUse(name, "", "", {}, ()) for name in methods)
    run = Run("", "", None, "", "", "", "", 0, None, None, "", uses)
    found = Summary(found=status.total(), scanned=status["ok"], skipped=status["skipped"], failed=broken)
    return run, replace(found, **{label: labels[label] for label in ("generated", "inconclusive", "unflagged")})


def _error(path: Path, what: str) -> ReportError:
    return ReportError(f"{printable(str(path))}: {what}")


@contextmanager
def _opened(path: Path) -> Iterator["_Text"]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _error(path, "not a regular file: a report is read twice, so save it first")
        with open(path, "rb") as stream:
            yield _Text(path, stream)
    except OSError as error:
        raise _error(path, (error.strerror or str(error)).lower()) from error


class _Text:
    """JSON text that is read piece by piece, with the place of what is wrong in it."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self._path = path
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._decode = json.JSONDecoder(parse_int=_whole, parse_float=_finite, parse_constant=_finite).raw_decode
        self._bytes = 0
        self._text = ""
        self._at = 0
        self._begin = 0  # of the value taken last
        self._place = (1, 1)  # line and column of where `_text` starts
        while not self._text and self._more():
            pass
        self._at = int(self._text.startswith("\ufeff"))

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, wanted: str) -> None:
        if self.peek() != wanted:
            self.fail(f"broken JSON, {wanted!r} expected" + ("" if self.peek() else " but the file ends"))
        self._at += 1

    def items(self, start: str, end: str) -> Iterator[int]:
        """Numbers the items of an object or a list; whoever asks takes each item out of the text."""
        self.take(start)
        for number in count() if self.peek() != end else ():
            yield number
            if self.peek() != ",":
                break
            self.take(",")
        self.take(end)

    def value(self) -> Any:
        """The next value, whatever it is."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                early = error.pos < len(self._text) - _NEAR and not error.msg.startswith("Unterminated string")
                if early or not self._more():
                    cut = "" if early else "; the file may have been cut off"
                    self.fail(f"broken JSON, {error.msg[0].lower()}{error.msg[1:]}{cut}", error.pos)
            except RecursionError:
                self.fail("nested too deeply")
            except ValueError as error:
                self.fail(f"broken JSON, {error}")
            else:
                if not isinstance(value, int | float) or len(self._text) - end > _NEAR or not self._more():
                    self._begin, self._at = self._at, end
                    return value

    def record(self, kind: Any, name: str) -> Any:
        """The next value as a `kind`; `name` is what an error calls it."""
        value = self.value()
        if _HALF.search(self._text, self._begin, self._at):
            value = json.loads(encode(value))
        try:
            record = shaped(kind, value, name)
        except WrongShape as wrong:
            self.fail(str(wrong), self._begin)
        if isinstance(record, Record) and (lack := next(_lacking(record.to_json(), value, name), None)):
            self.fail(lack, self._begin)
        return record

    def fail(self, what: str, at: int | None = None) -> NoReturn:
        line, column = self._where(self._at if at is None else at)
        raise _error(self._path, f"line {line}, column {column}: {what}")

    def _where(self, at: int) -> tuple[int, int]:
        line, column = self._place
        newline = self._text.rfind("\n", 0, at)
        return line + self._text.count("\n", 0, at), column + at if newline < 0 else at - newline

    def _more(self) -> bool:
        """Read on, twice as much when that was not enough; False at the end of the file."""
        piece = self._stream.read(max(_PIECE, len(self._text) - self._at))
        try:
            text = self._decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            raise _error(
                self._path, f"byte {self._bytes - len(error.object) + len(piece) + error.start}: not UTF-8"
            ) from error
        self._bytes += len(piece)
        if piece:
            self._place = self._where(self._at)
            self._text, self._at = self._text[self._at :] + text, 0
        return bool(piece)


def _lacking(written: Any, value: Any, place: str) -> Iterator[str]:
    """What is missing in `value`, of which a record was made: whatever the record itself is `written` with."""
    if isinstance(written, dict):
        for name, one in written.items():
            if name in value:
                yield from _lacking(one, value[name], f"{place}.{name}")
            elif name not in _LATER:
                yield f"{place} has no {name!r}"
    elif isinstance(written, list):
        for number, one in enumerate(written):
            yield from _lacking(one, value[number], f"{place}[{number}]")


def _whole(text: str) -> int:
    number = int(text)
    if abs(number) >= 1 << 63:
        raise ValueError(f"{text[:20]} is no whole number of 64 bits")
    return number


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no finite number")
    return number
