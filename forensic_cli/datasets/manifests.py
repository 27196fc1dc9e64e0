"""A table of files in CSV: which file, which label, and as much of where it comes from as somebody has written down."""

import csv
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest

from forensic_cli.datasets.labelled import Found, first, from_columns
from forensic_cli.errors import UsageError
from forensic_cli.folders import why
from forensic_cli.records import Skipped

_FILES = ("file", "path", "filename", "file_name")


def read_manifest(path: str) -> Iterator[Found | Skipped]:
    """The images of one table; paths in it are relative to its folder, columns may stand in any order and letter case.

    Columns: file (or path, filename), label; and if present generator, source, repo, kind, license, make, model, sha256.
    The separator is a comma, a semicolon or a tab. Raises UsageError with the line for a label that is none, and for
    files that are not there.
    """
    folder = os.path.dirname(path)
    origin = os.path.basename(os.path.dirname(os.path.abspath(path)))
    missing = []
    for line, columns in _rows(path):
        name = first(columns, *_FILES)
        place = f"{path}, line {line}"
        if not name:
            raise UsageError(f"{place}: it names no file")
        file = os.path.join(folder, name)
        item = from_columns(file, columns, None, place, origin)
        try:
            status = os.stat(file)
        except (OSError, ValueError) as error:
            missing.append(f"{name} (line {line}): {why(error, file)}")
            continue
        if not stat.S_ISREG(status.st_mode):
            missing.append(f"{name} (line {line}): not a regular file")
        elif status.st_size:
            yield Found(item, name.replace(os.sep, "/"), status.st_size, columns.get("sha256", "").lower())
        else:
            yield Skipped(file, "empty file")
    if missing:
        more = f", and {len(missing) - 1:,} more of its files" if len(missing) > 1 else ""
        raise UsageError(f"{path}: {missing[0]}{more}")


def _rows(path: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The line on which each row ends, and its columns by lower-case name; empty lines are no rows."""
    with _told(path), open(path, encoding="utf-8-sig", newline="") as stream:
        beginning = stream.readline()
        separator = max(",;\t", key=beginning.count)
        stream.seek(0)
        reader = csv.reader(stream, delimiter=separator, strict=True)
        names = [name.strip().lower() for name in next(reader, [])]
        if not any(names):
            raise UsageError(f"{path}: it is empty")
        for wanted in (_FILES, ("label",)):
            if not set(names) & set(wanted):
                raise UsageError(f"{path}: it has no column {' or '.join(wanted)!r}; there is {', '.join(names)[:200]}")
        for cells in reader:
            if any(cells):
                if len(cells) > len(names):
                    raise UsageError(f"{path}, line {reader.line_num}: {len(cells)} cells for {len(names)} columns")
                yield reader.line_num, dict(zip_longest(names, map(str.strip, cells), fillvalue=""))


@contextmanager
def _told(path: str) -> Iterator[None]:
    """What can go wrong with a text file, in words."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path}: {why(error, path)}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: it is not UTF-8; save it as UTF-8") from error
    except csv.Error as error:
        raise UsageError(f"{path}: it is no CSV that can be read, {error}") from error
