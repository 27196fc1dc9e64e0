"""What changes brightness, colour or sharpness and leaves every pixel in its place."""

import random

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur, `sigma` in pixels."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))


def noise(image: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """White Gaussian noise, `sigma` in grey levels of 255."""
    values = np.random.default_rng(seed).standard_normal(image.shape, np.float32)
    values *= np.float32(sigma)
    values += image
    return _bytes(values)


def grain(image: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """The same noise with `sigma` as papers write it: black is 0 and white is 1."""
    return noise(image, sigma * 255, seed)


def tone(image: np.ndarray, gain: float, lift: float) -> np.ndarray:
    """Contrast times `gain`, then `lift` grey levels brighter."""
    values = image.astype(np.float32)
    values *= np.float32(gain)
    values += np.float32(lift)
    return _bytes(values)


def grey(image: np.ndarray) -> np.ndarray:
    """Luminance in all three channels."""
    return np.repeat(np.asarray(Image.fromarray(image).convert("L"))[..., None], 3, axis=2)


def jitter(image: np.ndarray, strength: float, hue: float, seed: int) -> np.ndarray:
    """Brightness, contrast and saturation times 1 - `strength` to 1 + `strength` each, and the hue turned.

    `hue`: at most so much of a full circle, either way. All four in random order.
    """
    draw = random.Random(seed)  # noqa: S311  no secret
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    factors = [1 + strength * (2 * draw.random() - 1) for _ in kinds]
    turn = round(hue * (2 * draw.random() - 1) * 255)
    picture = Image.fromarray(image)
    for step in sorted(range(4), key=lambda _: draw.random()):
        picture = kinds[step](picture).enhance(factors[step]) if step < 3 else _turned(picture, turn)
    return np.asarray(picture)


def _turned(picture: Image.Image, turn: int) -> Image.Image:
    """Its hues moved on by `turn` of 256."""
    if not turn:
        return picture  # the way to hue and back alone changes pixels
    hue, saturation, value = picture.convert("HSV").split()
    hue = hue.point([(level + turn) % 256 for level in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def _bytes(values: np.ndarray) -> np.ndarray:
    """Rounded and clipped, in the memory that it came in: a photograph of a phone has 36 million values."""
    np.rint(values, out=values)
    np.clip(values, 0, 255, out=values)
    return values.astype(np.uint8)
