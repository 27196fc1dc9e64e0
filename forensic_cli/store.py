"""Scores already computed, by content: an interrupted or repeated scan does only what is missing (SQLite, WAL).

A finding is filed under the SHA-256 of the image's bytes and a key that fixes everything its number depends on. A file's
digest is remembered by path, size, times and inode, so that an unchanged file is not even read again.
"""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from forensic_cli.errors import StoreError
from forensic_cli.records import Finding, ImageRef
from forensic_cli.shapes import shaped

_SCHEMA = """
CREATE TABLE IF NOT EXISTS file (
    path BLOB PRIMARY KEY, size INTEGER, mtime INTEGER, ctime INTEGER, inode INTEGER, sha256 BLOB
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS image (
    sha256 BLOB PRIMARY KEY, bytes INTEGER, format TEXT, width INTEGER, height INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS finding (sha256 BLOB, key BLOB, body TEXT, PRIMARY KEY (sha256, key)) WITHOUT ROWID;
"""
_APPLICATION = 0x464F5253
_VERSION = 1
_SETTLED = 2_000_000_000  # ns; a file changed this shortly before it was read may change again within one clock tick

Known = dict[str, Finding]
Answer = TypeVar("Answer")


class Store:
    """One SQLite file; safe for several threads and several scans at once.

    Every method raises StoreError if the file cannot be used (not ours, disk full, no permission).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        if not path.parent.is_dir():
            raise StoreError(f"there is no folder {path.parent} for the store")
        with self._told():
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._open()

    def _open(self) -> None:
        self._db.execute("PRAGMA busy_timeout = 30000")
        self._check()  # before anything is written to what may be somebody else's
        self._patiently("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._patiently("BEGIN IMMEDIATE")
        try:
            self._check()
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
            self._db.execute(f"PRAGMA user_version = {_VERSION}")
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _check(self) -> None:
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if tables and (application, version) != (_APPLICATION, _VERSION):
            what = f"{self.path} is not a store of this version of forensic"
            raise StoreError(f"{what}: name another with --store, or use --no-store")

    def _patiently(self, statement: str) -> None:
        """Some locks of a store that is just being made do not honour SQLite's own timeout."""
        for _ in range(100):
            try:
                self._db.execute(statement)
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                time.sleep(0.05)
        self._db.execute(statement)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def digests(self, files: Sequence[tuple[str, os.stat_result]]) -> list[str | None]:
        """The SHA-256 of each file, where the file is as it was when it was last read; else None."""
        names = [_name(path) for path, _ in files]
        rows = {row[0]: row[1:] for row in self._select("path, size, mtime, ctime, inode, sha256 FROM file", "path", names)}
        answers = []
        for name, (_, stat) in zip(names, files, strict=True):
            row = rows.get(name)
            answers.append(row[4].hex() if row and row[:4] == _state(stat) else None)
        return answers

    def images(self, digests: Sequence[str]) -> dict[str, ImageRef]:
        """What is known of the bytes with these digests; `path` is left empty."""
        keys = [bytes.fromhex(digest) for digest in digests]
        rows = self._select("sha256, bytes, format, width, height FROM image", "sha256", keys)
        return {row[0].hex(): ImageRef("", row[0].hex(), *row[1:]) for row in rows}

    def findings(self, digests: Sequence[str], keys: dict[str, str]) -> dict[str, Known]:
        """For each digest the findings there are, by method; `keys` maps methods to their keys (hexadecimal)."""
        methods = {bytes.fromhex(key): method for method, key in keys.items()}
        found: dict[str, Known] = {digest: {} for digest in digests}
        blobs = [bytes.fromhex(digest) for digest in digests]
        for digest, key, body in self._select("sha256, key, body FROM finding", "sha256", blobs):
            if key in methods:
                found[digest.hex()][methods[key]] = shaped(Finding, {"method": methods[key], **json.loads(body)})
        return found

    def save(
        self,
        results: Iterable[tuple[ImageRef, dict[str, Finding]]],
        files: Iterable[tuple[str, os.stat_result, str, int]] = (),
    ) -> None:
        """File finished findings (`{key: finding}` for each image) and the digests of files just read; all or nothing.

        A file is a path, its status, its digest and the time (ns) when reading began. The digest of a file that changed
        in the two seconds before is not noted: it may have changed again unseen.
        """
        images, findings = [], []
        for ref, found in results:
            digest = bytes.fromhex(ref.sha256)
            images.append((digest, ref.bytes, ref.format, ref.width, ref.height))
            findings += [(digest, bytes.fromhex(key), _body(finding)) for key, finding in found.items()]
        digests = [
            (_name(path), *_state(stat), bytes.fromhex(digest))
            for path, stat, digest, read_at in files
            if read_at - max(stat.st_mtime_ns, stat.st_ctime_ns) > _SETTLED
        ]
        with self._told(), self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("INSERT OR REPLACE INTO image VALUES (?, ?, ?, ?, ?)", images)
                self._db.executemany("INSERT OR REPLACE INTO finding VALUES (?, ?, ?)", findings)
                self._db.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)", digests)
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def _select(self, what: str, column: str, values: Sequence[bytes]) -> list[tuple[Any, ...]]:
        if not values:
            return []
        marks = ",".join("?" * len(values))
        with self._told(), self._lock:
            rows: list[tuple[Any, ...]] = self._db.execute(f"SELECT {what} WHERE {column} IN ({marks})", values).fetchall()
        return rows

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"the store {self.path} cannot be used ({error}): name another with --store, or use --no-store"
            ) from error


