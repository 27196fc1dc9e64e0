"""What the names of the folders above an image tell: its label, its generator, its source, its split."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from forensic_cli.datasets.labelled import FOLDERS, GENERATED, HANDMADE, PHOTOGRAPH, PLAIN_FOLDERS, Class, Labelled
from forensic_cli.datasets.layouts import Layout, found_in
from forensic_cli.datasets.splits import split_of
from forensic_cli.errors import UsageError

_NEUTRAL = {"images"}
_UP = 3  # so many folders above the one that was typed may still name a generator
_NO_LABEL = "no folder above it is named for a label, such as real or fake"


class Place(NamedTuple):
    """What is true of all images in one folder; see `Labelled` and `Found`."""

    label: Class
    source: str
    kind: str
    split: str
    partner: str

    def image(self, path: str) -> Labelled:
        generated = self.label == GENERATED
        return Labelled(path, generated, self.source if generated else "", self.source, self.kind)


@dataclass(frozen=True)
class Places:
    """How to read the names of folders below `root`.

    `label`: all images have it, whatever is above them; None where folders tell. `trusting`: a person says that it is this
    layout, so that folders it does not know are generators too. `several`: more than one of the layout's sets is there.
    """

    layout: Layout
    root: str
    label: Class | None = None
    trusting: bool = True
    several: bool = False

    def at(self, names: Sequence[str]) -> Place | str:
        """The place of a folder, `names` leading there from the root; or why its images are left out.

        Raises UsageError where names contradict each other.
        """
        for name in names:
            if holds := found_in(self.layout.aside, name):
                return f"its folder holds {holds}"
        label, at = self._label(names)
        if label is None:
            return (
                _NO_LABEL
                if self.layout.labels == "all"
                else f"nothing tells what the folder {[*self._outer(), *names][-1]} holds"
            )
        above, beneath = ([one for one in some if self._tells(one)] for some in (names[: max(at, 0)], names[at + 1 :]))
        source = self._source(label, names, (above or beneath or [""])[0])
        kind = f"{label}: {beneath[0]}" if label == HANDMADE and beneath else label
        split = next((split for name in names if (split := split_of(name))), "")
        partner = self._partner(source, names) if label == GENERATED else ""
        if label == GENERATED and self.several and (group := self._set(names)):
            source = f"{group}/{source}"
        return Place(label, sys.intern(source), sys.intern(kind), split, sys.intern(partner))

    def _label(self, names: Sequence[str]) -> tuple[Class | None, int]:
        """The label, and at which of the names it stands (-1: above all of them, their number: below)."""
        words = FOLDERS if self.layout.labels == "all" and self.label is None else PLAIN_FOLDERS
        labels = [words.get(name.lower()) for name in names]
        if PHOTOGRAPH in labels and GENERATED in labels:
            raise UsageError(f"{os.path.join(self.root, *names)} says both real and fake; rename one of its folders")
        if self.label is not None:
            return self.label, -1
        # a folder named "other" may stand for anything inside or around one of those two
        for label in (PHOTOGRAPH, GENERATED, HANDMADE):
            if label in labels:
                return label, labels.index(label)
        if self.layout.labels == "all":
            return None, -1
        near = names if any(map(self._tells, names)) else [*self._outer(), *names]
        if any(found_in(self.layout.photographs, name) for name in near):
            return PHOTOGRAPH, len(names)
        known = any(self.layout.generator(name) for name in near)
        return (GENERATED, len(names)) if known or self.trusting else (None, -1)

    def _tells(self, name: str) -> bool:
        """Whether a folder's name may be that of a generator or of a source."""
        empty = split_of(name) or name.lower() in _NEUTRAL or name.lower() in PLAIN_FOLDERS
        return not (empty or self.layout.is_class(name) or found_in(self.layout.sets, name))

    def _source(self, label: Class, names: Sequence[str], outermost: str) -> str:
        """The generator; of other images the group of photographs that they are from."""
        layout, outer = self.layout, self._outer()
        near = list(reversed(names if outermost or self.label == PHOTOGRAPH else [*outer, *names]))
        if label != GENERATED:
            group = next((usual for name in near if (usual := found_in(layout.photographs, name))), "")
            group = group or (self._set(names) if layout.sets else "")
            if group:
                return group
        known = next((usual for name in near if (usual := layout.generator(name))), "")
        if known:
            return known
        telling = [name for name in reversed(outer) if self._tells(name) and name.lower() not in FOLDERS]
        return outermost or layout.unnamed or (telling or [os.path.basename(os.path.abspath(self.root))])[0]

    def _set(self, names: Sequence[str]) -> str:
        whole = (*reversed(names), *reversed(self._outer()))
        return next((usual for name in whole if (usual := found_in(self.layout.sets, name))), "")

    def _partner(self, generator: str, names: Sequence[str]) -> str:
        return self._set(names) or self.layout.partner(generator) or generator

    def _outer(self) -> list[str]:
        """The folder that was typed and a few above it, outermost first."""
        return [name for name in os.path.abspath(self.root).split(os.sep) if name][-_UP:]
