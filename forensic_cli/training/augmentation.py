"""From an image to the crop that a network is trained on: the same distortions for both classes, from one seed per draw.

Two ways. `wild` is what pictures go through before anybody asks where they come from: native or resampled crops, JPEG
once or twice, WebP, a little blur, noise and tone. `paper` is Community Forensics (arXiv:2411.04125): every operation
drawn 0 to `repeats` times, all of them in random order.
"""

import math
import random
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from forensic_cli import transforms
from forensic_cli.transforms import geometry, sizes

Augment = Literal["wild", "paper", "none"]
View = Literal["native", "resized"]

_KERNELS: tuple[transforms.Kernel, ...] = get_args(transforms.Kernel)[1:]
_RESIZED = 440 / 384  # short side over crop, as published
_GROWTH = 1.228
_ROOMY, _DETAIL, _LEAST = 420, (256, 400), 100  # pixels a side
_LARGEST = 1 << 24  # pixels of an image that is resampled
_LONGEST = (
    16  # of a strip that is longer than so many times its breadth only a part is used: it would be enlarged to gigabytes
)


def crop(image: np.ndarray, size: int, view: View, augment: Augment, seed: int, repeats: int = 2) -> np.ndarray:
    """A crop (size, size, 3), uint8, the same for the same `seed`.

    `view` "resized" brings the short side to 440 / 384 of `size` first, "native" leaves the pixels alone.
    """
    draw = random.Random(seed)  # noqa: S311  no secret
    most = _LONGEST * min(image.shape[:2])
    if max(image.shape[:2]) > most:
        image = _window(image, min(image.shape[0], most), min(image.shape[1], most), draw)
    if view == "resized":
        image = sizes.short(image, max(size, round(size * _RESIZED)), "bilinear")
    if augment == "wild":
        return wild(_resampled(image, size, draw), draw)
    if augment == "paper":
        image = paper(image, size, draw, repeats)
    return np.ascontiguousarray(_window(_at_least(image, size), size, size, draw))


def met(image: np.ndarray, seed: int) -> np.ndarray:
    """The whole image, or most of it, as somebody might meet it: cut, resampled, and what `wild` does."""
    draw = random.Random(seed)  # noqa: S311  no secret
    height, width = image.shape[:2]
    if min(height, width) > _ROOMY and draw.random() < 0.5:  # a detail of a large picture
        side = draw.randint(*_DETAIL)
        image = _window(image, min(side, height), min(side, width), draw)
    elif draw.random() < 0.5:
        share = draw.uniform(0.6, 1)
        other = min(1, share * draw.uniform(0.85, 1.18))
        image = _window(image, max(1, round(height * share)), max(1, round(width * other)), draw)
    if draw.random() < 0.6:
        factor = max(math.exp(draw.uniform(math.log(0.4), math.log(1.3))), _LEAST / min(image.shape[:2]))
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        if height * width <= _LARGEST:
            image = transforms.resize(image, height, width, draw.choice(_KERNELS))
    return wild(image, draw)


def wild(image: np.ndarray, draw: random.Random) -> np.ndarray:
    """What a picture meets on the way, on a crop that keeps its size."""
    if draw.random() < 0.5:
        image = image[:, ::-1]
    if draw.random() < 0.2:
        image = transforms.tone(image, draw.uniform(0.7, 1.3), draw.uniform(-20, 20))
    if draw.random() < 0.1:
        image = transforms.blur(image, draw.uniform(0.2, 1.2))
    if draw.random() < 0.1:
        image = transforms.noise(image, draw.uniform(1, 6), draw.getrandbits(32))
    if draw.random() < 0.05:
        image = transforms.grey(image)
    if draw.random() < 0.75:
        for _ in range(1 + (draw.random() < 0.2)):
            image = transforms.jpeg(image, draw.randint(50, 98), draw.choice(("420", "420", "444")))
    elif draw.random() < 0.3:
        image = transforms.webp(image, draw.randint(50, 95))
    return np.ascontiguousarray(image)


def _resampled(image: np.ndarray, size: int, draw: random.Random) -> np.ndarray:
    """A square of `size`: one time in three at native pixels, else resampled by 0.4 to 1.25."""
    factor = draw.uniform(0.4, 1.25) if draw.random() < 2 / 3 else 1.0
    side = min(round(size / factor), *image.shape[:2])
    part = _window(image, side, side, draw)
    return part if side == size else transforms.resize(part, size, size, draw.choice(_KERNELS))


