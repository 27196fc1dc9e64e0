"""From the evidence maps of a classifier's crops to one map over the whole image. Needs no torch."""

from collections.abc import Sequence
from math import ceil

import numpy as np

from forensic_cli.classifier import Classifier, Look
from forensic_cli.detector import Batch
from forensic_cli.features.networks import Build, network, outputs, run
from forensic_cli.features.windows import Window, cut
from forensic_cli.records import Weights

Part = tuple[Window, float, np.ndarray]

_FINEST = 512  # cells a side
_MOST = 256  # crops of one picture: 12 megapixels are seen whole


def heatmaps(batch: Batch, *, weights: Weights, published: Classifier, build: Build) -> list[np.ndarray]:
    """One map in log-odds for each image: what the score's crops gave, and further crops wherever those did not look.

    The further crops cost the network again, and never change the score. A network without evidence looks nowhere: the
    map is a single NaN.
    """
    runner = batch.session.once(network, weights=weights, published=published, build=build)
    found = batch.once(outputs, weights=weights, published=published, build=build)
    made = []
    for image, (crops, seen) in zip(batch.images, found, strict=True):
        if seen.maps is None:
            made.append(np.full((1, 1), np.nan, np.float32))
            continue
        boxes = {crop.box for crop in crops}
        more = [crop for crop in covering(image, runner.classifier.look) if crop.box not in boxes]
        parts = list(zip(crops, seen.odds, seen.maps, strict=True))
        if more:
            others = run(runner, [crop.pixels for crop in more])
            parts += zip(more, others.odds, others.maps or (), strict=True)
        made.append(assemble(image.shape, parts))
    return made


def assemble(shape: Sequence[int], parts: Sequence[Part]) -> np.ndarray:
    """One map (H, W), float32, over the whole image of this `shape` (height, width, ...), in log-odds.

    A part is a crop, its log-odds, and its evidence (h, w), whose mean is the log-odds but for the bias. That is added to
    every cell, which then says what the network would answer if all were like it. Each map is laid where its crop lies,
    what sticks out of the image is cut off, several over one place are averaged by area, and where none lies stands NaN.
    Cells are as small as the smallest of the maps', at most 512 a side.
    """
    rows, columns = _cells(shape, parts)
    high, wide = shape[0] / rows, shape[1] / columns
    total, area, seen = np.zeros((rows, columns)), np.zeros((rows, columns)), np.zeros((rows, columns), bool)
    for crop, answer, evidence in parts:
        values = evidence.astype(np.float64)
        values += float(answer) - values.mean()
        left, top, right, bottom = crop.box
        down = _overlap(shape[0], rows, (top, bottom), values.shape[0])
        across = _overlap(shape[1], columns, (left, right), values.shape[1])
        total += down @ values @ across.T
        height, width = down.sum(axis=1), across.sum(axis=1)  # of the crop's part in each cell
        area += np.outer(height, width)
        seen |= np.outer(height >= high / 2, width >= wide / 2)
    seen |= area >= high * wide / 2  # several crops may share a cell
    return np.where(seen, total / np.where(seen, area, 1), np.nan).astype(np.float32)


def _cells(shape: Sequence[int], parts: Sequence[Part]) -> tuple[int, int]:
    """Rows and columns of a grid over the image whose cells are as small as the smallest of the maps."""
    finest = [1.0, 1.0]  # cells in the image, were the whole of it as fine as this map
    for crop, _, evidence in parts:
        left, top, right, bottom = crop.box
        finest[0] = max(finest[0], shape[0] * evidence.shape[0] / (bottom - top))
        finest[1] = max(finest[1], shape[1] * evidence.shape[1] / (right - left))
    rows, columns = (min(_FINEST, ceil(number - 1e-6)) for number in finest)
    return rows, columns


def _overlap(side: int, cells: int, span: tuple[float, float], parts: int) -> np.ndarray:
    """How many pixels each of the `cells` of an image's side shares with each of a crop's `parts`: (cells, parts)."""
    own, other = np.linspace(0, side, cells + 1), np.linspace(*span, parts + 1)
    ends = np.minimum(own[1:, None], other[None, 1:])
    starts = np.maximum(own[:-1, None], other[None, :-1])
    shared: np.ndarray = np.maximum(ends - starts, 0)
    return shared


def covering(image: np.ndarray, look: Look) -> list[Window]:
    """Crops side by side over the whole image, at the scale of `look`; the last of a row or column is moved inside.

    Where that would be more than 64, as many as keep to it, spread evenly with gaps between them.
    """
    return cut(image, look, _grid)


def _grid(shape: tuple[int, int], look: Look) -> list[tuple[int, int]]:
    assert look.size
    height, width = shape
    rows, columns = ceil(height / look.size), ceil(width / look.size)
    if rows * columns <= _MOST:
        down, across = (
            [min(number * look.size, side - look.size) for number in range(count)]
            for side, count in ((height, rows), (width, columns))
        )
    else:
        shapes = [(number, min(columns, _MOST // number)) for number in range(1, min(rows, _MOST) + 1)]
        fewer = max(shapes, key=lambda shape: min(shape[0] / rows, shape[1] / columns))
        down, across = _spread(height - look.size, fewer[0]), _spread(width - look.size, fewer[1])
    return [(top, left) for top in down for left in across]


def _spread(room: int, count: int) -> list[int]:
    """`count` places from 0 to `room`; a single one in the middle."""
    return [round(place) for place in np.linspace(0, room, count)] if count > 1 else [room // 2]
