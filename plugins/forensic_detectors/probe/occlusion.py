"""Where in a picture the evidence lies: by how much the score falls when a part of it is blurred away.

Zeiler and Fergus 2014 (arXiv:1311.2901, section 4.2), with a blur in place of grey. Says what the score rests on and costs
one forward pass for each place.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from forensic_cli.classifier import Look
from forensic_cli.features.windows import cut

_CELLS = 7  # places a side
_SPREAD = 12.0  # pixels, standard deviation of the blur
_SOFT = 4.0  # of the edge of the part


def evidence(image: np.ndarray, look: Look, score: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Score as it is less score without each place, (h, w), float32, over the whole image (H, W, 3).

    `score`: of uint8 crops (M, size, size, 3). Places outside the crop that the score rests on are NaN.
    """
    window = cut(image, replace(look, crops=1))[0]
    side = window.pixels.shape[0]
    blurred = np.asarray(Image.fromarray(window.pixels).filter(ImageFilter.GaussianBlur(_SPREAD)), np.float32)
    pixels = window.pixels.astype(np.float32)
    crops = [window.pixels]
    for mask in _masks(side):
        crops.append(np.rint(pixels + (blurred - pixels) * mask[..., None]).astype(np.uint8))
    scores = score(np.stack(crops))
    falls = (scores[0] - scores[1:]).reshape(_CELLS, _CELLS).astype(np.float32)
    return _over(image.shape[:2], window.box, falls)


def _masks(side: int) -> list[np.ndarray]:
    """One for each place, row by row: 1 inside, 0 outside, with a soft edge."""
    edges = np.linspace(0, side, _CELLS + 1)
    places = np.arange(side) + 0.5
    bands = [
        1 / (1 + np.exp(-(places - low) / _SOFT)) * (1 / (1 + np.exp(-(high - places) / _SOFT)))
        for low, high in itertools.pairwise(edges)
    ]
    return [np.outer(down, across).astype(np.float32) for down in bands for across in bands]


def _over(shape: tuple[int, int], box: tuple[float, float, float, float], falls: np.ndarray) -> np.ndarray:
    """The map of the crop on a grid of cells of the same size over the whole image."""
    left, top, right, bottom = box
    cells = (bottom - top) / _CELLS, (right - left) / _CELLS
    rows, columns = (max(1, round(length / cell)) for length, cell in zip(shape, cells, strict=True))
    down = np.floor(((np.arange(rows) + 0.5) * shape[0] / rows - top) / cells[0]).astype(int)
    across = np.floor(((np.arange(columns) + 0.5) * shape[1] / columns - left) / cells[1]).astype(int)
    found = np.full((rows, columns), np.nan, np.float32)
    inside = np.ix_((down >= 0) & (down < _CELLS), (across >= 0) & (across < _CELLS))
    found[inside] = falls[np.ix_(down[(down >= 0) & (down < _CELLS)], across[(across >= 0) & (across < _CELLS)])]
    return found
