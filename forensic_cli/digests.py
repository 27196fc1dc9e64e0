"""Digests of large files, remembered so that a gigabyte of weights is not hashed again at every start."""

import hashlib
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

_TOO_YOUNG = 2_000_000_000  # ns: a file changed this recently may change again within one tick of its clock
_PATIENCE = 2.0  # seconds to wait for another process that writes
_TABLE = "CREATE TABLE IF NOT EXISTS digests (path BLOB PRIMARY KEY, state TEXT NOT NULL, sha256 TEXT NOT NULL)"


def sha256(path: Path) -> str:
    """The SHA-256 of a file as it is on disk now. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_sha1(path: Path) -> str:
    """The name that git gives to this content: SHA-1 over a header with its length, then the content."""
    size = path.stat().st_size
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def remembered(path: Path, memory: Path | None) -> str:
    """The SHA-256 of a file, taken from the database `memory` if the file has not been touched since.

    A memory that cannot be read or written only costs time. Raises OSError if the file cannot be read.
    """
    real = path.resolve()
    before = _state(real)
    known = _recall(real, before, memory)
    if known is not None:
        return known
    stat = real.stat()
    settled = time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > _TOO_YOUNG
    digest = sha256(real)
    if settled and _state(real) == before:
        _keep(real, before, digest, memory)
    return digest


def _state(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_ino}"


def _recall(path: Path, state: str, memory: Path | None) -> str | None:
    if memory is None or not memory.is_file():
        return None
    try:
        with closing(sqlite3.connect(memory, timeout=_PATIENCE)) as database:
            query = "SELECT sha256 FROM digests WHERE path = ? AND state = ?"
            row = database.execute(query, (os.fsencode(path), state)).fetchone()
    except sqlite3.Error:
        return None
    return str(row[0]) if row else None


def _keep(path: Path, state: str, digest: str, memory: Path | None) -> None:
    if memory is None:
        return
    try:
        with closing(sqlite3.connect(memory, timeout=_PATIENCE)) as database, database:
            database.execute(_TABLE)
            database.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", (os.fsencode(path), state, digest))
    except sqlite3.Error:
        return
