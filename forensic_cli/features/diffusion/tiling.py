"""Takes a large image through a convolutional network in pieces that see some of their surroundings."""

import itertools
from collections.abc import Callable

import torch


def by_tiles(
    run: Callable[[torch.Tensor], torch.Tensor], whole: torch.Tensor, step: int, made: int, side: int, context: int
) -> torch.Tensor:
    """`run` over (M, C, H, W) in tiles; `step` rows of it become `made` of the answer; `side` and `context` count steps.

    What a tile makes of its context is thrown away, so that the answer is that of the whole wherever the network sees no
    further than `context`. No tile is much smaller than another.
    """
    rows, columns = (_seams(length // step, side) for length in whole.shape[-2:])
    bands = []
    for top, bottom in itertools.pairwise(rows):
        pieces = []
        for left, right in itertools.pairwise(columns):
            above, before = max(0, top - context), max(0, left - context)
            below, after = min(rows[-1], bottom + context), min(columns[-1], right + context)
            piece = run(whole[..., above * step : below * step, before * step : after * step])
            down = slice((top - above) * made, (bottom - above) * made)
            pieces.append(piece[..., down, (left - before) * made : (right - before) * made])
        bands.append(torch.cat(pieces, dim=-1))
    return torch.cat(bands, dim=-2)


def _seams(length: int, side: int) -> list[int]:
    count = -(-length // side)
    return [round(length * number / count) for number in range(count + 1)]
