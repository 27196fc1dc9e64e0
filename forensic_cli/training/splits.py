"""Validation on sources that training never saw: whole groups of images are held out, never single files.

A network that has seen a camera, a web site or a generator knows it again; a split of random files would call that skill.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from forensic_cli.datasets import Labelled
from forensic_cli.errors import UsageError
from forensic_cli.statistics.splitting import dealt

By = Literal["source", "generator"]
_Numbers = Counter[str]  # of images by label

_CLASSES = {True: "generated images", False: "photographs"}


@dataclass
class _Group:
    """Images that stay together. `name`: the smallest of the names of their sources."""

    name: str
    rows: list[int] = field(default_factory=list)
    numbers: _Numbers = field(default_factory=Counter)


def folds(items: Sequence[Labelled], count: int, seed: int = 0, by: By = "source") -> list[int]:
    """The fold, 0 to count - 1, of each image: whole groups, with each label spread as evenly as they allow.

    A group is a source with all its images, of whatever label; by "generator", sources that share a named generator are
    one group as well. Independent of the order of the items. Raises UsageError if a fold would have no generated images,
    or no others.
    """
    if count < 2:
        raise UsageError(f"{count} folds are too few; ask for at least 2")
    groups = _groups(items, by, seed)
    total = _sum(groups)
    groups.sort(key=lambda group: -max(group.numbers[label] / total[label] for label in total))
    homes = dealt(
        [[group.numbers[label] for label in total] for group in groups],
        count,
        lambda place, fold: _chance(seed, groups[place].name, fold),
    )
    answer = [0] * len(items)
    filled: list[set[bool]] = [set() for _ in range(count)]
    for group, home in zip(groups, homes, strict=True):
        filled[home] |= _classes(group.numbers)
        for row in group.rows:
            answer[row] = home
    for lacking, words in _CLASSES.items():
        if any(lacking not in fold for fold in filled):
            number = sum(lacking in _classes(group.numbers) for group in groups)
            where = f"{number} {'source' if number == 1 else 'sources'}"
            raise UsageError(f"{words} from {where} cannot be in each of {count} folds; ask for fewer, or add sources")
    return answer


def holdout(items: Sequence[Labelled], share: float, seed: int = 0, by: By = "source", both: bool = True) -> list[bool]:
    """Whether each image is held out for validation: whole groups, as in `folds`, and about `share` of each label.

    Both sides always have both classes, if it takes more than `share`: of two generators one is held out, with its
    photographs. Raises UsageError where that cannot be. Without `both` those classes count that are there.
    """
    if not 0 < share < 1:
        raise UsageError(f"a share of {share:g} cannot be held out; it lies between 0 and 1")
    groups = _groups(items, by, seed)
    total = _sum(groups)
    classes = {True, False} if both else _classes(total)
    held: _Numbers = Counter()
    chosen: set[str] = set()

    def miss(group: _Group | None = None) -> float:
        """How far the share of each label is from the one wanted, if the group is held out too."""
        numbers = held + group.numbers if group else held
        return sum((numbers[label] / total[label] - share) ** 2 for label in total)

    def spare(group: _Group) -> bool:
        """Whether training can do without it."""
        return group.name not in chosen and _classes(total - held - group.numbers) == classes

    for group in groups:
        if spare(group) and miss(group) < miss():
            chosen.add(group.name)
            held += group.numbers
    while lacking := classes - _classes(held):
        able = [group for group in groups if _classes(group.numbers) & lacking and spare(group)]
        if not able:
            raise UsageError(_impossible(groups))
        best = min(able, key=miss)
        chosen.add(best.name)
        held += best.numbers
    answer = [False] * len(items)
    for group in groups:
        for row in group.rows if group.name in chosen else ():
            answer[row] = True
    return answer


def lone_groups(items: Sequence[Labelled], by: By = "source") -> dict[str, list[str]]:
    """The classes ("photographs") whose images are all in one group, each with its sources; nothing of them can be held
    out whole. Classes with fewer than two images are not among them."""
    groups = _groups(items, by, 0)
    found = {}
    for one, words in _CLASSES.items():
        having = [group for group in groups if one in _classes(group.numbers)]
        sources = [items[row].source for group in having for row in group.rows if items[row].generated == one]
        if len(having) == 1 and len(sources) > 1:
            found[words] = sorted(set(sources))
    return found


def _groups(items: Sequence[Labelled], by: By, seed: int) -> list[_Group]:
    """In an order that depends on their names and the seed alone."""
    names = _joined({(item.source, item.generator if by == "generator" else "") for item in items})
    groups: dict[str, _Group] = {name: _Group(name) for name in names.values()}
    for row, item in enumerate(items):
        group = groups[names[item.source]]
        group.rows.append(row)
        group.numbers[item.label] += 1
    return sorted(groups.values(), key=lambda group: _chance(seed, group.name))


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The name of the group of each source: the smallest name that leads to it by way of generators ("" leads nowhere)."""
    above: dict[tuple[str, str], tuple[str, str]] = {}

    def top(node: tuple[str, str]) -> tuple[str, str]:
        path = []
        while (up := above.setdefault(node, node)) != node:
            path.append(node)
            node = up
        above.update(dict.fromkeys(path, node))
        return node

    for source, generator in sorted(pairs):
        one = top(("source", source))
        other = top(("generator", generator)) if generator else one
        above[max(one, other)] = min(one, other)
    names: dict[tuple[str, str], str] = {}
    sources = sorted(name for kind, name in above if kind == "source")
    return {name: names.setdefault(top(("source", name)), name) for name in sources}


def _sum(groups: Iterable[_Group]) -> _Numbers:
    """The labels come in one order: that of sums decides about ties between fractions."""
    total: _Numbers = Counter()
    for group in groups:
        total += group.numbers
    return Counter(dict(sorted(total.items())))


def _classes(numbers: _Numbers) -> set[bool]:
    """True: there are generated images; False: there are others."""
    return {label == "generated" for label, number in numbers.items() if number}


def _chance(seed: int, name: str, draw: int = 0) -> bytes:
    return hashlib.sha256(f"{seed}\0{draw}\0{name}".encode("utf-8", "surrogateescape")).digest()


def _impossible(groups: Sequence[_Group]) -> str:
    for one, words in _CLASSES.items():
        having = [group for group in groups if one in _classes(group.numbers)]
        if len(having) == 1:
            where = f"all {words} are from one source ({having[0].name}) or bound to it"
            return f"{where}, so none would be left to train or to validate on; add another source, or use --holdout 0"
    return "training and validation need generated images and photographs each; add those that are missing"
