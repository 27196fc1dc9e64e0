"""What happens to images on their way: real codecs and resampling on 8-bit RGB arrays (height, width, 3)."""

import io
from typing import Literal

import numpy as np
import simplejpeg
from PIL import Image, ImageFilter

from forensic_cli.errors import ImageError

Chroma = Literal["444", "422", "420"]
Kernel = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]


def jpeg(image: np.ndarray, quality: int, chroma: Chroma = "420") -> np.ndarray:
    """Through JPEG at `quality` (1 to 100) and back. Raises ImageError if a side is too long for it."""
    _fits(image, 65_500, "JPEG")
    content = simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=quality, colorsubsampling=chroma)
    pixels: np.ndarray = simplejpeg.decode_jpeg(content)
    return pixels


def webp(image: np.ndarray, quality: int) -> np.ndarray:
    """Through lossy WebP at `quality` (0 to 100) and back. Raises ImageError if a side is too long for it."""
    _fits(image, 16_383, "WebP")
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "WEBP", quality=quality, method=2)
    with Image.open(stream) as picture:
        return np.asarray(picture.convert("RGB"))


def resize(image: np.ndarray, height: int, width: int, kernel: Kernel = "bicubic") -> np.ndarray:
    """Resampled with Pillow, antialiased."""
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling[kernel.upper()]))


def halve(image: np.ndarray) -> np.ndarray:
    """Half as wide and high, by area."""
    return resize(image, max(1, image.shape[0] // 2), max(1, image.shape[1] // 2), "box")


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur, `sigma` in pixels."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))


def noise(image: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """White Gaussian noise, `sigma` in grey levels of 255."""
    grain = np.random.default_rng(seed).standard_normal(image.shape, np.float32) * np.float32(sigma)
    return _bytes(image + grain)


def tone(image: np.ndarray, gain: float, lift: float) -> np.ndarray:
    """Contrast times `gain`, then `lift` grey levels brighter."""
    return _bytes(image.astype(np.float32) * np.float32(gain) + np.float32(lift))


def grey(image: np.ndarray) -> np.ndarray:
    """Luminance in all three channels."""
    return np.repeat(np.asarray(Image.fromarray(image).convert("L"))[..., None], 3, axis=2)


def _fits(image: np.ndarray, most: int, name: str) -> None:
    if max(image.shape[:2]) > most:
        raise ImageError(f"{image.shape[1]:,} x {image.shape[0]:,} pixels are too many a side for {name}")


def _bytes(values: np.ndarray) -> np.ndarray:
    clipped: np.ndarray = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return clipped
