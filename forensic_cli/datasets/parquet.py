"""Images inside Parquet files, as Hugging Face stores them: labels are read at once, pictures one by one when asked for."""

import json
import os
import re
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import accumulate
from typing import Any

from forensic_cli import images
from forensic_cli.datasets.labelled import Found, from_columns
from forensic_cli.datasets.splits import split_of
from forensic_cli.errors import ForensicError, ImageError, UsageError, reason

# `image_data` is Community Forensics' name; `image` is that of the datasets library, a struct of bytes and path
_IMAGES = ("image_data", "image")
_SMALL = ("generator", "model_name", "model", "make", "source", "real_source", "repo", "kind", "licence", "license")
_ROWS = 65_536  # of small columns at a time
_PICTURES = 8  # at a time
_BEHIND = 4  # such portions that are kept, for threads that ask out of order
_OPEN = 8  # files
_BUFFER = 1 << 20


def read_parquet(path: str, name: str, origin: str, numbers: Sequence[str] = ()) -> Iterator[Found]:
    """All rows of one file, by their small columns alone. `name`: of the file within its data set; `origin`: see there.

    `numbers`: what 0, 1, ... mean as labels, unless the file says so itself. The split is in a column, or the beginning of
    the file's name, as in test-00000-of-00001.parquet.
    Raises UsageError for a file that cannot be read, lacks a column, or holds a label that is none.
    """
    with _told(UsageError, f"{path}: "):
        file = _opened(path)
        columns = {column.lower(): column for column in file.schema_arrow.names}
        _picture_column(path, file)
        if "label" not in columns:
            raise UsageError(f"{path}: it has no column 'label'; there is {', '.join(columns)[:200]}")
        names = _class_names(file.schema_arrow.metadata, columns["label"]) or numbers
        of_file = split_of(re.split(r"[-_.]", os.path.basename(path))[0])
        size = os.path.getsize(path)
        wanted = {column: columns[column] for column in ("label", "sha256", "split", *_SMALL) if column in columns}
        row = 0
        for batch in file.iter_batches(batch_size=_ROWS, columns=list(wanted.values())):
            for cells in zip(*(batch.column(column).to_pylist() for column in wanted.values()), strict=True):
                texts = dict(zip(wanted, ("" if cell is None else str(cell).strip() for cell in cells), strict=True))
                if names and cells[0] in range(len(names)):
                    texts["label"] = names[cells[0]]
                item = from_columns(f"{path}#{row}", texts, row, f"{path}, row {row}", origin)
                split = split_of(texts.get("split", "")) or of_file
                yield Found(item, f"{name}#{row}", size, texts.get("sha256", "").lower(), split)
                row += 1


def picture(path: str, row: int) -> bytes:
    """The bytes of one image. Raises ImageError."""
    with _told(ImageError):
        status = os.stat(path)
        # a process that was forked off shares the place in an open file with its parent
        found = _pictures(os.path.abspath(path), status.st_size, status.st_mtime_ns, os.getpid()).at(row)
    if isinstance(found, dict):
        if found.get("bytes") is None and found.get("path"):
            return images.read(os.path.join(os.path.dirname(path), found["path"]))[0]
        found = found.get("bytes")
    if isinstance(found, str):  # some writers keep bytes as text of the same code points
        try:
            found = found.encode("latin-1")
        except UnicodeEncodeError as error:
            raise ImageError("text where the bytes of an image should be") from error
    if not found:
        raise ImageError("a row without an image")
    return bytes(found)


class _Pictures:
    """The pictures of one file, a few at a time; cheap in their order, else up to one row group is passed over."""

    def __init__(self, path: str) -> None:
        self._file = _opened(path)
        self._column = _picture_column(path, self._file)
        about = self._file.metadata
        self._starts = [0, *accumulate(about.row_group(group).num_rows for group in range(about.num_row_groups))]
        self._kept: deque[tuple[int, list[Any]]] = deque(maxlen=_BEHIND)
        self._portions: Iterator[Any] = iter(())
        self._next = self._end = 0  # the rows that the iterator stands at and ends before
        self._lock = threading.Lock()

    def at(self, row: int) -> Any:
        with self._lock:
            for start, rows in self._kept:
                if start <= row < start + len(rows):
                    return rows[row - start]
            if not self._next <= row < self._end:
                self._enter(row)
            end, self._end = self._end, 0  # to be entered anew, should the iterator break
            for portion in self._portions:
                start, self._next = self._next, self._next + portion.num_rows
                if row < self._next:
                    rows = portion.column(0).to_pylist()
                    self._kept.append((start, rows))
                    self._end = end
                    return rows[row - start]
            raise ImageError(f"the file has no row {row}, or no longer")

    def _enter(self, row: int) -> None:
        """Stand at the beginning of the row group that the row is in."""
        group = bisect_right(self._starts, row) - 1
        groups = range(self._file.metadata.num_row_groups)[group : group + 1]
        self._next, self._end = self._starts[group], self._starts[group + len(groups)]
        settings = {"row_groups": groups, "columns": [self._column], "use_threads": False}
        self._portions = self._file.iter_batches(batch_size=_PICTURES, **settings)


@lru_cache(maxsize=_OPEN)
def _pictures(path: str, _size: int, _changed: int, _process: int) -> _Pictures:
    return _Pictures(path)


def _opened(path: str) -> Any:
    import pyarrow.parquet as pq  # tens of megabytes: only for who has such files

    return pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)


def _picture_column(path: str, file: Any) -> str:
    from pyarrow import types

    schema = file.schema_arrow
    name = next((column for wanted in _IMAGES for column in schema.names if column.lower() == wanted), None)
    if name is None:
        raise UsageError(f"{path}: it has no column {' or '.join(_IMAGES)!r}; there is {', '.join(schema.names)[:200]}")
    kind = schema.field(name).type
    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    known = (types.is_binary, types.is_large_binary, types.is_string, types.is_large_string)
    if not any(is_known(kind) for is_known in known):
        raise UsageError(f"{path}: its column {name!r} holds {kind}, not the bytes of image files")
    return str(name)


def _class_names(metadata: dict[bytes, bytes] | None, column: str) -> Sequence[str]:
    """What the numbers in a column of labels mean; in the alphabet, and so in many exports, FAKE comes before REAL."""
    try:
        names = json.loads((metadata or {})[b"huggingface"])["info"]["features"][column]["names"]
        return [str(name) for name in names]
    except (KeyError, TypeError, ValueError):
        return []


@contextmanager
def _told(kind: type[ForensicError], whose: str = "") -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except (OSError, ArrowException) as error:
        raise kind(f"{whose}not a Parquet file that can be read; {reason(error)}") from error
