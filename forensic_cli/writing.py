"""Makes a file appear whole or not at all, and says beforehand whether it can."""

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from forensic_cli.errors import ReportError
from forensic_cli.text import printable

_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
_STANDARD = {"/dev/stdout": 1, "/dev/stderr": 2}
_ADVICE = {
    errno.ENOSPC: "the disk is full: make room or name another place",
    errno.EDQUOT: "your disk quota is used up: make room or name another place",
    errno.EFBIG: "the file would be larger than is allowed here",
    errno.EISDIR: "is a folder: name a file in it",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "its symbolic links go in a circle",
    errno.EROFS: "lies on a read-only disk: name another place",
}


@contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file at `path` when the block ends well; else the old file stays as it was.

    Symbolic links are followed, the mode of an old file is kept, its owner is not. Pipes and devices are written
    straight. Raises ReportError for what goes wrong with the file; BrokenPipeError if the reader of a pipe has left.
    """
    try:
        if _is_plain(path):
            with _replacing(Path(os.path.realpath(path))) as stream:
                yield stream
        else:
            with _straight(path) as stream:
                yield stream
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ReportError(f"{printable(str(path))}: {_told(path, error)}") from error


def check_writable(path: Path) -> None:
    """Raise the ReportError that `atomic` would raise at the start; leaves nothing behind."""
    try:
        if _is_plain(path):
            part, descriptor = _part(Path(os.path.realpath(path)))
            os.close(descriptor)
            part.unlink()
            return
        number = _number(path)
        if number is not None:
            os.fstat(number)
        elif not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise ReportError(f"{printable(str(path))}: {_told(path, error)}") from error


def _is_plain(path: Path) -> bool:
    """Whether there is a regular file, or nothing yet. Raises IsADirectoryError for a folder."""
    if _number(path) is not None:
        return False
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return True
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return stat.S_ISREG(mode)


def _number(path: Path) -> int | None:
    """The file descriptor that a name like /dev/stdout stands for: what the shell opened must not be replaced."""
    match = _DESCRIPTOR.fullmatch(str(path))
    return int(match[1]) if match else _STANDARD.get(str(path))


def _straight(path: Path) -> BinaryIO:
    number = _number(path)
    return open(path, "wb") if number is None else os.fdopen(os.dup(number), "wb")


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    part, descriptor = _part(target)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(descriptor)
        with suppress(FileNotFoundError):
            os.chmod(part, stat.S_IMODE(target.stat().st_mode))
        os.replace(part, target)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _part(target: Path) -> tuple[Path, int]:
    """A new file beside `target`, opened for writing, with the mode that new files have here."""
    if target.exists() and not os.access(target, os.W_OK):  # a write-protected report is not replaced by a new one
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if len(os.fsencode(target.name)) > 255:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    part = target.with_name(f".forensic-{secrets.token_hex(8)}.part")
    return part, os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)


def _told(path: Path, error: OSError) -> str:
    folder = path.parent
    if error.errno in _ADVICE:
        return _ADVICE[error.errno]
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"there is no folder {printable(str(folder))}: make it first, or name another place"
    if isinstance(error, PermissionError):
        return "no permission to write there: name another place"
    return error.strerror or str(error)
