"""What a frozen encoder sees in labelled images, as they are and as they may be met: computed once, kept by content."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from forensic_cli import images
from forensic_cli.cache import cache_folder
from forensic_cli.classifier import Look
from forensic_cli.datasets import Labelled, content
from forensic_cli.errors import ForensicError, TrainingError, UsageError, reason
from forensic_cli.features.encoders import Encoder
from forensic_cli.features.windows import cut
from forensic_cli.formats import NotAnImage
from forensic_cli.training.augmentation import met
from forensic_cli.training.job import Watch

_TOGETHER = 16
_VERSION = 1  # of what happens between a file and its tokens


@dataclass(frozen=True)
class Tokens:
    """`values`: of `items`, in `views` each, (N, V, blocks, 2, width), float16."""

    items: tuple[Labelled, ...]
    values: np.ndarray


def embedded(
    items: Sequence[Labelled], run: Encoder, digest: str, look: Look, views: int, seed: int, workers: int, watch: Watch
) -> Tokens:
    """Each image as it is and in `views - 1` forms as it may be met (augmentation.met), the first crop of each.

    `digest` names the encoder. What cannot be read is told and left out. Raises TrainingError if that is everything.
    """
    facts = {"version": _VERSION, "encoder": digest, "look": asdict(look), "seed": seed}
    stem = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    found: list[np.ndarray] = []
    readable: list[Labelled] = []
    prepare = partial(_prepared, look=look, views=views, seed=seed)
    with closing(_Kept.open()) as kept, ThreadPoolExecutor(max(1, workers)) as pool:
        groups = [items[start : start + _TOGETHER] for start in range(0, len(items), _TOGETHER)]
        for done, (group, contents) in enumerate(_ahead(pool, groups), 1):
            problems = [f"{item.path}: {one}" for item, one in zip(group, contents, strict=True) if isinstance(one, str)]
            fine = [(item, one) for item, one in zip(group, contents, strict=True) if isinstance(one, bytes)]
            keys = [hashlib.sha256(one + stem.encode()).digest() for _, one in fine]
            tokens = kept.get(keys, views)
            missing = [index for index, one in enumerate(tokens) if one is None]
            crops = list(pool.map(prepare, [fine[index][1] for index in missing]))
            for index, some in zip(missing, crops, strict=True):
                if isinstance(some, str):
                    problems.append(f"{fine[index][0].path}: {some}")
                else:
                    tokens[index] = run(some).astype(np.float16)
            kept.put((keys[index], one) for index in missing if (one := tokens[index]) is not None)
            for (item, _), one in zip(fine, tokens, strict=True):
                if one is not None:
                    readable.append(item)
                    found.append(one)
            watch(min(done * _TOGETHER, len(items)), len(items), None, 0.0, tuple(problems))
    if not found:
        raise TrainingError("none of the images could be read")
    return Tokens(tuple(readable), np.stack(found))


def _ahead(
    pool: ThreadPoolExecutor, groups: Sequence[Sequence[Labelled]]
) -> Iterator[tuple[Sequence[Labelled], list[bytes | str]]]:
    """Each group with its files' bytes, or why there are none; the next is read meanwhile."""
    waiting = [pool.map(_read, group) for group in groups[:2]]
    for number, group in enumerate(groups):
        if number + 2 < len(groups):
            waiting.append(pool.map(_read, groups[number + 2]))
        yield group, list(waiting.pop(0))


def _read(item: Labelled) -> bytes | str:
    try:
        return content(item)
    except (ForensicError, OSError) as error:
        return reason(error)


def _prepared(data: bytes, look: Look, views: int, seed: int) -> np.ndarray | str:
    """The crops of an image in all its views (V, size, size, 3), or why it cannot be read."""
    try:
        image = images.decode(data, images.probe(data))
    except (ForensicError, NotAnImage, OSError) as error:
        return reason(error)
    sha256 = hashlib.sha256(data).hexdigest()
    forms = [image]
    for view in range(1, views):
        words = f"{seed}\x1f{sha256}\x1fmet\x1f{view}"
        forms.append(met(image, int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big")))
    return np.stack([cut(one, look)[0].pixels for one in forms])


class _Kept:
    """Tokens of earlier trainings, one SQLite file in the cache folder; where that cannot be used nothing is kept."""

    def __init__(self, database: sqlite3.Connection | None) -> None:
        self._database = database

    @classmethod
    def open(cls) -> _Kept:
        try:
            database = sqlite3.connect(cache_folder() / "tokens.sqlite", timeout=30)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(
                "CREATE TABLE IF NOT EXISTS tokens (key BLOB, view INTEGER, shape TEXT, body BLOB, PRIMARY KEY (key, view))"
            )
        except (sqlite3.Error, UsageError, OSError):
            return cls(None)
        return cls(database)

    def get(self, keys: Sequence[bytes], views: int) -> list[np.ndarray | None]:
        """All views of each, or None where one is missing."""
        found: list[np.ndarray | None] = []
        for key in keys:
            rows = self._rows(key, views)
            shapes = {shape for shape, _ in rows}
            if len(rows) != views or len(shapes) != 1:
                found.append(None)
                continue
            shape = tuple(map(int, shapes.pop().split()))
            found.append(np.stack([np.frombuffer(body, np.float16).reshape(shape) for _, body in rows]))
        return found

    def _rows(self, key: bytes, views: int) -> list[tuple[str, bytes]]:
        if self._database is None:
            return []
        asked = "SELECT shape, body FROM tokens WHERE key = ? AND view < ? ORDER BY view"
        try:
            return list(self._database.execute(asked, (key, views)))
        except sqlite3.Error:
            return []

    def put(self, rows: Iterable[tuple[bytes, np.ndarray]]) -> None:
        if self._database is None:
            return
        lines = [
            (key, view, " ".join(map(str, one.shape)), one.tobytes())
            for key, every in rows
            for view, one in enumerate(every)
        ]
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?)", lines)
        except sqlite3.Error:  # a full disk costs a later training time, not this one its result
            return

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