def paper(image: np.ndarray, size: int, draw: random.Random, repeats: int) -> np.ndarray:
    """Every operation 0 to `repeats` times, in random order (Community Forensics, section 4.2 and its public code)."""
    todo = [step for step in _STEPS for _ in range(draw.randint(0, repeats))]
    draw.shuffle(todo)
    for step in todo:
        image = step(image, size, draw)
    return image


def _jpeg(image: np.ndarray, size: int, draw: random.Random) -> np.ndarray:
    return transforms.jpeg(image, draw.randint(75, 100))


def _rescale(image: np.ndarray, size: int, draw: random.Random) -> np.ndarray:
    return sizes.short(
        image, draw.randint(size + 1, max(size + 1, round(_GROWTH * size))), draw.choice(("bilinear", "bicubic"))
    )


def _cropped(image: np.ndarray, size: int, draw: random.Random) -> np.ndarray:
    return _window(_at_least(image, size), size, size, draw)


def _mirror(image: np.ndarray, size: int, draw: random.Random) -> np.ndarray:
    return image[:, ::-1] if draw.random() < 0.5 else image


def _upside_down(image: np.ndarray, size: int, draw: random.Random) -> np.ndarray:
    return image[::-1] if draw.random() < 0.5 else image


def _resized_crop(image: np.ndarray, size: int, draw: random.Random) -> np.ndarray:
    height, width = image.shape[:2]
    area, ratio = draw.uniform(0.9, 1.0) * height * width, draw.uniform(0.75, 4 / 3)
    part = _window(image, min(height, round((area / ratio) ** 0.5)), min(width, round((area * ratio) ** 0.5)), draw)
    return transforms.resize(part, size, size, draw.choice(get_args(transforms.Kernel)))


def _rotate(image: np.ndarray, size: int, draw: random.Random) -> np.ndarray:
    return geometry.rotated(image, draw.uniform(-15, 15))


def _shift(image: np.ndarray, size: int, draw: random.Random) -> np.ndarray:
    height, width = image.shape[:2]
    across, down = round(draw.uniform(-0.1, 0.1) * width), round(draw.uniform(-0.1, 0.1) * height)
    return geometry.affine(image, (1, 0, across, 0, 1, down))


def _shear(image: np.ndarray, size: int, draw: random.Random) -> np.ndarray:
    height, width = image.shape[:2]
    across, down = (np.tan(np.radians(draw.uniform(-15, 15))) for _ in range(2))
    return geometry.affine(image, (1, across, -across * height / 2, down, 1, -down * width / 2))


def _pad(image: np.ndarray, size: int, draw: random.Random) -> np.ndarray:
    """A margin of up to a tenth on each side in one grey, then back to the former size."""
    height, width = image.shape[:2]
    top, bottom, left, right = (round(draw.uniform(0, 0.1) * side) for side in (height, height, width, width))
    padded = np.pad(image, ((top, bottom), (left, right), (0, 0)), constant_values=draw.randint(0, 255))
    return transforms.resize(padded, height, width, "bilinear")


def _cutout(image: np.ndarray, size: int, draw: random.Random) -> np.ndarray:
    if draw.random() < 0.5:
        return image
    height, width = image.shape[:2]
    area, ratio = draw.uniform(0.02, 0.06) * height * width, draw.uniform(0.3, 3.3)
    down, across = min(height, round((area * ratio) ** 0.5)), min(width, round((area / ratio) ** 0.5))
    top, left = draw.randint(0, height - down), draw.randint(0, width - across)
    return geometry.blackened(image, top, left, down, across)


_Step = Callable[[np.ndarray, int, random.Random], np.ndarray]
_STEPS: tuple[_Step, ...] = (
    _jpeg,
    _rescale,
    _cropped,
    _mirror,
    _upside_down,
    _resized_crop,
    _rotate,
    _shift,
    _shear,
    _pad,
    _cutout,
)


def _at_least(image: np.ndarray, size: int) -> np.ndarray:
    return sizes.short(image, size, "bilinear") if min(image.shape[:2]) < size else image


def _window(image: np.ndarray, height: int, width: int, draw: random.Random) -> np.ndarray:
    top, left = draw.randint(0, image.shape[0] - height), draw.randint(0, image.shape[1] - width)
    return image[top : top + height, left : left + width]
