"""Everything that can go wrong and be told to a person in one line.

ForensicError
├── UsageError      an option, a name or a file that the user typed
├── PluginError     a plugin that cannot be imported, registers wrongly or breaks its contract
├── WeightsError    weights that cannot be found, fetched, verified or read
├── ImageError      one file that cannot be read or decoded; becomes a row of the report
├── TrainingError   a training that cannot go on
├── Stopped         a file or method failed in a strict scan
├── StoreError      the store of finished scores cannot be used
└── ReportError     a report cannot be read or written
"""

import difflib
import errno
import os
from collections.abc import Iterable


class ForensicError(Exception):
    """Its text is one line: what is wrong, whose it is, and what to do next."""


class UsageError(ForensicError):
    """What the user typed cannot be done."""


class PluginError(ForensicError):
    """Names the distribution, its version and the entry point."""


class WeightsError(ForensicError):
    """Names the source of the weights and the command or option that helps."""


class ImageError(ForensicError):
    """The reason alone; the row that it becomes carries the path."""


class TrainingError(ForensicError):
    """Names the folder, the file or the step, and what to change."""


class Stopped(ForensicError):
    """Names what failed."""


class StoreError(ForensicError):
    """Names the file of the store."""


class ReportError(ForensicError):
    """Names the file of the report."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown `word`: the nearest name that exists, else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"there is {', '.join(names)}" if names else "there is none"


def why(error: OSError | ValueError, path: str, met: bool = False) -> str:
    """The reason in plain words; `met` if `path` was there a moment ago."""
    if isinstance(error, ValueError):  # a NUL, or characters that no file name can hold
        return "not a possible path"
    if error.errno == errno.ELOOP:
        return "symbolic link that leads to itself"
    if error.errno == errno.ENAMETOOLONG:
        return "path longer than the system allows"
    if isinstance(error, FileNotFoundError):
        if os.path.islink(path):
            return "broken symbolic link"
        return "vanished before it was read" if met else "no such file or folder"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return error.strerror or str(error)


def out_of_memory(error: BaseException) -> bool:
    """Whether it is Python's, or any of torch's many ways to say so."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def reason(error: BaseException) -> str:
    """One line for a person out of any exception, after its type if it is not one of ours; at most 300 characters."""
    text = " ".join(str(error).split())
    if not isinstance(error, ForensicError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
