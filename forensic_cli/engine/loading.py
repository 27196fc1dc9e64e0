"""Reads, hashes and decodes files in threads ahead of the detectors, in order and within a bounded number of bytes."""

import os
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from queue import Empty, Full, Queue
from threading import Condition, Thread

import numpy as np

from forensic_cli import images
from forensic_cli.engine.methods import Method
from forensic_cli.errors import ImageError
from forensic_cli.paths import Candidate
from forensic_cli.records import Failure, FileStatus, Finding, ImageRef, Skipped
from forensic_cli.store import Forgiving

Listed = Candidate | Skipped | Failure

_BUDGET = 512 << 20  # bytes of files and pixels that wait for the detectors
_CHUNK = 256  # files looked up in the store at once
_WAITING = 4 * _CHUNK  # files that wait behind one that is still being read
_PATIENCE = 0.2  # seconds without a new path after which a source counts as slow


@dataclass
class Loaded:
    """One file on its way: what the store knows of it, and what the detectors that are missing need."""

    path: str
    status: FileStatus = "ok"
    reason: str | None = None
    sha256: str | None = None
    stat: os.stat_result | None = None
    read_at: int = 0
    ref: ImageRef | None = None
    known: dict[str, Finding] = field(default_factory=dict)
    content: bytes | None = None
    image: np.ndarray | None = None

    @property
    def size(self) -> int:
        return len(self.content or b"") + (self.image.nbytes if self.image is not None else 0)


