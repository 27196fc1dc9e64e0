"""Resampling with Pillow, antialiased."""

import random
from typing import Literal

import numpy as np
from PIL import Image

from forensic_cli.errors import ImageError

Kernel = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]

_MOST = 250_000_000


def resize(image: np.ndarray, height: int, width: int, kernel: Kernel = "bicubic") -> np.ndarray:
    """Resampled to `height` x `width`. Raises ImageError beyond 250 megapixels."""
    check(height, width)
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling[kernel.upper()]))


def check(height: int, width: int) -> None:
    """Raises ImageError if an image of this size would be too large."""
    if height * width > _MOST:
        raise ImageError(f"it would become {width:,} x {height:,} pixels; the limit is {_MOST // 10**6} megapixels")


def halve(image: np.ndarray) -> np.ndarray:
    """Half as wide and high, by area."""
    return resize(image, max(1, image.shape[0] // 2), max(1, image.shape[1] // 2), "box")


def scale(image: np.ndarray, factor: float, kernel: Kernel = "bicubic") -> np.ndarray:
    """Both sides times `factor`, at least one pixel."""
    return resize(image, max(1, round(image.shape[0] * factor)), max(1, round(image.shape[1] * factor)), kernel)


def rescale(image: np.ndarray, fraction: float, kernel: Kernel, seed: int) -> np.ndarray:
    """Both sides times 1 - `fraction` or 1 + `fraction`, by chance, and back to the size that it had."""
    upward = random.Random(seed).random() < 0.5  # noqa: S311  no secret
    other = scale(image, 1 + fraction if upward else 1 - fraction, kernel)
    return resize(other, image.shape[0], image.shape[1], kernel)


def short(image: np.ndarray, side: int, kernel: Kernel = "bicubic") -> np.ndarray:
    """The shorter side brought to `side` pixels, larger or smaller."""
    return scale(image, side / min(image.shape[:2]), kernel)


def long(image: np.ndarray, side: int, kernel: Kernel = "bicubic") -> np.ndarray:
    """The longer side brought down to `side` pixels; smaller images stay as they are."""
    return fit(image, side, side, kernel) if max(image.shape[:2]) > side else image


def fit(image: np.ndarray, height: int, width: int, kernel: Kernel) -> np.ndarray:
    """As large as goes into `height` x `width` with all of it to be seen."""
    return scale(image, min(height / image.shape[0], width / image.shape[1]), kernel)


def exactly(image: np.ndarray, width: int, height: int, kernel: Kernel = "bicubic") -> np.ndarray:
    """As `resize`, in the order in which people name sizes."""
    return resize(image, height, width, kernel)


def pad(image: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Made wider or higher, by chance, by `fraction` of itself in one grey, half on either side; then back to its size."""
    draw = random.Random(seed)  # noqa: S311  no secret
    axis = int(draw.random() * 2)
    more = max(1, round(image.shape[axis] * fraction))
    check(*(side + more * (axis == number) for number, side in enumerate(image.shape[:2])))
    margins = [(0, 0)] * 3
    margins[axis] = (more // 2, more - more // 2)
    padded = np.pad(image, margins, constant_values=int(draw.random() * 256))
    return resize(padded, image.shape[0], image.shape[1], "bilinear")
