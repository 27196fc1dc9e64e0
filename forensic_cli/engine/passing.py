"""The one pass over images: load, examine, keep, hand on. Whoever scores images goes through here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from forensic_cli.engine.examining import Examiner, Results
from forensic_cli.engine.heatmaps import Heatmaps
from forensic_cli.engine.loading import Listed, Loaded, Loader, Read
from forensic_cli.engine.methods import Method
from forensic_cli.engine.versions import Concerns, Versions
from forensic_cli.errors import Stopped
from forensic_cli.records import Finding
from forensic_cli.store import Forgiving

if TYPE_CHECKING:
    from forensic_cli.engine.watching import Watch
    from forensic_cli.engine.work import Ready

_BATCH_BYTES = 512 << 20  # decoded images in one batch
_BATCH_FILES = 512  # files of a batch that need no work


@dataclass(frozen=True)
class Examined:
    """One file after the pass. `found`: its findings by method, those of altered copies by `versions.name`."""

    loaded: Loaded
    found: dict[str, Finding]
    from_store: bool


def examined(
    found: Iterable[Listed],
    ready: Ready,
    watch: Watch,
    *,
    heatmaps: Path | None = None,
    concerns: Concerns = lambda transform, loaded: True,
    read: Read | None = None,
) -> Iterator[Examined]:
    """Yield everything found, in order, after each method saw it as it is and under each transform of `ready`.

    What the store knows is not computed again, and what is new is kept before it is yielded; a store that fails is left
    alone after one line to `watch`, which is asked between batches whether to end. `heatmaps`: a folder for pictures,
    which the store does not know. `concerns`: whether a transform is made of a file. `read`: gives a file's bytes and
    status. Raises Stopped when no method is left whose weights could be loaded.
    """
    able = [method for method in ready.methods if not method.error]
    store = Forgiving(ready.store, watch.say)
    pictures = Heatmaps(heatmaps, able, ready.runtime.trace, watch.say)
    plain = Examiner(ready.session, able, ready.runtime, ready.batch_size, pictures.draw)
    again = Examiner(ready.session, able, ready.runtime, ready.batch_size)
    altered = Versions(able, ready.transforms, ready.session, ready.workers)
    everyone = [*able, *altered.methods]
    loader = Loader(everyone, store, ready.workers, 2 * ready.batch_size, anew=pictures.methods, read=read)
    loading = loader.load(pictures.besides(found))
    try:
        for group in _groups(loading, lambda: plain.limit):
            copies = zip(plain.examine(group), altered.examine(again, group, concerns), strict=True)
            results = [native | more for native, more in copies]
            _save(store, everyone, group, results)
            for loaded, fresh in zip(group, results, strict=True):
                known = loaded.known | pictures.added(loaded.sha256, fresh)
                yield Examined(loaded, known, from_store=bool(loaded.known) and not fresh)
            pictures.forget()
            if plain.hopeless:
                raise Stopped(f"{plain.hopeless} (no method is left: the scan ends here)")
            if watch.interrupted:
                break
    finally:
        loading.close()


def _groups(loading: Iterable[Loaded | None], limit: Callable[[], int]) -> Iterator[list[Loaded]]:
    """Consecutive files, as many as fit one batch of work; files that need none ride along.

    None says that the source is slow just now: what there is goes out, if only to let the watch be asked.
    """
    group: list[Loaded] = []
    work = size = 0
    for loaded in loading:
        if loaded is None:
            yield group
            group, work, size = [], 0, 0
            continue
        group.append(loaded)
        work += loaded.size > 0
        size += loaded.size
        if work >= limit() or size >= _BATCH_BYTES or len(group) >= _BATCH_FILES:
            yield group
            group, work, size = [], 0, 0
    if group:
        yield group


def _save(store: Forgiving, methods: Sequence[Method], group: Sequence[Loaded], results: Results) -> None:
    """Keep what is new, and the digests of the files that were read for it."""
    of = {method.name: method for method in methods}
    fresh = [
        (
            loaded.ref,
            {of[name].key: one for name, one in found.items() if not one.error and of[name].detector.lasting(one)},
        )
        for loaded, found in zip(group, results, strict=True)
        if loaded.ref and loaded.stat
    ]
    files = [
        (one.path, one.stat, one.sha256, one.read_at) for one in group if one.ref and one.stat and one.sha256 is not None
    ]
    if fresh or files:
        store.save(fresh, files)
