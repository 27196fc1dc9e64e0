"""Finds the weights of a network on this machine, fetches them if they are not here, and says exactly which they are."""

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from forensic_cli import digests, hub
from forensic_cli.cache import cache_folder
from forensic_cli.errors import UsageError, WeightsError
from forensic_cli.records import Json, Weights

RECORD = ".forensic-weights.json"  # beside unbundled files: whose they are, and their digests

_RECORD_KEYS = {"source", "revision", "asked", "single", "files"}
_WEIGHT_SUFFIXES = (".safetensors", ".onnx", ".npz")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_PACKAGE = "package:"  # "package:forensic_detectors/commfor/lite": a folder inside an installed package
_PLACE_REMEDY = {
    "package": "install the package anew",
    "local": "get the file anew from where it came from",
    "bundle": "remove that folder and run `forensic weights unbundle` again",
    "hub": "remove that folder and run `forensic weights pull METHOD` again",
}


@dataclass(frozen=True)
class OnDisk:
    """Weights on this machine, not yet read: a folder or a single file, and the commit if it is known."""

    weights: Weights
    path: Path
    revision: str | None
    place: Literal["local", "bundle", "hub", "package"]

    @property
    def files(self) -> dict[str, Path]:
        """What belongs to them, by name relative to the folder, sorted."""
        return {self.path.name: self.path} if self.path.is_file() else matching(self.path, self.weights.files)


@dataclass(frozen=True)
class Located(OnDisk):
    """Weights whose bytes were read: `sha256` is that of a single file, or of the sorted "name NUL digest newline"."""

    sha256: str

    def to_json(self) -> Json:
        return {
            "source": self.weights.source,
            "revision": self.revision,
            "sha256": self.sha256,
            "licence": self.weights.licence,
        }


def find(weights: Weights) -> OnDisk | None:
    """Where these weights lie on this machine, without hashing and without the network; None if they are not here.

    Looked for as a local path, then among unbundled weights, then in the hub's cache. Raises WeightsError for a local
    path that holds no such weights, and for a source that is neither a path nor the name of a repository.
    """
    if weights.source.startswith(_PACKAGE):
        return _packaged(weights)
    local = _local(weights.source)
    if local is not None:
        _check_local(local, weights)
        return OnDisk(weights, local, None, "local")
    unbundled = _unbundled(weights)
    if unbundled is not None:
        return unbundled
    if weights.by_hand:
        return None
    if not hub.REPOSITORY.fullmatch(weights.source):
        raise WeightsError(f"{weights.source}: no such folder or file")
    snapshot = hub.cached(weights.source, weights.revision, weights.files)
    if snapshot is None or absent(snapshot, weights.files):
        return None
    return OnDisk(weights, snapshot, snapshot.name, "hub")


def locate(weights: Weights, offline: bool = False) -> Located:
    """The weights, on this machine and with the bytes that are known beforehand; downloaded if allowed and needed.

    Raises WeightsError with one line that says what is wrong and what helps.
    """
    return identify(find(weights) or _fetched(weights, offline))


def identify(found: OnDisk) -> Located:
    """Read every byte, or remember having read it. Raises WeightsError if a digest is not the expected one."""
    try:
        memory = cache_folder() / "digests.sqlite"
    except UsageError:
        memory = None
    files = found.files
    try:
        seen = {name: digests.remembered(path, memory) for name, path in files.items()}
    except OSError as error:
        raise WeightsError(f"{error.filename}: cannot be read ({error.strerror})") from error
    for name, wanted in expected(found).items():
        if name not in seen:
            raise WeightsError(f"no {name} in {found.path}: {_PLACE_REMEDY[found.place]}")
        if seen[name] != wanted:
            raise WeightsError(
                f"{files[name]}: its SHA-256 begins {seen[name][:12]}, expected is {wanted[:12]}: "
                f"{_PLACE_REMEDY[found.place]}"
            )
    return Located(found.weights, found.path, found.revision, found.place, fingerprint(seen, found.path.is_file()))


