"""Where everything that the tool keeps by itself lies: scores, unbundled weights, remembered digests."""

import os
from pathlib import Path

from forensic_cli.errors import UsageError


def cache_folder() -> Path:
    """The folder named by FORENSIC_CACHE, else the platform's; made at first use, for its owner alone.

    Raises UsageError if it cannot be made.
    """
    folder = _chosen()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the cache folder {folder} cannot be made ({error.strerror}): "
            "set FORENSIC_CACHE to a folder that you can write to"
        ) from error
    return folder


def _chosen() -> Path:
    named = os.environ.get("FORENSIC_CACHE")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path  # not needed where the variable is set, nor by --help

    return user_cache_path("forensic", appauthor=False)
