"""Every labelled image under every transform, scored by every method; one pass, each file read and decoded once."""

import os
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np

from forensic_cli import images
from forensic_cli.datasets import Labelled, content
from forensic_cli.datasets.outsides import outside
from forensic_cli.detector import Session
from forensic_cli.engine import versions
from forensic_cli.engine.evaluating.results import NONE, Image
from forensic_cli.engine.examining import Examiner, Results, Runtime
from forensic_cli.engine.loading import Loaded, Loader
from forensic_cli.engine.methods import Method
from forensic_cli.engine.scan import groups, save
from forensic_cli.engine.versions import Versions
from forensic_cli.errors import ForensicError, ImageError, Stopped, reason
from forensic_cli.paths import Candidate
from forensic_cli.records import Failure, Finding, Summary
from forensic_cli.statistics.controls import Outside
from forensic_cli.store import AnyStore, Forgiving
from forensic_cli.transforms import Transform


@dataclass
class Scored:
    """What has been scored so far. `columns`: by (method, transform), one number per image, NaN where there is none.

    `outsides`: what the headers tell, one per image.
    """

    images: list[Image] = field(default_factory=list)
    outsides: list[Outside] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    columns: dict[tuple[str, str], "array[float]"] = field(default_factory=dict)
    summary: Summary = field(default_factory=Summary)
    started: float = field(default_factory=perf_counter)

    def count(self, *, failed: bool, from_store: bool) -> None:
        """One more image is done."""
        old = self.summary
        self.summary = Summary(
            found=old.found + 1,
            failed=old.failed + failed,
            from_store=old.from_store + from_store,
            seconds=perf_counter() - self.started,
        )

    def scores(self) -> dict[tuple[str, str], np.ndarray]:
        return {pair: np.asarray(column, float) for pair, column in self.columns.items()}


@dataclass(frozen=True)
class Work:
    """How to score: `watch` is told after each image how many are done, `stop` asked between batches."""

    methods: Sequence[Method]
    transforms: Sequence[Transform]
    session: Session
    store: AnyStore
    runtime: Runtime
    batch_size: int
    workers: int
    warn: Callable[[str], None] = lambda line: None
    watch: Callable[[Summary], None] = lambda summary: None
    stop: Callable[[], bool] = lambda: False


def score(items: Sequence[Labelled], work: Work) -> Scored:
    """Score all `items`, under the transforms and as they are. What the store knows is not computed again.

    Raises Stopped when no method is left whose weights could be loaded, and when `stop` says so.
    """
    able = [method for method in work.methods if not method.error]
    altered = Versions(able, work.transforms, work.session, work.workers)
    everyone = [*able, *altered.methods]
    store = Forgiving(work.store, work.warn)
    plain, anew = (Examiner(work.session, able, work.runtime, work.batch_size) for _ in range(2))
    by_path = {item.path: item for item in items}
    files, scored = _Files(by_path), Scored()
    for pair in [(method.name, name) for name in (NONE, *(one.name for one in work.transforms)) for method in able]:
        scored.columns[pair] = array("d")
    loader = Loader(everyone, store, work.workers, 2 * work.batch_size, read=files.read)
    loading = loader.load(_candidates(items))
    try:
        for group in groups(loading, plain):
            results = _merged(
                plain.examine(group),
                altered.examine(anew, group, lambda transform, loaded: transform.applies(by_path[loaded.path].generated)),
            )
            save(store, everyone, group, results)
            for loaded, fresh in zip(group, results, strict=True):
                if loaded.ref and loaded.status == "ok":
                    try:
                        scored.outsides.append(files.outside(loaded.path))
                    except (ForensicError, images.NotAnImage, OSError) as error:  # it has changed under our hands
                        loaded = replace(loaded, status="failed", reason=reason(error))
                _take(scored, by_path[loaded.path], loaded, fresh, able, work.transforms)
                work.watch(scored.summary)
            if plain.hopeless:
                raise Stopped(plain.hopeless)
            if work.stop():
                raise Stopped("interrupted; what was scored is kept, the same command goes on from here")
    finally:
        loading.close()
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


def _merged(*several: Results) -> Results:
    return [{name: finding for one in row for name, finding in one.items()} for row in zip(*several, strict=True)]


def _take(
    scored: Scored,
    item: Labelled,
    loaded: Loaded,
    fresh: dict[str, Finding],
    methods: Sequence[Method],
    chosen: Sequence[Transform],
) -> None:
    ref = loaded.ref
    scored.count(failed=loaded.status != "ok", from_store=bool(loaded.known) and not fresh)
    if ref is None or loaded.status != "ok":
        scored.left_out.append((item.path, loaded.reason or "cannot be read"))
        return
    found = {**loaded.known, **fresh}
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
    for method in methods:
        native = found.get(method.name)
        _put(scored, (method.name, NONE), native, item.path)
        for transform in chosen:
            after = found.get(versions.name(method.name, transform))
            _put(scored, (method.name, transform.name), after or native, item.path)


def _put(scored: Scored, pair: tuple[str, str], finding: Finding | None, path: str) -> None:
    value = finding.score if finding else None
    scored.columns[pair].append(float("nan") if value is None else value)
    if value is None:
        why = (finding.error if finding else None) or "no score"
        scored.left_out.append((f"{path} [{', '.join(pair)}]", why))
