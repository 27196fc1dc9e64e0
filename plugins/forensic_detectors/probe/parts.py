"""Where in a picture the evidence lies: what the probe says of each part alone, as if that were the picture."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from forensic_cli.features.evidence import assemble
from forensic_cli.features.windows import Window

_SHARE = 2  # parts in the side
_STEPS = 4  # places that a part is moved to along its own length


def evidence(image: np.ndarray, size: int, score: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The mean log-odds of the parts over each place, (h, w), float32, over the whole image (H, W, 3).

    A part is a square of half the short side, enlarged or reduced to `size`; `score` takes uint8 crops (M, size, size, 3).
    Parts lie in the central square, which is all that the probe's score looks at; NaN beside it.
    """
    height, width = image.shape[:2]
    short = min(height, width)
    side = max(1, short // _SHARE)
    above, before = (height - short) / 2, (width - short) / 2
    places = np.linspace(0, short - side, (_SHARE - 1) * _STEPS + 1)
    boxes = [(before + x, above + y, before + x + side, above + y + side) for y in places for x in places]
    picture = Image.fromarray(image)
    crops = np.stack([np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC, box)) for box in boxes])
    still = np.zeros((_STEPS, _STEPS), np.float32)
    parts = [(Window(crop, box), odds, still) for crop, box, odds in zip(crops, boxes, score(crops), strict=True)]
    return assemble(image.shape, parts)
