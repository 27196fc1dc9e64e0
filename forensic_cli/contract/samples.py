"""Small pictures that detectors are tried on."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from forensic_cli.images import decode, digest, probe
from forensic_cli.records import ImageRef

_SIZES = ((320, 240), (97, 131), (256, 256), (40, 30), (640, 200), (1, 1))
_WRITTEN = {  # what two of the files say of themselves, for detectors that read it
    0: ("parameters", "a boat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 320x240, Model: v1-5"),
    2: ("Software", "GIMP 2.10"),
}


@dataclass(frozen=True)
class Sample:
    """A small picture: its reference, its pixels, its bytes."""

    ref: ImageRef
    pixels: np.ndarray
    content: bytes


def make_samples() -> list[Sample]:
    """Six pictures of several sizes, one of a single pixel, the same at every call."""
    return [_sample(index, size) for index, size in enumerate(_SIZES)]


def _sample(index: int, size: tuple[int, int]) -> Sample:
    width, height = size
    rows, columns = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(rows / (3 + index + c)) + np.cos(columns / (5 + 2 * c)) for c in range(3)], axis=-1)
    grain = np.random.default_rng(index).normal(0, 12, waves.shape)
    picture = Image.fromarray(np.clip(128 + 50 * waves + grain, 0, 255).astype(np.uint8))
    stream = io.BytesIO()
    text = PngInfo()
    if index in _WRITTEN:
        text.add_text(*_WRITTEN[index])
    picture.save(stream, "PNG", pnginfo=text)
    content = stream.getvalue()
    header = probe(content)
    ref = ImageRef(f"sample_{index}.png", digest(content), len(content), "PNG", width, height)
    return Sample(ref, decode(content, header), content)
