"""What a file tells before a pixel of it is decoded: what the zero-pixel controls are made of."""

import hashlib
from functools import cache
from io import BytesIO
from pathlib import PurePath

import numpy as np
from PIL import JpegImagePlugin

from forensic_cli import images
from forensic_cli.datasets.labelled import Labelled
from forensic_cli.statistics.controls import Outside

# the example tables of the JPEG standard (annex K), which most software scales, in the order of its sorted values
_LUMINANCE = (
    *(
        16,
        11,
        10,
        16,
        24,
        40,
        51,
        61,
        12,
        12,
        14,
        19,
        26,
        58,
        60,
        55,
        14,
        13,
        16,
        24,
        40,
        57,
        69,
        56,
        14,
        17,
        22,
        29,
        51,
        87,
    ),
    *(80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72),
    *(92, 95, 98, 112, 100, 103, 99),
)


def outside(item: Labelled, content: bytes) -> Outside:
    """The outside of one image. Raises ImageError if its header cannot be read."""
    header = images.probe(content)
    tables = jpeg_tables(content) if header.format == "JPEG" else ("", 0)
    suffix = PurePath(item.path).suffix.lower() if item.row is None else ""
    size = (header.width, header.height, len(content))
    return Outside(suffix, *size, item.generated, header.format, *tables, source=item.source)


def jpeg_tables(content: bytes) -> tuple[str, int]:
    """A word for a JPEG's quantisation tables, the same for the same tables; and the quality, 1 to 100, of the nearest.

    ("", 0) if it has none that can be read.
    """
    try:
        found = JpegImagePlugin.JpegImageFile(BytesIO(content)).quantization
    except (OSError, SyntaxError, ValueError, IndexError, KeyError):
        return "", 0
    if not found or len(found[min(found)]) != 64:
        return "", 0
    word = hashlib.sha256(repr(sorted((number, list(table)) for number, table in found.items())).encode()).hexdigest()[:8]
    distance = np.abs(_scaled() - np.sort(np.asarray(found[min(found)], float))).mean(axis=1)
    return word, 100 - int(np.argmin(distance[::-1]))  # of equals the higher one


@cache
def _scaled() -> np.ndarray:
    """The standard's table for luminance at quality 1 to 100, each sorted: (100, 64)."""
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    tables = (np.array(_LUMINANCE)[None] * scale[:, None] + 50) // 100
    return np.sort(np.clip(tables, 1, 255), axis=1).astype(float)
