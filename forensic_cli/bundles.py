"""Carries weights to machines without a network: one tar file out, every byte of it checked on the way in."""

import hashlib
import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from forensic_cli import digests
from forensic_cli.cache import cache_folder
from forensic_cli.errors import UsageError, WeightsError
from forensic_cli.records import Json
from forensic_cli.weights import RECORD, Located, bundle_folder, fingerprint

SCHEMA = "forensic/weights/1"
Progress = Callable[[int, int], None]  # bytes done, bytes in all

_MANIFEST = "manifest.json"
_MANIFEST_LIMIT = 16 << 20
_BLOCK = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")
_REVISION = re.compile(r"\w[\w.-]{0,99}")


@dataclass(frozen=True)
class Unbundled:
    """Weights that a bundle brought. `revision` is None for weights that have none."""

    source: str
    revision: str | None
    folder: Path
    files: int


def bundle(located: Iterable[Located], target: Path, progress: Progress = lambda done, whole: None) -> int:
    """Write these weights into one tar file, which appears whole or not at all; its size in bytes.

    Raises WeightsError if a file changes meanwhile or the target cannot be written.
    """
    sources = _merged(located)
    entries = [_entry(parts) for parts in sources]
    whole = sum(facts["size"] for entry in entries for facts in entry["files"].values())
    done = 0

    def moved(count: int) -> None:
        nonlocal done
        done += count
        progress(done, whole)

    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with tarfile.open(part, "w") as archive:
            manifest = json.dumps({"schema": SCHEMA, "entries": entries}, indent=1).encode()
            archive.addfile(_member(_MANIFEST, len(manifest)), BytesIO(manifest))
            for number, (parts, entry) in enumerate(zip(sources, entries, strict=True)):
                for name, facts in entry["files"].items():
                    _pack(archive, f"{number}/{name}", _path(parts, name), facts, moved)
        os.replace(part, target)
    except OSError as error:
        raise WeightsError(f"{target}: cannot be written ({error.strerror or error})") from error
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def unbundle(file: Path, progress: Progress = lambda done, whole: None) -> list[Unbundled]:
    """Unpack a bundle into the cache, where `locate` finds it, and only after every digest was found right.

    A bundle is as trustworthy as whoever made it: it says itself which source its bytes are from. Raises WeightsError
    for a file that is no bundle, is damaged, or holds anything that its manifest does not name.
    """
    if not file.is_file():
        raise WeightsError(f"{file}: no such file")
    try:
        home = cache_folder() / "weights"
        home.mkdir(exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=home))
    except (OSError, UsageError) as error:
        raise WeightsError(f"weights cannot be unpacked into the cache: {error}") from error
    try:
        with file.open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            entries = _manifest(archive, file)
            _unpack(archive, file, entries, stage, progress)
        return [_settle(stage / str(number), entry) for number, entry in enumerate(entries)]
    except (tarfile.TarError, EOFError) as error:
        raise WeightsError(f"{file}: no bundle of weights, or cut short ({error}): copy it again") from error
    except OSError as error:
        raise WeightsError(f"{file}: cannot be unpacked into {home} ({error.strerror or error})") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _merged(located: Iterable[Located]) -> list[list[Located]]:
    """Weights of one source and revision together: two methods may need different files of it."""
    groups: dict[tuple[str, str | None], list[Located]] = {}
    for one in located:
        groups.setdefault((one.weights.source, one.revision), []).append(one)
    return list(groups.values())


def _entry(parts: list[Located]) -> Json:
    first = parts[0]
    files = {name: path for part in parts for name, path in part.files.items()}
    try:
        facts = {n: {"sha256": digests.sha256(p), "size": p.stat().st_size} for n, p in sorted(files.items())}
    except OSError as error:
        raise WeightsError(f"{error.filename}: cannot be read ({error.strerror})") from error
    return {
        "source": first.weights.source,
        "revision": first.revision,
        "asked": first.weights.revision,
        "licence": first.weights.licence,
        "single": first.path.name if first.path.is_file() else None,
        "files": facts,
    }


def _path(parts: list[Located], name: str) -> Path:
    return next(part.files[name] for part in parts if name in part.files)


