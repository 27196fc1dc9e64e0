"""Every labelled image under every transform, scored by every method; one pass, each file read and decoded once."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from forensic_cli import images
from forensic_cli.datasets import Labelled, content
from forensic_cli.datasets.outsides import outside
from forensic_cli.engine import versions
from forensic_cli.engine.evaluating.measuring.results import NONE, Image
from forensic_cli.engine.passing import Examined, examined
from forensic_cli.errors import ForensicError, ImageError, Stopped, reason
from forensic_cli.paths import Candidate
from forensic_cli.records import Failure, Finding
from forensic_cli.statistics.controls import Outside

if TYPE_CHECKING:
    from forensic_cli.engine.watching import Watch
    from forensic_cli.engine.work import Ready


@dataclass
class Scored:
    """What has been scored so far. `columns`: by (method, transform), one number per image, NaN where there is none.

    `outsides`: what the headers tell, one per image. `unlike`: like `columns`, how unlike a photograph each is.
    """

    images: list[Image] = field(default_factory=list)
    outsides: list[Outside] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    columns: dict[tuple[str, str], array[float]] = field(default_factory=dict)
    unlike: dict[tuple[str, str], array[float]] = field(default_factory=dict)

    def scores(self) -> dict[tuple[str, str], np.ndarray]:
        return {pair: np.asarray(column, float) for pair, column in self.columns.items()}


def score(items: Sequence[Labelled], ready: Ready, watch: Watch) -> Scored:
    """Score all `items`, under the transforms and as they are; `watch` is told of each.

    Raises Stopped when no method is left whose weights could be loaded, and when `watch` was interrupted.
    """
    by_path = {item.path: item for item in items}
    files, scored = _Files(by_path), Scored()
    able = [method.name for method in ready.methods if not method.error]
    for pair in [(method, name) for name in (NONE, *(one.name for one in ready.transforms)) for method in able]:
        scored.columns[pair], scored.unlike[pair] = array("d"), array("d")
    for one in examined(
        _candidates(items),
        ready,
        watch,
        concerns=lambda transform, loaded: transform.applies(by_path[loaded.path].generated),
        read=files.read,
    ):
        why = _take(scored, by_path[one.loaded.path], one, ready, files)
        if why:
            scored.left_out.append((one.loaded.path, why))
        watch.count(failed=bool(why), from_store=one.from_store)
    if watch.interrupted:
        raise Stopped("interrupted; what was scored is kept, the same command goes on from here")
    return scored


def _candidates(items: Sequence[Labelled]) -> Iterator[Candidate | Failure]:
    for item in items:
        file = item.path if item.row is None else item.path.rpartition("#")[0]
        try:
            yield Candidate(item.path, True, os.stat(file))
        except OSError as error:
            yield Failure(item.path, (error.strerror or "cannot be read").lower())


class _Files:
    """The files of a data set, rows of Parquet too; what their headers tell is noted as they are read."""

    def __init__(self, by_path: Mapping[str, Labelled]) -> None:
        self._by_path = by_path
        self._outsides: dict[str, Outside] = {}

    def read(self, path: str) -> tuple[bytes, os.stat_result]:
        item = self._by_path[path]
        if item.row is None:
            data, stat = images.read(path)
        else:
            data, stat = content(item), os.stat(path.rpartition("#")[0])
        with suppress(ImageError, images.NotAnImage):  # whoever decodes it says what is wrong
            self._outsides[path] = outside(item, data)
        return data, stat

    def outside(self, path: str) -> Outside:
        """Of an image that can be read; one whose scores are all known was not read until now."""
        if path not in self._outsides:
            self.read(path)
        return self._outsides.pop(path)


def _take(scored: Scored, item: Labelled, one: Examined, ready: Ready, files: _Files) -> str | None:
    """Note an image and its scores, or tell why it is left out."""
    ref = one.loaded.ref
    if ref is None or one.loaded.status != "ok":
        return one.loaded.reason or "cannot be read"
    try:
        scored.outsides.append(files.outside(item.path))
    except (ForensicError, images.NotAnImage, OSError) as error:  # it has changed under our hands
        return reason(error)
    scored.images.append(
        Image(
            path=item.path,
            sha256=ref.sha256,
            label=item.label,
            generator=item.generator,
            source=item.source,
            kind=item.kind,
            format=ref.format,
            width=ref.width,
            height=ref.height,
            bytes=ref.bytes,
        )
    )
    for method in (method.name for method in ready.methods if not method.error):
        native = one.found.get(method)
        _put(scored, (method, NONE), native, item.path)
        for transform in ready.transforms:
            after = one.found.get(versions.name(method, transform))
            _put(scored, (method, transform.name), after or native, item.path)
    return None


def _put(scored: Scored, pair: tuple[str, str], finding: Finding | None, path: str) -> None:
    value, unlike = (finding.score, finding.unlike) if finding else (None, None)
    scored.columns[pair].append(float("nan") if value is None else value)
    scored.unlike[pair].append(float("nan") if unlike is None else unlike)
    if value is None:
        why = (finding.error if finding else None) or "no score"
        scored.left_out.append((f"{path} [{', '.join(pair)}]", why))
