"""Parts of a data set that share no source, the same on every machine."""

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np


def folds(names: Sequence[str], parts: int) -> np.ndarray:
    """The part, 0 to `parts` - 1, of each image by the name of its source: (n,).

    Sources come in the order of their digests, and each goes to the part that holds the fewest images so far.
    """
    counts = Counter(names)
    held = [0] * parts
    homes = {}
    for name in sorted(counts, key=lambda one: hashlib.sha256(one.encode("utf-8", "surrogateescape")).digest()):
        homes[name] = held.index(min(held))
        held[homes[name]] += counts[name]
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
