"""What a network scores in the middle of its training, before it is a method that a scan could run."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from forensic_cli import images
from forensic_cli.datasets import Labelled, content
from forensic_cli.detector import Batch, Detector
from forensic_cli.errors import ForensicError
from forensic_cli.records import ImageRef

_TOGETHER = 16


def scores(detector: Detector, items: Sequence[Labelled]) -> np.ndarray:
    """The score of each image, (N,); NaN where it cannot be read."""
    found = np.full(len(items), np.nan)
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(items), _TOGETHER):
            loaded = dict(enumerate(pool.map(_load, items[start : start + _TOGETHER]), start))
            pairs = {place: one for place, one in loaded.items() if one}
            if pairs:
                refs, pixels = zip(*pairs.values(), strict=True)
                for place, finding in zip(pairs, detector.examine(Batch(detector.session, refs, pixels)), strict=True):
                    found[place] = np.nan if finding.score is None else finding.score
    return found


def _load(item: Labelled) -> tuple[ImageRef, np.ndarray] | None:
    try:
        data = content(item)
        header = images.probe(data)
        image = images.decode(data, header)
    except (ForensicError, images.NotAnImage, OSError):
        return None
    return ImageRef(item.path, images.digest(data), len(data), header.format, header.width, header.height), image