def verify(found: OnDisk) -> list[str]:
    """Every file whose bytes on disk are not the expected ones, one line each; nothing is remembered from before."""
    problems = []
    files, wanted = found.files, expected(found)
    for name in sorted(wanted.keys() - files.keys()):
        problems.append(f"{found.path / name}: missing")
    for name, path in files.items():
        try:
            blob = _blob(path)
            if name in wanted and (seen := digests.sha256(path)) != wanted[name]:
                problems.append(f"{path}: its SHA-256 begins {seen[:12]}, expected is {wanted[name][:12]}")
            elif len(blob) == 40 and (seen := digests.git_sha1(path)) != blob:
                problems.append(f"{path}: its git SHA-1 begins {seen[:12]}, expected is {blob[:12]}")
        except OSError as error:
            problems.append(f"{path}: cannot be read ({error.strerror})")
    return problems


def expected(found: OnDisk) -> dict[str, str]:
    """The SHA-256 of files as far as known: from the hub's names for large files, the bundle, and the record itself."""
    blobs = {name: _blob(path) for name, path in found.files.items()}
    known = {name: blob for name, blob in blobs.items() if len(blob) == 64}
    if found.place == "bundle":
        folder = found.path.parent if found.path.is_file() else found.path
        facts = (_record(folder) or {}).get("files", {})
        known |= {name: facts[name]["sha256"] for name in found.files if name in facts}
    return known | dict(found.weights.sha256)


def fingerprint(seen: Mapping[str, str], single: bool) -> str:
    """One digest for a folder out of the digests of its files; a single file has its own."""
    if single:
        return next(iter(seen.values()))
    lines = "".join(f"{name}\0{seen[name]}\n" for name in sorted(seen))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def matching(folder: Path, patterns: Sequence[str]) -> dict[str, Path]:
    """The files below `folder` whose relative name matches, as the hub matches: a star also crosses slashes."""
    found: dict[str, Path] = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(parent, name) for name in names if not name.startswith(".")):
            name = path.relative_to(folder).as_posix()
            if any(fnmatchcase(name, pattern) for pattern in patterns) and path.is_file():
                found[name] = path
    return dict(sorted(found.items()))


def absent(folder: Path, patterns: Sequence[str]) -> str | None:
    """What is needed and not there: a pattern for weights, a plain name, or a shard that an index names."""
    found = matching(folder, patterns)
    for pattern in patterns:
        needed = not any(sign in pattern for sign in "*?[") or pattern.endswith((*_WEIGHT_SUFFIXES, *_PICKLES))
        if needed and not any(fnmatchcase(name, pattern) for name in found):
            return pattern
    for name, path in found.items():
        if name.endswith(".safetensors.index.json"):
            for shard in _shards(path):
                if not (path.parent / shard).is_file():
                    return (Path(name).parent / shard).as_posix()
    return None


