"""Two halves of a set of images: what is learnt on one is measured on the other."""

from collections.abc import Sequence

import numpy as np

_LEAST = 0.2  # of a class that each half must have


def halves(sources: Sequence[str], labels: Sequence[bool], seed: int = 0) -> np.ndarray:
    """True for the images of the first half: (N,) bool.

    Whole sources lie in one half, be it sources of all images or, failing that, of each class by itself; where a class
    has too few sources for that, its images are drawn one by one.
    """
    names, classes = np.array(sources, object), np.array(labels, bool)
    draw = np.random.default_rng(seed)
    found = _by_source(names, draw)
    if all(_fair(found[classes == label]) for label in (False, True)):
        return found
    for label in (False, True):
        inside = np.flatnonzero(classes == label)
        part = _by_source(names[inside], draw)
        found[inside] = part if _fair(part) else draw.permutation(len(inside)) % 2 == 0
    return found


def _by_source(names: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """The largest source first, each to the half that is smaller so far."""
    different, places, numbers = np.unique(names.astype(str), return_inverse=True, return_counts=True)
    order = np.lexsort((draw.permutation(len(different)), -numbers))
    first = np.zeros(len(different), bool)
    sizes = [0, 0]
    for source in order:
        first[source] = sizes[0] < sizes[1]
        sizes[0 if first[source] else 1] += numbers[source]
    return first[places]


def _fair(part: np.ndarray) -> bool:
    return bool(not len(part) or _LEAST <= part.mean() <= 1 - _LEAST)
