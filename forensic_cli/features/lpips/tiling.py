"""Maps of large pictures, in pieces that see as much around them as the network does."""

from collections.abc import Callable, Sequence

import torch

_REACH = (16, 16, 32, 48, 112)  # how far a cell of each stage sees, in pixels, at least; multiples of the largest cell
_TILE = 1024  # pixels a side; a multiple of the largest cell


def by_tiles(
    run: Callable[[torch.Tensor], list[torch.Tensor]], whole: torch.Tensor, layers: Sequence[int]
) -> list[torch.Tensor]:
    """`run` over (M, C, H, W), which gives a map (M, h, w) of each of the `layers`, 1 to 5: the same as of the whole."""
    height, width = whole.shape[-2:]
    cells, reach = [2 ** (layer - 1) for layer in layers], _REACH[layers[-1] - 1]
    bands = []
    for top in range(0, height, _TILE):
        row, (down, tall) = [], _span(top, height, reach)
        for left in range(0, width, _TILE):
            across, wide = _span(left, width, reach)
            maps = run(whole[..., down, across])
            row.append([one[..., _own(tall, cell), _own(wide, cell)] for one, cell in zip(maps, cells, strict=True)])
        bands.append([torch.cat(pieces, dim=-1) for pieces in zip(*row, strict=True)])
    return [torch.cat(pieces, dim=-2) for pieces in zip(*bands, strict=True)]


def _span(start: int, length: int, reach: int) -> tuple[slice, slice]:
    """The pixels that a tile sees, and which of them are its own."""
    before, end = max(0, start - reach), start + _TILE
    own = start - before
    return slice(before, min(length, end + reach)), slice(own, own + _TILE if end < length else None)


def _own(span: slice, cell: int) -> slice:
    return slice(span.start // cell, None if span.stop is None else span.stop // cell)