def _shards(index: Path) -> list[str]:
    try:
        return sorted({str(shard) for shard in json.loads(index.read_bytes())["weight_map"].values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []  # whoever loads it says what is wrong with it


def _packaged(weights: Weights) -> OnDisk:
    """Weights that came with a package. Raises WeightsError if they are not there."""
    package, _, inside = weights.source.removeprefix(_PACKAGE).partition("/")
    spec = importlib.util.find_spec(package)
    folder = Path(next(iter(spec.submodule_search_locations or ()), ""), inside) if spec else Path(package, inside)
    missing = absent(folder, weights.files)
    if missing:
        raise WeightsError(f"no {missing} in {folder}: install {package.replace('_', '-')} anew")
    return OnDisk(weights, folder, None, "package")


def _local(source: str) -> Path | None:
    if not source.strip():
        raise WeightsError("weights without a source: name a folder, a file or a hub repository (--weights METHOD=...)")
    try:
        path = Path(source).expanduser()
        return path if path.exists() else None
    except OSError as error:
        raise WeightsError(f"{source}: {error.strerror}") from error
    except (RuntimeError, ValueError):  # "~nobody", or a name that no file can have
        return None


def _check_local(path: Path, weights: Weights) -> None:
    patterns = weights.files
    if path.is_file():
        if path.suffix in _PICKLES and not any(pattern.endswith(path.suffix) for pattern in patterns):
            convert = f"`forensic weights convert METHOD {path}` makes safetensors of it"
            cure = convert if weights.pickle else f"{_shape(patterns)} is needed"
            raise WeightsError(f"{path} is a pickle, which can run code when opened: {cure}")
        return
    if not path.is_dir():
        raise WeightsError(f"{path}: neither a folder nor a file")
    if not os.access(path, os.R_OK | os.X_OK):
        raise WeightsError(f"{path}: no permission to read this folder")
    missing = absent(path, patterns)
    if missing is None:
        return
    pickles = sorted(name for name in matching(path, ["*"]) if name.endswith(_PICKLES))
    if pickles and not any(name.endswith(_WEIGHT_SUFFIXES) for name in matching(path, ["*"])):
        raise WeightsError(
            f"no {missing} in {path}: {pickles[0]} is a pickle, which can run code when opened; "
            f"convert it, {_shape(patterns)} is needed"
        )
    raise WeightsError(f"no {missing} in {path}: expected {_shape(patterns)}")


def _shape(patterns: Sequence[str]) -> str:
    if tuple(patterns) == Weights("").files:
        return "a transformers folder with config.json and model.safetensors"
    return f"a folder with {', '.join(patterns)}"


def _fetched(weights: Weights, offline: bool) -> OnDisk:
    if weights.by_hand:
        command = f"forensic weights convert METHOD {Path(weights.pickle).name}"
        raise WeightsError(f"its weights are not here: get {weights.pickle} from {weights.source}, then `{command}`")
    if offline or hub.offline():
        commit = f"@{weights.revision[:12]}" if weights.revision else ""
        raise WeightsError(
            f"{weights.source}{commit} is no local path, not (or not whole) in the caches of this machine, and "
            f"{'--offline' if offline else 'HF_HUB_OFFLINE'} forbids the network; {hub.REMEDY}"
        )
    snapshot = hub.fetch(weights.source, weights.revision, weights.files)
    missing = absent(snapshot, weights.files)
    if missing:
        raise WeightsError(f"{weights.source} has no {missing}: expected {_shape(weights.files)}")
    return OnDisk(weights, snapshot, snapshot.name, "hub")


def bundle_folder(source: str, revision: str) -> Path:
    """Where unbundled weights of this source and revision lie. Raises UsageError if the cache cannot be made."""
    return cache_folder() / "weights" / re.sub(r"[^\w.-]+", "--", source).lstrip(".")[:150] / revision


def _unbundled(weights: Weights) -> OnDisk | None:
    """The newest bundle of that source which fits the revision, if one is asked for."""
    try:
        home = bundle_folder(weights.source, "any").parent
        folders = sorted(home.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
    except (OSError, UsageError):
        return None
    for folder in folders:
        record = _record(folder)
        if record is None or record["source"] != weights.source:
            continue
        if weights.revision not in (None, record["revision"], record["asked"]):
            continue
        if record["single"]:
            return OnDisk(weights, folder / record["single"], record["revision"], "bundle")
        if not absent(folder, weights.files):
            return OnDisk(weights, folder, record["revision"], "bundle")
    return None


def _record(folder: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.keys() >= _RECORD_KEYS else None


def _blob(path: Path) -> str:
    """The hub's name for the content (SHA-256 of large files, git's SHA-1 of small ones), "" if it has none."""
    try:
        target = Path(os.readlink(path))
    except OSError:
        return ""
    return target.name if target.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{40,64}", target.name) else ""
