"""Folders whose names are the labels: GENERATOR/{real,fake,other}/..., or {real,fake,other}/... alone."""

import os
import sys
from collections.abc import Iterator

from forensic_cli.datasets.labelled import FOLDERS, GENERATED, HANDMADE, PHOTOGRAPH, Class, Found, Labelled
from forensic_cli.errors import UsageError
from forensic_cli.formats import claims_to_be_image
from forensic_cli.paths import Candidate, find
from forensic_cli.records import Skipped

MANIFEST = "manifest.csv"
LAYOUTS = "GENERATOR/real and GENERATOR/fake (or 0_real and 1_fake, nature and ai), or real and fake alone"

_SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing", "train2017", "val2017", "images"}
_Place = tuple[Class, str, str]  # class, source, kind


def read_tree(root: str) -> Iterator[Found | Skipped | Candidate]:
    """Every image below `root`; Parquet files are given back as they are, whatever is no image with the reason.

    What a folder means is told by names alone. The outermost folder that is named neither for a label nor for a split is
    the generator, and the source of the photographs beside its images; failing that, the folder directly below the label;
    failing that, `root` itself. Raises UsageError where names contradict each other.
    """
    prefix = root if root.endswith(os.sep) else root + os.sep
    places: dict[str, _Place | None] = {}
    for found in find([root]):
        if not isinstance(found, Candidate):
            yield Skipped(found.path, found.reason)
            continue
        folder, name = os.path.split(found.path)
        if name == MANIFEST:
            raise UsageError(f"{root}: {folder} has a {MANIFEST} of its own; name that folder, and others like it, instead")
        if name.lower().endswith(".parquet"):
            yield found
        elif not claims_to_be_image(name):
            yield Skipped(found.path, "no image, to judge by its name")
        elif not found.stat.st_size:
            yield Skipped(found.path, "empty file")
        else:
            if folder not in places:
                places[folder] = _place(root, folder, (folder + os.sep)[len(prefix) :])
            yield _found(found, prefix, places[folder])


def _found(file: Candidate, prefix: str, place: _Place | None) -> Found | Skipped:
    if place is None:
        return Skipped(file.path, "no folder above it is named for a label, such as real or fake")
    label, source, kind = place
    generated = label == GENERATED
    item = Labelled(file.path, generated, source if generated else "", source, kind)
    return Found(item, file.path[len(prefix) :].replace(os.sep, "/"), file.stat.st_size)


def _place(root: str, folder: str, below: str) -> _Place | None:
    names = [name for name in below.split(os.sep) if name]
    labels = [FOLDERS.get(name.lower()) for name in names]
    if PHOTOGRAPH in labels and GENERATED in labels:
        raise UsageError(f"{folder} says both real and fake; rename one of its folders")
    # a folder named "other" may stand for anything inside or around one of those two
    label = next((label for label in (PHOTOGRAPH, GENERATED, HANDMADE) if label in labels), None)
    if label is None:
        return None
    at = labels.index(label)
    above, beneath = ([name for name in some if name.lower() not in _SPLITS] for some in (names[:at], names[at + 1 :]))
    source = (above or beneath or [os.path.basename(os.path.abspath(root))])[0]
    kind = f"{label}: {beneath[0]}" if label == HANDMADE and beneath else label
    return label, sys.intern(source), sys.intern(kind)
