"""Where in a picture the evidence lies: what the probe says of each part of it alone, as if that were the whole picture."""

from collections.abc import Callable
from math import ceil

import numpy as np
from PIL import Image

from forensic_cli.features.evidence import assemble
from forensic_cli.features.windows import Window

_SHARE = 2  # parts in the short side
_STEPS = 4  # places that a part is moved to along its own length
_MOST = 100  # parts of one picture; a panorama is looked at with wider steps


def evidence(image: np.ndarray, size: int, score: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The mean log-odds of the parts over each place, (h, w), float32, over the whole image (H, W, 3).

    A part is a square of half the short side, enlarged or reduced to `size`; `score` takes uint8 crops (M, size, size, 3).
    """
    height, width = image.shape[:2]
    side = max(1, min(height, width) // _SHARE)
    step = side / _STEPS
    while _count(height, side, step) * _count(width, side, step) > _MOST:
        step *= 1.25
    picture = Image.fromarray(image)
    boxes = [
        (left, top, left + side, top + side) for top in _places(height, side, step) for left in _places(width, side, step)
    ]
    crops = np.stack([np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC, box)) for box in boxes])
    still = np.zeros((_STEPS, _STEPS), np.float32)
    parts = [(Window(crop, box), odds, still) for crop, box, odds in zip(crops, boxes, score(crops), strict=True)]
    return assemble(image.shape, parts)


def _count(length: int, side: int, step: float) -> int:
    return ceil((length - side) / step - 1e-9) + 1


def _places(length: int, side: int, step: float) -> list[float]:
    """Where parts begin, evenly from end to end."""
    return [float(one) for one in np.linspace(0, length - side, _count(length, side, step))]
