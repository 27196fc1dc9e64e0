"""The pictures on which an export proves itself: the user's, or variations of scikit-learn's photographs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

from forensic_cli import images
from forensic_cli.classifier import Look
from forensic_cli.errors import ImageError, UsageError
from forensic_cli.features.onnx_graph import free
from forensic_cli.features.windows import Window, cut
from forensic_cli.paths import Candidate, find

_MOST = 64  # pictures; more tell nothing new about rounding
_SIDE = 224  # of the crops of a network that takes any size


@dataclass(frozen=True)
class Pictures:
    """The crops of each picture, as the network would see it, and where the pictures are from."""

    words: str
    windows: list[list[Window]]

    @property
    def crops(self) -> list[np.ndarray]:
        return [np.array(window.pixels) for several in self.windows for window in several]

    def parted(self) -> tuple[Pictures, Pictures]:
        """Every second picture, and the others; a single one is both."""
        return Pictures(self.words, self.windows[::2]), Pictures(self.words, self.windows[1::2] or self.windows)


def pictures(look: Look, places: Sequence[str]) -> Pictures:
    """At most 64 pictures below `places`, or our own if none is named. Raises UsageError if none of them can be read."""
    words, pixels = _found(places) if places else _varied()
    return Pictures(words, [_crops(one, look, number) for number, one in enumerate(pixels)])


def _crops(image: np.ndarray, look: Look, number: int) -> list[Window]:
    """As the detector crops; where any size goes, a few sizes in turn, so that several crops share one."""
    if not free(look):
        return cut(image, look)
    short = look.size or _SIDE
    height, width = [(short, short), (short, short * 5 // 4), (short + 32, short)][number % 3]
    if image.shape[0] < height or image.shape[1] < width:
        image = np.asarray(ImageOps.fit(Image.fromarray(image), (width, height)))
    return [Window(image[:height, :width], (0, 0, width, height))]


def _found(places: Sequence[str]) -> tuple[str, list[np.ndarray]]:
    candidates = [one for one in find(places) if isinstance(one, Candidate)]
    if len(candidates) > _MOST:  # from all over the folder
        candidates = [candidates[index * len(candidates) // _MOST] for index in range(_MOST)]
    pixels, reasons = [], []
    for one in candidates:
        try:
            content, _ = images.read(one.path)
            pixels.append(images.decode(content, images.probe(content)))
        except ImageError as error:
            reasons.append(f"{one.path}: {error}")
    if not pixels:
        why = reasons[0] if reasons else f"there is none at {places[0]}"
        raise UsageError(f"no picture for the comparison can be read: {why}")
    left = f", {len(reasons)} could not be read" if reasons else ""
    return f"{len(pixels)} pictures of {', '.join(places)}{left}", pixels


def _varied() -> tuple[str, list[np.ndarray]]:
    """Real photographs as they travel: resized, cropped, mirrored, and compressed in several ways; the same every time."""
    sources = [Image.fromarray(image) for image in load_sample_images().images]
    random = np.random.default_rng(0)
    made = []
    for number in range(_MOST * 3 // 4):
        picture = sources[number % 2]
        scale = float(random.uniform(0.55, 1.2))
        picture = picture.resize((int(picture.width * scale), int(picture.height * scale)), Image.Resampling.BICUBIC)
        left, top = (int(random.integers(0, side // 4)) for side in picture.size)
        picture = picture.crop((left, top, picture.width, picture.height))
        picture = ImageOps.mirror(picture) if number // 8 % 2 else picture
        made.append(np.asarray(_compressed(picture, number, int(random.integers(50, 98)))))
    return f"{len(made)} variations of the photographs that come with scikit-learn (resized, cropped, re-encoded)", made


def _compressed(picture: Image.Image, number: int, quality: int) -> Image.Image:
    kind = (None, "JPEG", "JPEG", "WEBP")[number // 2 % 4]
    if kind is None:
        return picture
    stream = io.BytesIO()
    picture.save(stream, kind, quality=quality)
    return Image.open(stream).convert("RGB")
