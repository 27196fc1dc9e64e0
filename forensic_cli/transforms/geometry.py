"""What moves pixels or leaves some out; what comes in from outside the picture is black."""

import math
import random
from typing import Literal

import numpy as np
from PIL import Image

from forensic_cli.errors import ImageError
from forensic_cli.transforms.sizes import check

Where = Literal["random", "centre"]
Frame = Literal["keep", "expand"]
Quarter = Literal["90", "180", "270"]


def crop(image: np.ndarray, side: int, where: Where, seed: int) -> np.ndarray:
    """A square of `side` pixels. Raises ImageError if the image is smaller."""
    return _window(image, side, side, where, seed)


def part(image: np.ndarray, share: float, where: Where, seed: int) -> np.ndarray:
    """A window of `share` of the width and of the height, at least one pixel."""
    height, width = image.shape[:2]
    return _window(image, max(1, round(height * share)), max(1, round(width * share)), where, seed)


def trim(image: np.ndarray, pixels: int) -> np.ndarray:
    """Without its outermost `pixels` on every side. Raises ImageError if nothing would be left."""
    height, width = image.shape[:2]
    if min(height, width) <= 2 * pixels:
        raise ImageError(f"{width:,} x {height:,} pixels: nothing is left without {pixels:,} on every side")
    return np.ascontiguousarray(image[pixels : height - pixels, pixels : width - pixels])


def flip(image: np.ndarray, chance: float, seed: int) -> np.ndarray:
    """Mirrored left to right with this `chance`."""
    return np.ascontiguousarray(image[:, ::-1]) if _draw(seed).random() < chance else image


def turn(image: np.ndarray, degrees: Quarter) -> np.ndarray:
    """Turned clockwise, no pixel lost."""
    return np.ascontiguousarray(np.rot90(image, -int(degrees) // 90))


def rotate(image: np.ndarray, degrees: float, frame: Frame, seed: int) -> np.ndarray:
    """Turned by an angle between -`degrees` and `degrees`; `frame` "expand" grows so that nothing is cut off."""
    return rotated(image, _either_way(degrees, _draw(seed)), frame)


def rotated(image: np.ndarray, angle: float, frame: Frame = "keep") -> np.ndarray:
    """Turned anticlockwise about its centre by `angle` degrees, bilinear."""
    if frame == "expand":
        height, width = image.shape[:2]
        straight, aslant = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
        check(math.ceil(height * straight + width * aslant), math.ceil(width * straight + height * aslant))
    picture = Image.fromarray(image)
    return np.asarray(picture.rotate(angle, Image.Resampling.BILINEAR, expand=frame == "expand"))


def shear(image: np.ndarray, degrees: float, seed: int) -> np.ndarray:
    """Slanted along its width or its height, by chance, by an angle between -`degrees` and `degrees`."""
    draw = _draw(seed)
    angle = _either_way(degrees, draw)
    return sheared(image, angle, upright=draw.random() < 0.5)


def sheared(image: np.ndarray, angle: float, upright: bool) -> np.ndarray:
    """Slanted by `angle` degrees about its centre, bilinear: `upright` moves columns up and down, else rows go sideways."""
    height, width = image.shape[:2]
    slope = math.tan(math.radians(angle))
    matrix = (1, 0, 0, slope, 1, -slope * width / 2) if upright else (1, slope, -slope * height / 2, 0, 1, 0)
    return affine(image, matrix)


def shift(image: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Moved by whole pixels, at most `fraction` of its height and width each way."""
    draw = _draw(seed)
    down, across = (round(_either_way(fraction * side, draw)) for side in image.shape[:2])
    return affine(image, (1, 0, -across, 0, 1, -down), Image.Resampling.NEAREST)


def cutout(image: np.ndarray, share: float, seed: int) -> np.ndarray:
    """One black rectangle of `share` of the area, between 0.3 and 3.3 times as high as wide where it has room."""
    draw = _draw(seed)
    height, width = image.shape[:2]
    ratio = 0.3 + 3 * draw.random()
    down = min(height, max(1, round(math.sqrt(share * height * width * ratio))))
    across = min(width, max(1, round(share * height * width / down)))
    top, left = _below(height - down + 1, draw), _below(width - across + 1, draw)
    return blackened(image, top, left, down, across)


def blackened(image: np.ndarray, top: int, left: int, down: int, across: int) -> np.ndarray:
    """A copy with one black rectangle, `down` x `across`."""
    image = image.copy()
    image[top : top + down, left : left + across] = 0
    return image


def _window(image: np.ndarray, down: int, across: int, where: Where, seed: int) -> np.ndarray:
    height, width = image.shape[:2]
    if down > height or across > width:
        raise ImageError(f"{width:,} x {height:,} pixels are too few for a crop of {across:,} x {down:,}")
    top, left = (height - down) // 2, (width - across) // 2
    if where == "random":
        draw = _draw(seed)
        top, left = _below(height - down + 1, draw), _below(width - across + 1, draw)
    return np.ascontiguousarray(image[top : top + down, left : left + across])


def affine(
    image: np.ndarray, matrix: tuple[float, ...], kernel: Image.Resampling = Image.Resampling.BILINEAR
) -> np.ndarray:
    """`matrix` takes the place (x, y) of an output pixel to where it comes from."""
    picture = Image.fromarray(image)
    return np.asarray(picture.transform(picture.size, Image.Transform.AFFINE, matrix, kernel))


def _draw(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  no secret; of its methods only random() is the same in every Python


def _either_way(most: float, draw: random.Random) -> float:
    return most * (2 * draw.random() - 1)


def _below(number: int, draw: random.Random) -> int:
    return int(draw.random() * number)
