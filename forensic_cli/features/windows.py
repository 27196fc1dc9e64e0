"""The crops that a classifier looks at, as 8-bit RGB, with Pillow's resampling. Needs no torch."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from PIL import Image

from forensic_cli.classifier import Look
from forensic_cli.detector import Batch, Session

Places = Callable[[tuple[int, int], Look], list[tuple[int, int]]]
"""From height and width, after resizing and padding, to the top and left of each crop."""

_LEAST = 64  # pixels a side that an image seen whole is continued to
_LARGEST = 1 << 24  # pixels of a resized image
_BLOCK = 32  # every tile begins on a multiple of it


@dataclass(frozen=True)
class Window:
    """One crop: `pixels` (height, width, 3), uint8, and `box`, what it shows of the image: left, top, right, bottom."""

    pixels: np.ndarray
    box: tuple[float, float, float, float]

    @property
    def area(self) -> int:
        height, width = self.pixels.shape[:2]
        return int(height * width)


def windows(batch: Batch, *, look: Look) -> list[list[Window]]:
    """The crops of each image, in order; the first is the centre."""
    return list(batch.session.once(threads).map(partial(cut, look=look), batch.images))


def threads(session: Session) -> ThreadPoolExecutor:
    """Where a session crops and resizes: Pillow lets go of the interpreter meanwhile."""
    return ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="forensic-crop")


def cut(image: np.ndarray, look: Look, places: Places | None = None) -> list[Window]:
    """The crops of one image (height, width, 3); `places` puts them elsewhere than `look` says."""
    height, width = image.shape[:2]
    if look.size is None:
        return _tiles(image, look.tile)
    if look.squash:
        whole = Image.fromarray(image).resize((look.size, look.size), Image.Resampling[look.kernel.upper()])
        return [Window(np.asarray(whole), (0, 0, width, height))]
    places = places or _places
    if look.resize:
        return [_resized(image, look, place) for place in places(_target(height, width, look.resize), look)]
    if look.whole and height * width <= look.crops * look.size**2:
        padded, above, before = _padded(image, replace(look, size=min(look.size, _LEAST)))
        height, width = padded.shape[:2]
        return [Window(padded, (-before, -above, width - before, height - above))]
    padded, above, before = _padded(image, look)
    height, width = padded.shape[:2]
    found = []
    for top, left in places((height, width), look):
        box = (left - before, top - above, left - before + look.size, top - above + look.size)
        found.append(Window(padded[top : top + look.size, left : left + look.size], box))
    return found


def _target(height: int, width: int, short: int) -> tuple[int, int]:
    """Height and width with the short side at `short`, the other rounded down as torchvision does."""
    if width <= height:
        return max(short, int(short * height / width)), short
    return short, max(short, int(short * width / height))


def _places(shape: tuple[int, int], look: Look) -> list[tuple[int, int]]:
    """Top and left of each crop; the centre is rounded as torchvision does."""
    assert look.size
    down, across = shape[0] - look.size, shape[1] - look.size
    places = [(round(down / 2), round(across / 2))]
    if look.crops == 5:
        places += [(0, 0), (0, across), (down, 0), (down, across)]
    return list(dict.fromkeys(places))


def _resized(image: np.ndarray, look: Look, place: tuple[int, int]) -> Window:
    """One crop of the image resized as a whole; of a giant only the window is computed."""
    assert look.resize
    assert look.size
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
    """The whole image in as few tiles as keep to `side`, of about one size.

    Whatever lies in blocks in the image (of a JPEG, of a map that was enlarged) lies so in each of them.
    """
    rows, columns = (_seams(length, side) for length in image.shape[:2])
    return [
        Window(image[top:bottom, left:right], (left, top, right, bottom))
        for top, bottom in itertools.pairwise(rows)
        for left, right in itertools.pairwise(columns)
    ]


def _seams(length: int, side: int) -> list[int]:
    count = -(-length // max(_BLOCK, side // _BLOCK * _BLOCK))
    return [*range(0, length, -(-length // (count * _BLOCK)) * _BLOCK), length]