def _member(name: str, size: int) -> tarfile.TarInfo:
    """Without time and owner, so that the same weights make the same bundle."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member


class _Tee:
    """Reads a file and hashes what was read."""

    def __init__(self, file: IO[bytes], moved: Callable[[int], None]) -> None:
        self._file = file
        self._moved = moved
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        self.digest.update(block)
        self._moved(len(block))
        return block


def _pack(archive: tarfile.TarFile, name: str, path: Path, facts: Json, moved: Callable[[int], None]) -> None:
    with path.open("rb") as file:
        tee = _Tee(file, moved)
        archive.addfile(_member(name, facts["size"]), tee)
    if tee.digest.hexdigest() != facts["sha256"]:
        raise WeightsError(f"{path}: changed while it was being bundled; try again")


def _manifest(archive: tarfile.TarFile, file: Path) -> list[Json]:
    member = archive.next()
    if member is None or member.name != _MANIFEST or member.type != tarfile.REGTYPE or member.size > _MANIFEST_LIMIT:
        raise WeightsError(f"{file}: no bundle made by `forensic weights bundle`: it does not begin with {_MANIFEST}")
    text = archive.extractfile(member)
    assert text is not None
    try:
        manifest = json.loads(text.read())
        if manifest["schema"] != SCHEMA:
            raise WeightsError(f"{file}: a bundle of kind {manifest['schema']!r}, this version reads {SCHEMA}")
        entries: list[Json] = manifest["entries"]
        for entry in entries:
            _check(entry)
        promised = sum(facts["size"] for entry in entries for facts in entry["files"].values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{file}: its {_MANIFEST} cannot be used ({error})") from error
    if promised > file.stat().st_size:
        raise WeightsError(f"{file}: cut short, its {_MANIFEST} promises {promised} bytes of weights: copy it again")
    return entries


def _check(entry: Json) -> None:
    """ValueError, KeyError or TypeError unless everything in the entry may be trusted as a name or a number."""
    source, revision, single = entry["source"], entry["revision"], entry["single"]
    if not isinstance(source, str) or not source.strip(" .") or not source.isprintable():
        raise ValueError(f"source {source!r}")
    if revision is not None and not _REVISION.fullmatch(revision):
        raise ValueError(f"revision {revision!r}")
    if not isinstance(entry["asked"], str | None) or not isinstance(entry["licence"], str):
        raise ValueError("revision asked for, or licence")
    if not entry["files"] or (single is not None and list(entry["files"]) != [single]):
        raise ValueError("files do not fit")
    for name, facts in entry["files"].items():
        hidden = any(part.startswith(".") or not part for part in name.split("/"))
        if hidden or not name.isprintable() or any(sign in name for sign in '\\:*?"<>|'):
            raise ValueError(f"file name {name!r}")
        if not _DIGEST.fullmatch(facts["sha256"]) or type(facts["size"]) is not int or facts["size"] < 0:
            raise ValueError(f"digest or size of {name!r}")


def _unpack(archive: tarfile.TarFile, file: Path, entries: list[Json], stage: Path, progress: Progress) -> None:
    waiting: dict[str, Json] = {
        f"{number}/{name}": facts for number, entry in enumerate(entries) for name, facts in entry["files"].items()
    }
    done, whole = 0, sum(facts["size"] for facts in waiting.values())
    while (member := archive.next()) is not None:
        facts: Any = waiting.pop(member.name, None)
        if facts is None or member.type != tarfile.REGTYPE or member.issparse() or member.size != facts["size"]:
            raise WeightsError(f"{file}: holds {member.name!r}, which its {_MANIFEST} does not name so")
        source = archive.extractfile(member)
        assert source is not None
        target = stage / member.name
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with target.open("xb") as sink:
            while block := source.read(_BLOCK):
                digest.update(block)
                sink.write(block)
                done += len(block)
                progress(done, whole)
        if digest.hexdigest() != facts["sha256"]:
            raise WeightsError(
                f"{file}: {member.name} has SHA-256 {digest.hexdigest()[:12]}, expected is {facts['sha256'][:12]}: "
                "the bundle is damaged, copy it again"
            )
    if waiting:
        raise WeightsError(f"{file}: cut short, {next(iter(waiting))} is missing: copy it again")


def _settle(folder: Path, entry: Json) -> Unbundled:
    """Put an unpacked folder in its place, together with other files of the same revision that are there already."""
    seen = {name: facts["sha256"] for name, facts in entry["files"].items()}
    place = bundle_folder(entry["source"], entry["revision"] or fingerprint(seen, bool(entry["single"])))
    before: Json = {}
    with suppress(OSError, ValueError, KeyError):
        before = dict(json.loads((place / RECORD).read_bytes())["files"])
    for name in before.keys() - seen.keys():
        if (place / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(place / name, folder / name)
    files = {name: facts for name, facts in before.items() if (folder / name).is_file()} | entry["files"]
    (folder / RECORD).write_text(json.dumps({**entry, "files": files}, indent=1), "utf-8")
    place.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".replaced-", dir=place.parent.parent) as old:
        if place.exists():
            os.replace(place, Path(old) / "weights")
        os.replace(folder, place)
    return Unbundled(entry["source"], entry["revision"], place, len(seen))