class NoStore:
    """Remembers nothing (--no-store)."""

    def close(self) -> None:
        pass

    def digests(self, files: Sequence[tuple[str, os.stat_result]]) -> list[str | None]:
        return [None] * len(files)

    def images(self, digests: Sequence[str]) -> dict[str, ImageRef]:
        return {}

    def findings(self, digests: Sequence[str], keys: dict[str, str]) -> dict[str, Known]:
        return {digest: {} for digest in digests}

    def save(
        self,
        results: Iterable[tuple[ImageRef, dict[str, Finding]]],
        files: Iterable[tuple[str, os.stat_result, str, int]] = (),
    ) -> None:
        pass


class Forgiving:
    """A store whose failure costs time, never results: one warning, and from then on nothing is remembered."""

    def __init__(self, store: "AnyStore", warn: Callable[[str], None]) -> None:
        self._store = store
        self._warn = warn

    def digests(self, files: Sequence[tuple[str, os.stat_result]]) -> list[str | None]:
        return self._try(lambda store: store.digests(files))

    def images(self, digests: Sequence[str]) -> dict[str, ImageRef]:
        return self._try(lambda store: store.images(digests))

    def findings(self, digests: Sequence[str], keys: dict[str, str]) -> dict[str, Known]:
        return self._try(lambda store: store.findings(digests, keys))

    def save(
        self,
        results: Sequence[tuple[ImageRef, dict[str, Finding]]],
        files: Sequence[tuple[str, os.stat_result, str, int]] = (),
    ) -> None:
        self._try(lambda store: store.save(results, files))

    def _try(self, act: Callable[["AnyStore"], Answer]) -> Answer:
        try:
            return act(self._store)
        except StoreError as error:
            if isinstance(self._store, Store):
                self._warn(f"{error}; this scan goes on without it")
            self._store = NoStore()
            return act(self._store)


AnyStore = Store | NoStore


def _name(path: str) -> bytes:
    return os.fsencode(os.path.abspath(path))


def _state(stat: os.stat_result) -> tuple[int, int, int, int]:
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino & (2**63 - 1)


def _body(finding: Finding) -> str:
    """What of a finding is worth keeping: no method (the key has it), nothing absent."""
    row = {name: value for name, value in finding.to_json().items() if value is not None and name != "method"}
    return json.dumps(row, allow_nan=False)
