"""What a labelled image is, whatever the layout it was found in, and the words that people use for labels."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from forensic_cli.errors import UsageError
from forensic_cli.records import Json
from forensic_cli.text import printable

Class = Literal["photograph", "generated", "handmade"]

PHOTOGRAPH: Class = "photograph"
GENERATED: Class = "generated"
HANDMADE: Class = "handmade"

FOLDERS: Mapping[str, Class] = {
    "real": PHOTOGRAPH,
    "0_real": PHOTOGRAPH,
    "nature": PHOTOGRAPH,
    "fake": GENERATED,
    "1_fake": GENERATED,
    "ai": GENERATED,
    "handmade": HANDMADE,
    "other": HANDMADE,
}
PLAIN_FOLDERS: Mapping[str, Class] = {"real": PHOTOGRAPH, "0_real": PHOTOGRAPH, "fake": GENERATED, "1_fake": GENERATED}
"""Those that mean nothing else, wherever they stand."""
_WORDS: Mapping[str, Class] = {
    **FOLDERS,
    **dict.fromkeys(("0", "false", "natural", "photo", "photograph", "authentic", "camera"), PHOTOGRAPH),
    **dict.fromkeys(("1", "true", "generated", "synthetic", "artificial", "ai_generated"), GENERATED),
}
_GENERATORS = ("generator", "model_name", "model", "source")
_KINDS = ("source", "real_source")


@dataclass(frozen=True, slots=True)
class Labelled:
    """One image and what is known of it.

    `path`: the file; for an image in a Parquet file "FILE#ROW". `generated`: False for photographs and for what people
    make without a generator. `generator`: "" if unknown, and for all that is not generated. `source`: where it comes
    from, the unit that is never split between training and validation. `kind`: "generated", "handmade: painting", or a
    free word for a photograph. `row`: which row of the Parquet file, None for a file of its own.
    """

    path: str
    generated: bool
    generator: str
    source: str
    kind: str
    licence: str = ""
    row: int | None = None

    @property
    def label(self) -> Class:
        """Which of the three it is; photographs and handmade pictures are one class, told apart by `kind`."""
        if self.generated:
            return GENERATED
        return HANDMADE if _is_handmade(self.kind) else PHOTOGRAPH


class Found(NamedTuple):
    """An image in a data set: its name there, the same on every machine, and a word for its content.

    `sha256`: as the data set itself gives it, "" if it does not. `size`: bytes of its file. `split`: train, val, test
    or "". `partner`: the source of the photographs that a generated image is to be compared with, unless there are some
    that are called like its generator.
    """

    item: Labelled
    name: str
    size: int
    sha256: str = ""
    split: str = ""
    partner: str = ""


@dataclass(frozen=True)
class Dataset:
    """All images in the order in which they were met. `left_out`: (path, reason) of each file that is none of them.

    `fingerprint`: a SHA-256 over names within the data set, digests (or sizes, where no digest is given) and labels.
    `pairs`: of each generator, the sources of the photographs that it is compared with; none means all photographs.
    `layout`: what it was read as. `notes`: what a person should know of how it was read, in lines.
    """

    items: tuple[Labelled, ...]
    left_out: tuple[tuple[str, str], ...]
    fingerprint: str
    pairs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    layout: str = ""
    notes: tuple[str, ...] = ()

    def summary(self) -> Json:
        """Numbers of images, for a model card: by label, generator, source, kind and licence, the largest first."""
        labels = Counter(item.label for item in self.items)
        return {
            "images": len(self.items),
            "photographs": labels[PHOTOGRAPH],
            "handmade": labels[HANDMADE],
            "generated": labels[GENERATED],
            "left_out": len(self.left_out),
            "fingerprint": self.fingerprint,
            "generators": self._counted(lambda item: item.generator),
            "sources": self._counted(lambda item: item.source),
            "kinds": self._counted(lambda item: item.kind),
            "licences": self._counted(lambda item: item.licence),
        }

    def _counted(self, word: Callable[[Labelled], str]) -> dict[str, int]:
        numbers = Counter(word(item) for item in self.items)
        numbers.pop("", None)
        return {printable(name): number for name, number in sorted(numbers.items(), key=lambda one: (-one[1], one[0]))}


def class_of(word: str) -> Class | None:
    """What a label means: "fake", "0_real", "1", "AI-generated", ...; None if it is no label."""
    plain = word.strip().lower().replace("-", "_").replace(" ", "_")
    return _WORDS.get(plain.removesuffix(".0"))  # a table that had gaps holds its whole numbers as 1.0


def from_columns(path: str, columns: Mapping[str, str], row: int | None, place: str, origin: str) -> Labelled:
    """The image of one row in a table. `columns`: lower-case names, with "label" among them.

    `place` is what an error calls the row; `origin` the source of images of which the table gives none.
    Raises UsageError if the label is none.
    """
    label = class_of(columns["label"])
    if label is None:
        raise UsageError(f"{place}: the label {columns['label'][:80]!r} is none; write real, fake or other")
    generator = first(columns, *_GENERATORS) if label == GENERATED else ""
    # Community Forensics names the photographs that a generator learnt from; of its images that is not the source.
    named = first(columns, "repo", "source") or (generator if label == GENERATED else columns.get("real_source", ""))
    return Labelled(
        path=path,
        generated=label == GENERATED,
        generator=sys.intern(generator),
        source=sys.intern(named or origin),
        kind=sys.intern(_kind(label, columns)),
        licence=sys.intern(first(columns, "licence", "license")),
        row=row,
    )


def first(columns: Mapping[str, str], *names: str) -> str:
    """The first of the columns `names` that holds anything."""
    return next((columns[name] for name in names if columns.get(name)), "")


def _kind(label: Class, columns: Mapping[str, str]) -> str:
    given = columns.get("kind", "")
    if label == GENERATED:
        return given or label
    if label == HANDMADE:
        word, colon, _ = columns.get("source", "").partition(":")
        given = given or (word.strip() if colon else "")
        return given if _is_handmade(given) else f"{HANDMADE}: {given}" if given else HANDMADE
    make, model = columns.get("make", ""), columns.get("model", "")
    if make and not given:
        return f"camera: {model if model.startswith(make) else f'{make} {model}'.strip()}"
    return given or first(columns, *_KINDS) or label


def _is_handmade(kind: str) -> bool:
    return kind.partition(":")[0] == HANDMADE
