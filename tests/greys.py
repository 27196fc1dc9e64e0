"""Folders of flat grey pictures, and the method that measures how bright they are."""

from pathlib import Path

import numpy as np
from PIL import Image

BRIGHT = str(Path(__file__).parent / "brightness.py")
METHOD = ["--plugin", BRIGHT, "-m", "brightness"]


def fill(folder, greys, side=32, mark=7):
    """One grey PNG for each, a pixel apart so that none is the copy of another, nor of one with another `mark`."""
    folder.mkdir()
    for number, grey in enumerate(greys):
        pixels = np.full((side, side, 3), np.clip(grey, 0, 255), np.uint8)
        pixels[0, 0] = number % 256, number // 256, mark
        Image.fromarray(pixels).save(folder / f"{number:04}.png")
    return str(folder)
