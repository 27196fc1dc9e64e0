"""Which images make up a batch: both classes alike, and within each class no generator or source that drowns the others."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from forensic_cli.datasets import Labelled
from forensic_cli.errors import UsageError


class Sampler:
    """Draws images with replacement: half of each batch is generated, half is not.

    Within a class a group (the generator where it is named, else the source) is drawn in proportion to the square root of
    its size, and an image of it uniformly. `weights`: how many times as often groups of a kind are drawn, by the beginning
    of the kind ("handmade": 2.0); the longest beginning that fits counts. `photographs_alone`: no generated image is drawn.
    Raises UsageError for a class without images.
    """

    def __init__(
        self,
        items: Sequence[Labelled],
        batch_size: int,
        seed: int,
        weights: Mapping[str, float] | None = None,
        photographs_alone: bool = False,
    ) -> None:
        self._batch_size = batch_size
        self._seed = seed
        if batch_size < 1:
            raise UsageError(f"a batch of {batch_size} images is none; ask for at least 1")
        prefixes = _Prefixes(weights or {})
        groups: tuple[dict[tuple[str, str], int], ...] = ({}, {})
        numbers = np.empty(len(items), np.int64)  # each image's group, counted within its class
        generated = np.empty(len(items), bool)
        for row, item in enumerate(items):
            generated[row] = item.generated
            names = groups[item.generated]
            numbers[row] = names.setdefault((item.generator or item.source, prefixes.of(item.kind)), len(names))
        factors = ([prefixes.weight(prefix) for _, prefix in names] for names in groups)
        rows = (np.flatnonzero(generated == which) for which in (False, True))
        words = ("photographs", "generated images")[: 1 if photographs_alone else 2]
        self._classes = [
            _Class.of(word, within, numbers[within], factor)
            for word, within, factor in zip(words, rows, factors, strict=False)
        ]

    def batch(self, step: int) -> list[int]:
        """The images of one batch, as numbers into the items, in random order; depends on the seed and the step alone.

        Half of them are generated, if any; of an odd number the last one by chance.
        """
        digest = hashlib.sha256(f"{self._seed}\0{step}\0batch".encode()).digest()
        random = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
        half = (self._batch_size + int(random.random() < 0.5)) // 2
        numbers = [self._batch_size - half, half] if len(self._classes) == 2 else [self._batch_size]
        drawn = np.concatenate([one.draw(random, number) for one, number in zip(self._classes, numbers, strict=True)])
        return [int(row) for row in random.permutation(drawn)]


@dataclass(frozen=True)
class _Class:
    """Images of one class. `rows`: their numbers, group by group; `ends`: the groups' chances, summed up to 1."""

    rows: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, words: str, rows: np.ndarray, groups: np.ndarray, factors: Sequence[float]) -> "_Class":
        sizes = np.bincount(groups, minlength=len(factors))
        ends = np.cumsum(np.sqrt(sizes) * np.asarray(factors, np.float64))
        if not len(rows) or not ends[-1]:
            raise UsageError(f"there are no {words} to draw from; add some, or weigh them with more than 0")
        order = np.argsort(groups, kind="stable")
        return cls(rows[order], np.cumsum(sizes) - sizes, sizes, ends / ends[-1])

    def draw(self, random: np.random.Generator, number: int) -> np.ndarray:
        which = np.searchsorted(self.ends, random.random(number), side="right")  # random() is below 1, ends[-1] is 1
        drawn: np.ndarray = self.rows[self.starts[which] + random.integers(self.sizes[which])]
        return drawn


class _Prefixes:
    """Which weight a kind has."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        for prefix, weight in weights.items():
            if not (math.isfinite(weight) and weight >= 0):
                raise UsageError(f"images of kind {prefix!r} cannot be drawn {weight:g} times as often; give 0 or more")
        self._weights = weights
        self._longest_first = sorted(weights, key=lambda prefix: -len(prefix))
        self._known: dict[str, str] = {}

    def of(self, kind: str) -> str:
        """The beginning of `kind` that has a weight, "" if none has."""
        known = self._known.get(kind)
        if known is None:
            known = next((prefix for prefix in self._longest_first if kind.startswith(prefix)), "")
            self._known[kind] = known
        return known

    def weight(self, prefix: str) -> float:
        return self._weights.get(prefix, 1.0)
