"""Cameras clip light and shadow; a generator's last layer seldom reaches pure black or white."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from forensic_cli import Batch, Detector, hookimpl


class Saturation(Detector):
    """Photographs have more pixels that are purely black or white than images of early GANs.

    McCloskey and Albright 2018: the share of pixels of which every channel lies within `margin` of
    0 or 255, negated; -1 to 0, higher means more likely generated. A weak cue: night, fog and studio backdrops fool it.
    """

    paper = "arXiv:1812.08247"
    cost = "a few milliseconds per megapixel, no network"

    @dataclass(frozen=True)
    class Options:
        margin: Annotated[int, "grey levels that still count as black or white"] = 5

    def score(self, batch: Batch) -> list[float]:
        return [-self._clipped(image) for image in batch.images]

    def _clipped(self, image: np.ndarray) -> float:
        margin = self.options.margin
        dark = (image <= margin).all(axis=2)
        bright = (image >= 255 - margin).all(axis=2)
        return float(dark.mean() + bright.mean())


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("saturation", Saturation)