class Budget:
    """Bytes held at once. The oldest file that was not handed over is always admitted, so nobody waits for ever."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._oldest = 0
        self._closed = False
        self._changed = Condition()

    def acquire(self, ticket: int, amount: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or ticket == self._oldest or self._used + amount <= self._limit)
            self._used += amount

    def release(self, amount: int) -> None:
        with self._changed:
            self._used -= amount
            self._changed.notify_all()

    def hand_over(self, ticket: int, amount: int) -> None:
        """The file of this ticket now belongs to somebody else; the next one is the oldest."""
        with self._changed:
            self._used -= amount
            self._oldest = ticket + 1
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Ahead:
    """Takes things from an iterator in a thread, so that nobody waits for a slow one: a list still being written."""

    def __init__(self, source: Iterable[Listed]) -> None:
        self._queue: Queue[Listed | BaseException | None] = Queue(_WAITING)
        self._closed = False
        Thread(target=self._run, args=(source,), daemon=True, name="forensic-find").start()

    def close(self) -> None:
        self._closed = True

    def chunks(self) -> Iterator[list[Listed]]:
        """What has come by now, at most `_CHUNK` at once; an empty list where nothing comes for a while."""
        while True:
            chunk: list[Listed] = []
            with suppress(Empty):
                while len(chunk) < _CHUNK:
                    item = self._queue.get(timeout=_PATIENCE) if not chunk else self._queue.get_nowait()
                    if item is None or isinstance(item, BaseException):
                        yield chunk
                        if item is not None:
                            raise item
                        return
                    chunk.append(item)
            yield chunk

    def _run(self, source: Iterable[Listed]) -> None:
        last = None
        try:
            for item in source:
                if not self._put(item):
                    return
        except Exception as error:  # raised again where the chunks are taken
            last = error
        self._put(last)

    def _put(self, item: "Listed | BaseException | None") -> bool:
        while not self._closed:
            with suppress(Full):
                self._queue.put(item, timeout=_PATIENCE)
                return True
        return False


Read = Callable[[str], tuple[bytes, os.stat_result]]


class Loader:
    """Brings files to the methods of one run; what the store knows of the methods in `anew` is not asked for.

    `read` gives a file's bytes and its status when they were read.
    """

    def __init__(
        self,
        methods: Sequence[Method],
        store: Forgiving,
        workers: int,
        ahead: int,
        anew: Collection[str] = (),
        read: Read | None = None,
    ) -> None:
        self._names = {method.name for method in methods}
        self._keys = {method.name: method.key for method in methods if method.name not in anew}
        self._pixels = {method.name for method in methods if method.looks_at_pixels}
        self._store = store
        self._read = read or images.read
        self._whole = read is None  # else the status may be that of an archive, whose size says nothing
        self._workers = workers
        self._ahead = ahead + workers
        self._budget = Budget(_BUDGET)

    def load(self, found: Iterable[Listed]) -> Generator[Loaded | None, None, None]:
        """Yield everything found, in order, and None whenever the source is slow.

        The pixels of at most `ahead` files and of a bounded size wait meanwhile.
        """
        waiting: deque[Loaded | tuple[int, Future[Loaded]]] = deque()
        busy = ticket = 0
        feed = Ahead(found)
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="forensic-read")
        try:
            for item in self._looked_up(feed):
                if isinstance(item, Loaded):
                    waiting.append(item)
                elif item is not None:
                    waiting.append((ticket, pool.submit(self._load, ticket, item)))
                    ticket, busy = ticket + 1, busy + 1
                while waiting and (
                    item is None or busy > self._ahead or len(waiting) > _WAITING or isinstance(waiting[0], Loaded)
                ):
                    first = waiting.popleft()
                    busy -= not isinstance(first, Loaded)
                    yield self._take(first)
                if item is None:
                    yield None
            while waiting:
                yield self._take(waiting.popleft())
        finally:
            feed.close()
            self._budget.close()
            pool.shutdown(wait=True, cancel_futures=True)

    def _take(self, item: "Loaded | tuple[int, Future[Loaded]]") -> Loaded:
        if isinstance(item, Loaded):
            return item
        ticket, future = item
        loaded = future.result()
        self._budget.hand_over(ticket, loaded.size)
        return loaded

    def _looked_up(self, feed: Ahead) -> Iterator["Loaded | Candidate | None"]:
        """What the store knows completely is loaded already, without a file being opened."""
        for chunk in feed.chunks():
            candidates = [one for one in chunk if isinstance(one, Candidate)]
            digests = self._store.digests([(one.path, one.stat) for one in candidates])
            digest_of = iter(digests)
            known = [digest for digest in digests if digest]
            refs, findings = self._store.images(known), self._store.findings(known, self._keys)
            for one in chunk:
                if isinstance(one, Skipped):
                    yield Loaded(one.path, "skipped", one.reason)
                elif isinstance(one, Failure):
                    yield Loaded(one.path, "failed", one.reason)
                else:
                    digest = next(digest_of)
                    ref = refs.get(digest) if digest else None
                    if digest and ref and findings[digest].keys() >= self._names:
                        yield Loaded(one.path, sha256=digest, ref=replace(ref, path=one.path), known=findings[digest])
                    else:
                        yield one
            if not chunk:
                yield None

    def _load(self, ticket: int, candidate: Candidate) -> Loaded:
        """Read one file, and decode it if a method that looks at pixels has not seen it yet."""
        loaded = Loaded(candidate.path)
        held = 0
        try:
            held = candidate.stat.st_size if self._whole else 0
            self._budget.acquire(ticket, held)
            loaded.read_at = time.time_ns()
            content, loaded.stat = self._read(candidate.path)
            if not self._whole:
                self._budget.acquire(ticket, len(content))
                held = len(content)
            loaded.sha256 = images.digest(content)
            header = images.probe(content)
            loaded.ref = ImageRef(candidate.path, loaded.sha256, len(content), header.format, header.width, header.height)
            loaded.known = self._store.findings([loaded.sha256], self._keys)[loaded.sha256]
            missing = self._names - loaded.known.keys()
            if missing - self._pixels:
                loaded.content = content
            if missing & self._pixels:
                self._budget.acquire(ticket, header.width * header.height * 3)
                held += header.width * header.height * 3
                loaded.image = images.decode(content, header)
        except images.NotAnImage as error:
            wrong = candidate.named or images.claims_to_be_image(candidate.path)
            loaded.status, loaded.reason = ("failed" if wrong else "skipped"), str(error)
        except ImageError as error:
            loaded.status, loaded.reason = "failed", str(error)
        except MemoryError:
            loaded.status, loaded.reason = "failed", "not enough memory to read it"
        finally:
            self._budget.release(held - loaded.size)
        return loaded
