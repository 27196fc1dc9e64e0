"""From what a person typed to one data set: every image once, under one label."""

import hashlib
import os
from collections.abc import Iterator, Sequence

from forensic_cli import images
from forensic_cli.datasets.labelled import Dataset, Found, Labelled
from forensic_cli.datasets.manifests import read_manifest
from forensic_cli.datasets.parquet import picture, read_parquet
from forensic_cli.datasets.trees import LAYOUTS, MANIFEST, read_tree
from forensic_cli.errors import UsageError
from forensic_cli.folders import why
from forensic_cli.records import Skipped, printable


def content(item: Labelled) -> bytes:
    """The bytes of the image's file, not yet decoded. Raises ImageError."""
    return images.read(item.path)[0] if item.row is None else picture(item.path.rpartition("#")[0], item.row)


def read_dataset(paths: Sequence[str]) -> Dataset:
    """All labelled images of folders, manifests (CSV) and Parquet files; no image is opened.

    A folder with a manifest.csv is that manifest. The same file, or the same SHA-256 where a manifest gives it, counts
    once. Raises UsageError if a path holds no labelled image, a label is none or contradicts another, or all of them
    together are of one class.
    """
    gathered = _Gathered()
    for path in paths:
        items, left_out = len(gathered.items), len(gathered.left_out)
        for found in _within(path):
            gathered.take(found)
        if len(gathered.items) == items:
            raise UsageError(f"{path}: {_nothing(gathered.left_out[left_out:])}")
    generated = sum(item.generated for item in gathered.items)
    if generated in (0, len(gathered.items)):
        there, lacking = ("generated images", "photographs") if generated else ("photographs", "generated images")
        number = f"{len(gathered.items):,}"
        raise UsageError(f"{', '.join(paths)} has {number} {there} and no {lacking}; name a data set that has some as well")
    return gathered.dataset()


def _within(path: str) -> Iterator[Found | Skipped]:
    try:
        os.stat(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {why(error, path)}") from error
    suffix = os.path.splitext(path)[1].lower()
    if os.path.isdir(path):
        yield from _within_folder(path)
    elif not os.path.isfile(path):
        raise UsageError(f"{path}: neither a folder nor a regular file")
    elif suffix in (".csv", ".tsv"):
        yield from read_manifest(path)
    elif suffix == ".parquet":
        yield from read_parquet(path, os.path.basename(path), os.path.basename(os.path.dirname(os.path.abspath(path))))
    else:
        raise UsageError(f"{path}: a data set is a folder, a manifest (.csv) or a .parquet file; folders are {LAYOUTS}")


def _within_folder(path: str) -> Iterator[Found | Skipped]:
    manifest = os.path.join(path, MANIFEST)
    if os.path.isfile(manifest):
        yield from read_manifest(manifest)
        return
    for found in read_tree(path):
        if isinstance(found, Found | Skipped):
            yield found
        else:
            name = os.path.relpath(found.path, path).replace(os.sep, "/")
            yield from read_parquet(found.path, name, os.path.basename(os.path.abspath(path)))


class _Gathered:
    """What was found so far, and whether it was there before."""

    def __init__(self) -> None:
        self.items: list[Labelled] = []
        self.left_out: list[tuple[str, str]] = []
        self._lines: list[bytes] = []
        self._met: dict[str, int] = {}

    def take(self, found: Found | Skipped) -> None:
        if isinstance(found, Skipped):
            self.left_out.append((found.path, found.reason))
            return
        item = found.item
        number = len(self.items)
        marks = {"file": os.path.abspath(item.path)} | ({"SHA-256": found.sha256} if found.sha256 else {})
        for what, mark in marks.items():
            other = self.items[self._met[mark]] if mark in self._met else None
            if other and other.generated != item.generated:
                both = f"{item.path} is {item.label}, {other.path} is {other.label}"
                raise UsageError(f"{both}, and they have the same {what}; correct one of the labels")
            if other:
                self.left_out.append((item.path, f"the same {what} as {other.path}"))
                return
        self._met.update(dict.fromkeys(marks.values(), number))
        self.items.append(item)
        self._lines.append(f"{printable(found.name)}\0{found.sha256 or found.size}\0{item.label}\n".encode())

    def dataset(self) -> Dataset:
        digest = hashlib.sha256()
        for line in sorted(self._lines):
            digest.update(line)
        return Dataset(tuple(self.items), tuple(self.left_out), digest.hexdigest())


def _nothing(left_out: Sequence[tuple[str, str]]) -> str:
    """Why nothing was found."""
    if not left_out:
        return "it is empty"
    path, why_not = left_out[-1]
    return f"it adds no labelled image ({path}: {why_not}); folders are {LAYOUTS}"
