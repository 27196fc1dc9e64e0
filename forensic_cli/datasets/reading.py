"""From what a person typed to one data set: every image once, under one label."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

from forensic_cli import images
from forensic_cli.datasets.labelled import Dataset, Found, Labelled
from forensic_cli.datasets.layouts import PLAIN, SHELF, Layout, named
from forensic_cli.datasets.manifests import read_manifest
from forensic_cli.datasets.parquet import picture, read_parquet
from forensic_cli.datasets.splits import chosen
from forensic_cli.datasets.trees import MANIFEST, read_side, read_tree
from forensic_cli.errors import UsageError, why
from forensic_cli.records import Skipped
from forensic_cli.text import printable


def content(item: Labelled) -> bytes:
    """The bytes of the image's file, not yet decoded. Raises ImageError."""
    return images.read(item.path)[0] if item.row is None else picture(item.path.rpartition("#")[0], item.row)


def read_dataset(
    paths: Sequence[str] = (),
    layout: str | None = None,
    real: Sequence[str] = (),
    generated: Sequence[str] = (),
    both: bool = True,
    split: str | None = None,
) -> Dataset:
    """All labelled images of folders, manifests (CSV) and Parquet files; no image is opened.

    `layout`: the name of one of `layouts()`, which all `paths` have; None to look. `real`, `generated`: folders of images
    that are one or the other. `both`: both classes must be there. `split`: train, val, test, or "unseen" for test, failing
    that val, failing that all; None for all. A folder with a manifest.csv is that manifest. The same file, or the same
    SHA-256 where a manifest gives it, counts once. Raises UsageError if a path holds no labelled image or does not fit the
    layout, a label is none or contradicts another or its folder, or a class is missing.
    """
    known = named(layout)[0] if layout else None
    gathered = _Gathered([str(failure) for failure in SHELF.failures()])
    for path in paths:
        gathered.add(path, *_within(path, known), split)
    for is_generated, folders in ((False, real), (True, generated)):
        for folder in folders:
            gathered.add(folder, "", _of_side(folder, is_generated, known), split)
    if not gathered.items:
        raise UsageError("name a data set: a folder, a manifest (.csv) or a .parquet file, or folders by --real and --fake")
    number = sum(item.generated for item in gathered.items)
    if both and number in (0, len(gathered.items)):
        there, lacking = ("generated images", "photographs") if number else ("photographs", "generated images")
        option = "--real" if number else "--fake"
        where = ", ".join((*paths, *real, *generated))
        raise UsageError(
            f"{where} has {len(gathered.items):,} {there} and no {lacking}; name a data set that has some as well, "
            f"or a folder of them by {option} where the command takes it"
        )
    return gathered.dataset()


def _within(path: str, layout: str | None) -> tuple[str, Iterable[Found | Skipped]]:
    """The name of the layout, and what is there."""
    try:
        os.stat(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {why(error, path)}") from error
    record = SHELF.get(layout or PLAIN)
    kind = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}.get(os.path.splitext(path)[1].lower(), "")
    if os.path.isdir(path):
        return _within_folder(path, layout, record)
    if not os.path.isfile(path):
        raise UsageError(f"{path}: neither a folder nor a regular file")
    if not kind:
        raise UsageError(
            f"{path}: a data set is a folder, a manifest (.csv) or a .parquet file; folders are {record.shape}"
        )
    if kind not in record.tables:
        raise UsageError(f"{path}: a {kind} file does not fit {layout}, which has {record.shape}")
    if kind == "csv":
        return layout or "manifest", read_manifest(path, record)
    origin = os.path.basename(os.path.dirname(os.path.abspath(path)))
    return layout or "parquet", _rows(path, os.path.basename(path), origin, record)


def _within_folder(path: str, layout: str | None, record: Layout) -> tuple[str, Iterable[Found | Skipped]]:
    manifest = os.path.join(path, MANIFEST)
    if "csv" in record.tables and os.path.isfile(manifest):
        return layout or "manifest", read_manifest(manifest, record)
    if record.tables == "csv":
        raise UsageError(f"{path}: it does not fit {layout}, which has {record.shape}; name the file itself")
    tree = read_tree(path, layout)
    found = list(tree.found)
    for file in tree.parquet:
        found.extend(_rows(file.path, file.below, os.path.basename(os.path.abspath(path)), record))
    return tree.layout, found


def _rows(path: str, name: str, origin: str, record: Layout) -> Iterable[Found]:
    for found in read_parquet(path, name, origin, record.numbers):
        if found.item.generated and not found.item.generator and record.unnamed:
            found = found._replace(item=replace(found.item, generator=record.unnamed, source=record.unnamed))
        yield found


def _of_side(folder: str, generated: bool, layout: str | None) -> Iterable[Found | Skipped]:
    option = "--fake" if generated else "--real"
    manifest = os.path.join(folder, MANIFEST)
    if not os.path.isfile(manifest):
        yield from read_side(folder, generated, layout)
        return
    for found in read_manifest(manifest):
        if isinstance(found, Found) and found.item.generated != generated:
            raise UsageError(f"{option} {folder}: its {MANIFEST} says that {found.name} is {found.item.label}; correct one")
        yield found


class _Gathered:
    """What was found so far, and whether it was there before."""

    def __init__(self, notes: list[str]) -> None:
        self.items: list[Labelled] = []
        self.left_out: list[tuple[str, str]] = []
        self._lines: list[bytes] = []
        self._met: dict[str, int] = {}
        self._partners: dict[str, dict[str, None]] = {}
        self._layouts: dict[str, None] = {}
        self._notes = notes

    def add(self, path: str, layout: str, found: Iterable[Found | Skipped], split: str | None) -> None:
        """All that was found at one place. Raises UsageError if there is nothing to use."""
        items, left_out = len(self.items), len(self.left_out)
        there: list[Found] = []
        for one in found:
            if isinstance(one, Skipped):
                self.left_out.append((one.path, one.reason))
            else:
                there.append(one)
        kept, note = chosen(there, split, path)
        for one in kept:
            self._take(one)
        if len(self.items) == items:
            raise UsageError(f"{path}: {_nothing(self.left_out[left_out:], SHELF.get(layout or PLAIN))}")
        self._layouts |= {layout: None} if layout else {}
        self._notes += [note] if note else []

    def _take(self, found: Found) -> None:
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
        if item.generated:
            self._partners.setdefault(item.generator, {})[found.partner] = None

    def dataset(self) -> Dataset:
        digest = hashlib.sha256()
        for line in sorted(self._lines):
            digest.update(line)
        sources = {item.source for item in self.items if not item.generated}
        pairs = {}
        for name, partners in self._partners.items():
            pairs[name] = (name,) if name in sources else tuple(one for one in partners if one in sources)
        items, left_out = tuple(self.items), tuple(self.left_out)
        return Dataset(items, left_out, digest.hexdigest(), pairs, ", ".join(self._layouts), tuple(self._notes))


def _nothing(left_out: Sequence[tuple[str, str]], layout: Layout) -> str:
    """Why nothing was found."""
    if not left_out:
        return "it is empty"
    path, why_not = left_out[-1]
    return f"it adds no labelled image ({path}: {why_not}); folders are {layout.shape}"
