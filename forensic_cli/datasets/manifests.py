"""A table of files in CSV: which file, which label, and as much of where it comes from as somebody has written down."""

import csv
import math
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import zip_longest

from forensic_cli.datasets.labelled import GENERATED, PLAIN_FOLDERS, Found, Labelled, first, from_columns
from forensic_cli.datasets.layouts import PLAIN, SHELF, Layout
from forensic_cli.datasets.splits import split_of
from forensic_cli.errors import UsageError, why
from forensic_cli.records import Skipped

_FILES = ("file", "path", "filename", "file_name")
_WHAT = ("typ", "src", "generator")  # in published lists: real or nature, or else the generator
_PHOTOGRAPHS = ("real", "nature")


def read_manifest(path: str, layout: Layout | None = None) -> Iterator[Found | Skipped]:
    """The images of one table; paths in it are relative to its folder, columns may stand in any order and letter case.

    Columns: file (or path, filename), label; and if present generator, source, repo, kind, license, make, model, sha256,
    split (or mode). Published lists have typ, src or generator in place of label; of what they name only a part may be
    there. The separator is a comma, a semicolon or a tab. Raises UsageError with the line for a label that is none or
    that the file's folder contradicts, and (but for published lists) for files that are not there.
    """
    layout = layout or SHELF.get(PLAIN)
    folder = os.path.dirname(path)
    origin = os.path.basename(os.path.dirname(os.path.abspath(path)))
    missing = []
    for line, columns in _rows(path):
        name = first(columns, *_FILES)
        place = f"{path}, line {line}"
        if not name:
            raise UsageError(f"{place}: it names no file")
        file = os.path.join(folder, name)
        published = "label" not in columns
        if published:
            columns |= _label(columns)
        item = from_columns(file, columns, None, place, origin)
        _check_folder(place, name, columns["label"], item)
        if published:
            item = _in_its_words(item, name, layout)
        if layout.only and not item.generated and _number(columns.get(layout.only[0], "")) != layout.only[1]:
            yield Skipped(file, f"its {layout.only[0]} is not {layout.only[1]:g}")
            continue
        try:
            status = os.stat(file)
        except (OSError, ValueError) as error:
            if published:
                yield Skipped(file, why(error, file))
            else:
                missing.append(f"{name} (line {line}): {why(error, file)}")
            continue
        if not stat.S_ISREG(status.st_mode):
            missing.append(f"{name} (line {line}): not a regular file")
        elif status.st_size:
            known, split = columns.get("sha256", "").lower(), split_of(first(columns, "split", "mode"))
            yield Found(item, name.replace(os.sep, "/"), status.st_size, known, split)
        else:
            yield Skipped(file, "empty file")
    if missing:
        more = f", and {len(missing) - 1:,} more of its files" if len(missing) > 1 else ""
        raise UsageError(f"{path}: {missing[0]}{more}")


def _label(columns: Mapping[str, str]) -> dict[str, str]:
    """What a published list says in the manner of our own tables."""
    word = next((columns[name] for name in _WHAT if name in columns), "")
    if not word:
        return {"label": ""}
    if word.lower() in _PHOTOGRAPHS or word.lower().startswith("real_"):  # of which collection: real_coco
        return {"label": "real", "source": word if "_" in word else columns.get("source", "")}
    return {"label": "fake", "generator": word}


def _in_its_words(item: Labelled, name: str, layout: Layout) -> Labelled:
    """The generator as the layout spells it; photographs are those of the generator whose folder they lie in."""
    if item.generated:
        usual = layout.generator(item.generator) or item.generator
        return replace(item, generator=usual, source=usual)
    source = next((usual for part in reversed(_folders(name)) if (usual := layout.generator(part))), "")
    return replace(item, source=source) if source else item


def _check_folder(place: str, name: str, label: str, item: Labelled) -> None:
    """Raises UsageError if the folder nearest to the file says the opposite: half of all tables with 0 and 1 mean it so."""
    said = next((word for part in reversed(_folders(name)) if (word := PLAIN_FOLDERS.get(part.lower()))), None)
    if said and (said == GENERATED) != item.generated:
        raise UsageError(
            f"{place}: it is labelled {label!r}, {item.label}, but the folder of {name} says {said}; correct one"
        )


def _folders(name: str) -> list[str]:
    return name.replace(os.sep, "/").split("/")[:-1]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


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
        for wanted, others in ((_FILES, ()), (("label",), _WHAT)):
            if not set(names) & {*wanted, *others}:
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
