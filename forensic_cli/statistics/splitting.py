"""Parts of a set of images that share no source, the same on every machine."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

_LEAST = 0.2  # of a class that each half must have


def dealt(groups: Sequence[Sequence[int]], parts: int, chance: Callable[[int, int], bytes] | None = None) -> list[int]:
    """The part, 0 to `parts` - 1, of each group: one after the other goes where it leaves the labels most evenly spread.

    A group is the number of its images by label. Between equals the lowest `chance` of (group, part) decides, or else the
    first part.
    """
    total = [sum(numbers) for numbers in zip(*groups, strict=True)]
    held = [[0] * len(total) for _ in range(parts)]
    homes = []
    for place, group in enumerate(groups):
        costs = [sum(((h + g) ** 2 - h**2) / t**2 for h, g, t in zip(part, group, total, strict=True)) for part in held]
        equals = [part for part in range(parts) if costs[part] == min(costs)]
        home = min(equals, key=lambda part: chance(place, part)) if chance else equals[0]
        held[home] = [h + g for h, g in zip(held[home], group, strict=True)]
        homes.append(home)
    return homes


def folds(names: Sequence[str], parts: int) -> np.ndarray:
    """The part, 0 to `parts` - 1, of each image by the name of its source: (n,).

    Sources come in the order of their digests, and each goes to the part that holds the fewest images so far.
    """
    counts = Counter(names)
    order = sorted(counts, key=lambda one: hashlib.sha256(one.encode("utf-8", "surrogateescape")).digest())
    homes = dict(zip(order, dealt([[counts[name]] for name in order], parts), strict=True))
    return np.array([homes[name] for name in names], int)


def class_folds(real: Sequence[str], generated: Sequence[str], parts: int) -> tuple[np.ndarray, np.ndarray]:
    """The parts of photographs and of generated images. A source that is in both classes stays whole where each class
    has sources of its own or both the same; images of a single source are parted one by one, in the order given.
    """
    if set(real) == set(generated) and len(set(real)) > 1:
        homes = folds([*real, *generated], parts)
        return homes[: len(real)], homes[len(real) :]
    both = []
    for names in (real, generated):
        single = len(set(names)) < 2
        both.append(np.arange(len(names)) % parts if single else folds(names, parts))
    return both[0], both[1]


def halves(sources: Sequence[str], labels: Sequence[bool], seed: int = 0) -> np.ndarray:
    """True for the images of the first half: (N,) bool.

    Whole sources lie in one half, be it sources of all images or, failing that, of each class by itself; where a class
    has too few sources for that, its images are drawn one by one.
    """
    names, classes = np.array(sources, object), np.array(labels, bool)
    draw = np.random.default_rng(seed)
    found = _half(names, draw)
    if all(_fair(found[classes == label]) for label in (False, True)):
        return found
    for label in (False, True):
        inside = np.flatnonzero(classes == label)
        part = _half(names[inside], draw)
        found[inside] = part if _fair(part) else draw.permutation(len(inside)) % 2 == 0
    return found


def _half(names: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Whole sources, the largest first."""
    different, places, numbers = np.unique(names.astype(str), return_inverse=True, return_counts=True)
    order = np.lexsort((draw.permutation(len(different)), -numbers))
    first = np.zeros(len(different), bool)
    first[order] = dealt([[int(number)] for number in numbers[order]], 2)
    return first[places]


def _fair(part: np.ndarray) -> bool:
    return bool(not len(part) or _LEAST <= part.mean() <= 1 - _LEAST)
