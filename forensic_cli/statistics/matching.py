"""Pairs of a photograph and a generated image that look the same from the outside, so that the outside tells nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from forensic_cli.statistics.controls import Outside

CALIPER = (0.2, 0.2)
"""How far the logarithms of pixels and of bytes per pixel may lie apart: 10 % of each side, 20 % of the weight."""
_NEAREST = 16
_ROUNDS = 200
_JITTER = 1e-3  # of the caliper: among many of one size every other one is the nearest


@dataclass(frozen=True)
class Matched:
    """`indices`: the images of all pairs, ascending: (2 x pairs,). `pairs`: (photograph, generated): (pairs, 2).

    `photographs`, `generated`: how many there were before.
    """

    indices: np.ndarray
    pairs: np.ndarray
    photographs: int
    generated: int

    def __str__(self) -> str:
        before = f"{self.photographs:,} photographs and {self.generated:,} generated images"
        return f"matched by format and size: {len(self.pairs):,} of each class, out of {before}"


def match(images: Sequence[Outside], seed: int = 0, groups: Sequence[str] | None = None) -> Matched:
    """Pairs of the two classes: of one format (and one of `groups`), within `CALIPER`, the nearest first.

    No image is in two pairs. The same images in the same order and the same seed give the same pairs.
    """
    labels = np.array([one.generated for one in images], bool)
    names = [
        f"{one.format or one.suffix}\0{group}" for one, group in zip(images, groups or [""] * len(images), strict=True)
    ]
    _, kinds = np.unique(names, return_inverse=True) if names else (None, np.zeros(0, int))
    rows = np.array([_place(one) for one in images], float).reshape(-1, 2) / CALIPER
    draw = np.random.default_rng(seed)
    rows += draw.uniform(-_JITTER, _JITTER, rows.shape)
    pairs = [np.zeros((0, 2), int)]
    for kind in range(int(kinds.max(initial=-1)) + 1):
        real, generated = (np.flatnonzero((kinds == kind) & (labels == label)) for label in (False, True))
        pairs.append(_paired(rows, real, generated))
    found = np.concatenate(pairs)
    return Matched(np.sort(found.ravel()), found, int((~labels).sum()), int(labels.sum()))


def _place(one: Outside) -> tuple[float, float]:
    pixels = max(1, one.width * one.height)
    return np.log(pixels), np.log(max(1, one.bytes) / pixels)


def _paired(rows: np.ndarray, real: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """Pairs of places in `rows`, the nearest first, until none is left within the caliper: (pairs, 2)."""
    found = []
    for _ in range(_ROUNDS):
        if not (len(real) and len(generated)):
            break
        near = min(_NEAREST, len(real))
        limit = 1 + 2 * _JITTER
        distances, others = cKDTree(rows[real]).query(rows[generated], near, p=np.inf, distance_upper_bound=limit)
        distances, others = distances.reshape(len(generated), near), others.reshape(len(generated), near)
        order = np.argsort(distances, axis=None, kind="stable")[: int(np.isfinite(distances).sum())]
        taken_real, taken = np.zeros(len(real), bool), np.zeros(len(generated), bool)
        for place in order:
            one, other = place // near, others.flat[place]
            if not taken[one] and not taken_real[other]:
                taken[one] = taken_real[other] = True
                found.append((real[other], generated[one]))
        if not taken.any():
            break
        real, generated = real[~taken_real], generated[~taken]
    return np.array(found, int).reshape(-1, 2)
