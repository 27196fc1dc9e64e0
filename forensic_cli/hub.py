"""The one place that speaks with the model hub: looks into its cache, fetches from it, and explains its refusals."""

import errno
import logging
import re
import shutil
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from huggingface_hub import HfApi, constants, errors, get_session, snapshot_download
from huggingface_hub import logging as hub_logging
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from forensic_cli.errors import WeightsError, reason
from forensic_cli.records import Weights

REMEDY = (
    "run `forensic weights pull METHOD` on a connected machine and carry it over with `forensic weights bundle` and "
    "`unbundle`, or pass --weights METHOD=FOLDER"
)
REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_PATIENCE = 5.0  # seconds for an answer of the hub, where the library itself would wait for ever
_HTTP_ERROR: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]  # httpx or httpx2, whichever it runs on


@dataclass(frozen=True)
class Offered:
    """What the hub has: the commit behind the revision asked for, and name and size of the files asked for."""

    revision: str
    files: dict[str, int]


def unpinned(weights: Weights) -> str:
    """In words, what holds a repository that no commit pins to the bytes that are meant; "" for all other weights."""
    if weights.revision or not REPOSITORY.fullmatch(weights.source):
        return ""
    return "not pinned; checked by SHA-256" if weights.sha256 else "nothing pins it"


def offline() -> bool:
    """Whether the environment (HF_HUB_OFFLINE) forbids the network."""
    return constants.is_offline_mode()


def cache() -> Path:
    """The folder in which the hub's own library keeps its downloads."""
    return Path(constants.HF_HUB_CACHE)


def cached(source: str, revision: str | None, files: Sequence[str]) -> Path | None:
    """The snapshot's folder in the hub's cache, named after its commit; None if it is absent or known to be partial."""
    try:
        return Path(snapshot_download(source, revision=revision, allow_patterns=list(files), local_files_only=True))
    except (OSError, ValueError):
        return None


def ask(source: str, revision: str | None, files: Sequence[str]) -> Offered:
    """One quick question without retries. Raises WeightsError if the hub is out of reach or refuses."""
    with _explained(source, revision):
        info = HfApi().model_info(source, revision=revision, files_metadata=True, timeout=_PATIENCE)
    sizes = {one.rfilename: one.size or 0 for one in info.siblings or []}
    wanted = {name: size for name, size in sizes.items() if any(fnmatchcase(name, pattern) for pattern in files)}
    return Offered(info.sha or "", wanted)


def fetch(source: str, revision: str | None, files: Sequence[str]) -> Path:
    """Download what is missing into the hub's cache; the snapshot's folder. Raises WeightsError.

    The hub is asked first, because its library tries for half a minute before it admits that there is no network.
    """
    offered = ask(source, revision, files)
    snapshot = cache() / f"models--{source.replace('/', '--')}" / "snapshots" / offered.revision
    missing = sum(size for name, size in offered.files.items() if not (snapshot / name).is_file())
    _check_space(source, missing)
    with _explained(source, revision):
        _never_wait_for_ever()
        return Path(snapshot_download(source, revision=revision, allow_patterns=list(files), etag_timeout=_PATIENCE))


def _check_space(source: str, needed: int) -> None:
    folder = next(parent for parent in (cache(), *cache().absolute().parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise WeightsError(
            f"{source} needs {needed / 1e6:.0f} MB and {folder} has {free / 1e6:.0f} MB free: make room, or set "
            f"HF_HUB_CACHE to another disk"
        )


def _never_wait_for_ever() -> None:
    hooks = get_session().event_hooks
    if _bounded not in hooks["request"]:
        hooks["request"].append(_bounded)


def _bounded(request: Any) -> None:
    """Give a limit to each phase of a request that has none."""
    limits = request.extensions.get("timeout") or {}
    request.extensions["timeout"] = {
        phase: limits.get(phase) or _PATIENCE for phase in ("connect", "read", "write", "pool")
    }


@contextmanager
def _explained(source: str, revision: str | None) -> Iterator[None]:
    """No words of the library's own, and its errors as one line; its progress bars only for a person who watches."""
    verbosity, silent = hub_logging.get_verbosity(), are_progress_bars_disabled()
    hub_logging.set_verbosity(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not sys.stderr.isatty():
            disable_progress_bars()
        try:
            yield
        except (_HTTP_ERROR, OSError, RuntimeError, ValueError) as error:
            _explain(error, source, revision)
        finally:
            hub_logging.set_verbosity(verbosity)
            if not silent:
                enable_progress_bars()


def _explain(error: Exception, source: str, revision: str | None) -> NoReturn:
    status = getattr(getattr(error, "response", None), "status_code", None)
    hub = urlsplit(constants.ENDPOINT).netloc.rpartition("@")[2]
    if isinstance(error, errors.GatedRepoError):
        text = f"{source} is gated: accept its terms at {constants.ENDPOINT}/{source} and log in with `hf auth login`"
    elif isinstance(error, errors.RepositoryNotFoundError):
        text = f"{source} is no local path, and {hub} has no such repository or wants `hf auth login` for it"
    elif isinstance(error, errors.RevisionNotFoundError):
        text = f"{source} at {hub} has no revision {revision}"
    elif status in (401, 403):
        text = f"{hub} refuses {source} (HTTP {status}): log in with `hf auth login`"
    elif status is not None:
        text = f"{hub} answers HTTP {status} for {source}"
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        text = f"no space left in {cache()} for {source}: make room, or set HF_HUB_CACHE to another disk"
    elif isinstance(error, OSError) and error.filename:
        text = f"{error.filename} cannot be written ({error.strerror}): set HF_HUB_CACHE to a folder you can write to"
    else:
        text = f"{source} cannot be fetched from {hub} ({reason(error.__cause__ or error)})"
    raise WeightsError(f"{text}; {REMEDY}") from error
