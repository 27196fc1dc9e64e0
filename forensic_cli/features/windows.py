"""The crops that a classifier looks at, as 8-bit RGB, with Pillow's resampling. Needs no torch."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from forensic_cli.classifier import Look
from forensic_cli.detector import Batch, Session

_LARGEST = 1 << 24  # pixels of a resized image


@dataclass(frozen=True)
class Window:
    """One crop: `pixels` (height, width, 3), uint8, and `box`, what it shows of the image: left, top, right, bottom."""

    pixels: np.ndarray
    box: tuple[float, float, float, float]

    @property
    def area(self) -> int:
        return self.pixels.shape[0] * self.pixels.shape[1]


def windows(batch: Batch, *, look: Look) -> list[list[Window]]:
    """The crops of each image, in order; the first is the centre."""
    return list(batch.session.once(threads).map(partial(cut, look=look), batch.images))


def threads(session: Session) -> ThreadPoolExecutor:
    """Where a session crops and resizes: Pillow lets go of the interpreter meanwhile."""
    return ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="forensic-crop")


def cut(image: np.ndarray, look: Look) -> list[Window]:
    """The crops of one image (height, width, 3)."""
    height, width = image.shape[:2]
    if look.size is None:
        return _tiles(image, look.tile)
    if look.resize:
        return [_resized(image, look, place) for place in _places(*_target(height, width, look.resize), look)]
    padded, above, before = _padded(image, look)
    found = []
    for top, left in _places(*padded.shape[:2], look):
        box = (left - before, top - above, left - before + look.size, top - above + look.size)
        found.append(Window(padded[top : top + look.size, left : left + look.size], box))
    return found


def _target(height: int, width: int, short: int) -> tuple[int, int]:
    """Height and width with the short side at `short`, the other rounded down as torchvision does."""
    if width <= height:
        return max(short, int(short * height / width)), short
    return short, max(short, int(short * width / height))


def _places(height: int, width: int, look: Look) -> list[tuple[int, int]]:
    """Top and left of each crop; the centre is rounded as torchvision does."""
    assert look.size
    down, across = height - look.size, width - look.size
    places = [(round(down / 2), round(across / 2))]
    if look.crops == 5:
        places += [(0, 0), (0, across), (down, 0), (down, across)]
    return list(dict.fromkeys(places))


def _resized(image: np.ndarray, look: Look, place: tuple[int, int]) -> Window:
    """One crop of the image resized as a whole; of a giant only the window is computed."""
    assert look.resize and look.size
    height, width = image.shape[:2]
    target = _target(height, width, look.resize)
    (top, left), size = place, look.size
    kernel = Image.Resampling[look.kernel.upper()]
    down, across = height / target[0], width / target[1]
    box = (left * across, top * down, (left + size) * across, (top + size) * down)
    picture = Image.fromarray(image)
    if target[0] * target[1] > _LARGEST:  # a strip of a few rows, enlarged to gigabytes
        return Window(np.asarray(picture.resize((size, size), kernel, box)), box)
    if target != (height, width):
        picture = picture.resize((target[1], target[0]), kernel)
    return Window(np.asarray(picture.crop((left, top, left + size, top + size))), box)


def _padded(image: np.ndarray, look: Look) -> tuple[np.ndarray, int, int]:
    """The image continued to at least `size` on both sides, and how far above and before it now begins."""
    assert look.size
    height, width = image.shape[:2]
    spare = [max(0, look.size - side) for side in (height, width)]
    if not any(spare):
        return image, 0, 0
    above, before = spare[0] // 2, spare[1] // 2
    room = ((above, spare[0] - above), (before, spare[1] - before), (0, 0))
    return np.pad(image, room, mode="symmetric" if look.pad == "mirror" else "constant"), above, before


def _tiles(image: np.ndarray, side: int) -> list[Window]:
    """The whole image in as few equal tiles as keep to `side`."""
    height, width = image.shape[:2]
    rows = np.linspace(0, height, -(-height // side) + 1).astype(int).tolist()
    columns = np.linspace(0, width, -(-width // side) + 1).astype(int).tolist()
    return [
        Window(image[top:bottom, left:right], (left, top, right, bottom))
        for top, bottom in zip(rows, rows[1:], strict=False)
        for left, right in zip(columns, columns[1:], strict=False)
    ]
