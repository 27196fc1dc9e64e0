"""Through a lossy codec and back: the pixels that are left are those that the codec kept."""

import io
from typing import Literal

import numpy as np
import simplejpeg
from PIL import Image

from forensic_cli.errors import ImageError, reason

Chroma = Literal["444", "422", "420"]


def jpeg(image: np.ndarray, quality: int, chroma: Chroma = "420") -> np.ndarray:
    """Through JPEG at `quality` (1 to 100) and back. Raises ImageError if a side is too long for it."""
    _fits(image, 65_500, "JPEG")
    content = simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=quality, colorsubsampling=chroma)
    pixels: np.ndarray = simplejpeg.decode_jpeg(content)
    return pixels


def webp(image: np.ndarray, quality: int) -> np.ndarray:
    """Through lossy WebP at `quality` (0 to 100) and back. Raises ImageError if it is too large for it."""
    _fits(image, 16_383, "WebP")
    return _by_pillow(image, "WebP", quality=quality, method=2)


def avif(image: np.ndarray, quality: int) -> np.ndarray:
    """Through AVIF (4:2:0) at `quality` (0 to 100) and back. Raises ImageError if it is too large for it."""
    _fits(image, 32_768, "AVIF")
    # Several threads cut the picture into tiles, and the pixels would depend on the number of cores.
    return _by_pillow(image, "AVIF", quality=quality, speed=8, max_threads=1, autotiling=False)


def _by_pillow(image: np.ndarray, name: str, **settings: int | str) -> np.ndarray:
    stream = io.BytesIO()
    try:
        Image.fromarray(image).save(stream, name, **settings)
    except (OSError, RuntimeError, ValueError) as error:
        raise ImageError(f"{name} cannot hold it: {reason(error)}") from error
    with Image.open(stream) as picture:
        return np.asarray(picture.convert("RGB"))


def _fits(image: np.ndarray, most: int, name: str) -> None:
    if max(image.shape[:2]) > most:
        raise ImageError(f"{image.shape[1]:,} x {image.shape[0]:,} pixels are too many a side for {name}")
