"""What a training learns from and what it is measured on: drawn by source, or as a file says."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from forensic_cli.datasets import Labelled
from forensic_cli.datasets.labelled import PHOTOGRAPH
from forensic_cli.datasets.splits import split_of
from forensic_cli.errors import TrainingError, UsageError, why
from forensic_cli.training.splits import holdout, lone_groups

_NAMED = 3  # sources that an error names
_SOURCE_COLUMNS = ("source", "repo")


@dataclass(frozen=True)
class Division:
    """`known` images are trained on, `unseen` ones never. `doubts`: sentences on what figures from these are worth."""

    known: tuple[Labelled, ...]
    unseen: tuple[Labelled, ...]
    doubts: tuple[str, ...] = ()

    @property
    def held_out(self) -> list[str]:
        """The sources that images are held out of, sorted."""
        return sorted({item.source for item in self.unseen})


def divided(items: Sequence[Labelled], share: float, seed: int, parts: Mapping[str, str] | None = None) -> Division:
    """Hold out about `share` of each label, whole sources and generators at a time, or what `parts` does not call train.

    Of a class that one source alone has, single images are held out, of one whose sources share their generators whole
    sources; a doubt says so.
    Raises UsageError where nothing can be held out or `parts` lacks a source, TrainingError if no photograph is held out.
    """
    if parts is not None:
        return _sided(items, _by_parts(items, parts), ())
    if not share:
        return Division(tuple(items), ())
    lone = lone_groups(items, "generator")
    single = {sources[0] for sources in lone.values() if len(sources) == 1}
    joined = {source for sources in lone.values() if len(sources) > 1 for source in sources}
    loose = [
        replace(item, source=item.path, generator="")
        if item.source in single
        else replace(item, generator="")
        if item.source in joined
        else item
        for item in items
    ]
    doubts = tuple(_doubt(words, sources) for words, sources in lone.items())
    both = any(item.generated for item in items)
    return _sided(items, holdout(loose, share, seed, "generator", both), doubts)


def _doubt(words: str, sources: Sequence[str]) -> str:
    if len(sources) == 1:
        return (
            f"All {words} are from one source ({sources[0]}). Single images of it are held out, so that the figures tell "
            "how well it is known again, not what happens with another."
        )
    return (
        f"All {words} hang together by their generators. Sources are held out, but no generator is new, so that the "
        "figures do not tell what happens with another."
    )


def _by_parts(items: Sequence[Labelled], parts: Mapping[str, str]) -> list[bool]:
    unknown = sorted({item.source for item in items} - parts.keys())
    if unknown:
        more = f" and {len(unknown) - _NAMED} more" * (len(unknown) > _NAMED)
        raise UsageError(
            f"--split says nothing of {', '.join(unknown[:_NAMED])}{more}: give each source of the data a part"
        )
    return [split_of(parts[item.source]) != "train" for item in items]


def _sided(items: Sequence[Labelled], held: Sequence[bool], doubts: tuple[str, ...]) -> Division:
    known = tuple(item for item, out in zip(items, held, strict=True) if not out)
    unseen = tuple(item for item, out in zip(items, held, strict=True) if out)
    for side, words in ((known, "trained on"), (unseen, "held out")):
        if any(item.generated for item in items) and not any(item.generated for item in side):
            raise TrainingError(f"nothing that is {words} is a generated image: hold out other sources")
    if not any(item.label == PHOTOGRAPH for item in unseen):
        raise TrainingError(
            "nothing that is held out is a photograph: add photographs from other sources, or use --holdout 0"
        )
    return Division(known, unseen, doubts)


def read_parts(file: Path) -> dict[str, str]:
    """The part of each source, from a CSV file with the columns source (or repo) and part. Raises UsageError."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise UsageError(f"--split {file}: {why(error, str(file))}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"--split {file}: it is no CSV file ({error})") from error
    names = next((name for name in _SOURCE_COLUMNS if rows and name in rows[0]), None)
    if names is None or "part" not in rows[0]:
        raise UsageError(f"--split {file}: expected a CSV file with the columns source (or repo) and part")
    found: dict[str, str] = {}
    for row in rows:
        source, part = (row[names] or "").strip(), (row["part"] or "").strip()
        if found.setdefault(source, part) != part:
            raise UsageError(f"--split {file}: {source} is both {found[source]} and {part}")
    if "train" not in {split_of(part) for part in found.values()}:
        raise UsageError(f"--split {file}: no source has the part train")
    return found
