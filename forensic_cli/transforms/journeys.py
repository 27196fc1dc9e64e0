"""What a picture goes through before somebody asks where it comes from: screens, platforms, and the test of stability."""

from typing import Literal

import numpy as np

from forensic_cli.transforms.codecs import jpeg
from forensic_cli.transforms.sizes import fit, long

Screen = Literal["phone", "desktop"]
Platform = Literal["feed", "chat"]

SCREENS: dict[Screen, tuple[int, int]] = {"phone": (1080, 2340), "desktop": (1920, 1080)}
"""Width and height in pixels."""
PLATFORMS: dict[Platform, tuple[int, int]] = {"feed": (2048, 85), "chat": (1600, 75)}
"""Longest side and JPEG quality: round figures, as platforms change both without notice."""

STABILITY = ("jpeg:90", "jpeg:75", "webp:80", "resize:0.75", "resize:0.75+jpeg:80")
"""What `forensic scan --stability` does to each image: steps so mild that nobody would call the result another picture.

Saving again well and poorly, the other codec of the web, a smaller copy, and a smaller copy saved again, as platforms
make it. A verdict that does not survive these says more about the file than about the picture. All are the same for every
seed, and none depends on the size of the image, as `social` and `screenshot` do.
"""


def screenshot(image: np.ndarray, screen: Screen) -> np.ndarray:
    """As a screen shows it, kept without loss: on a phone as wide as the screen, on a desktop only ever made smaller."""
    width, height = SCREENS[screen]
    if screen == "desktop" and image.shape[0] <= height and image.shape[1] <= width:
        return image
    return fit(image, height, width, "bilinear")


def social(image: np.ndarray, platform: Platform) -> np.ndarray:
    """Made smaller where it is too long, then JPEG with halved chroma."""
    side, quality = PLATFORMS[platform]
    return jpeg(long(image, side, "lanczos"), quality, "420")
