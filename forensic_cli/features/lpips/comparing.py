"""The distance of pictures, a few at a time; what VGG makes of a batch's own images is made once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from forensic_cli.detector import Batch, Session
from forensic_cli.errors import ImageError
from forensic_cli.features.diffusion import Space, pixels, together
from forensic_cli.features.lpips.loading import HEADS, VGG16, linear, stages
from forensic_cli.features.lpips.tiling import by_tiles
from forensic_cli.records import Weights

_AT_ONCE = 1 << 20  # pixels in one pass: 1.7 gigabytes of all stages, 1.2 of the first two
_WHOLE = 1 << 21  # pixels up to which a picture goes through in one piece, and not in tiles
_KEPT = 1 << 21  # pixels of a batch up to which what VGG makes of its images is kept: 1 gigabyte of all stages

Maps = list[torch.Tensor]
"""Of one picture: a map (h, w) for each layer, the finest first; each is half as fine as the one before."""


@dataclass(frozen=True)
class Lpips:
    """Which networks, and which `layer`: 1 to 5, or 0 for all five."""

    layer: int = 0
    vgg: Weights = VGG16
    heads: Weights = HEADS

    @property
    def chosen(self) -> tuple[int, ...]:
        return (self.layer,) if self.layer else (1, 2, 3, 4, 5)

    def open(self, session: Session) -> None:
        """Load the networks. Raises WeightsError."""
        session.once(stages, weights=self.vgg)
        session.once(linear, weights=self.heads)

    def check(self, pictures: Sequence[torch.Tensor]) -> None:
        """Raises ImageError where the highest of the layers would be left with nothing to look at."""
        least = 2 ** (self.chosen[-1] - 1)
        for height, width in (one.shape[-2:] for one in pictures):
            if min(height, width) < least:
                words = f"{width} x {height} pixels are too few for LPIPS"
                raise ImageError(f"{words}: give this method a size of at least {least}, and the image is enlarged")

    def features(self, session: Session, stack: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """The number of each stage and what it makes of pictures (M, 3, H, W), as far as is needed."""
        network = session.once(stages, weights=self.vgg)
        hidden = _normalised(stack)
        for number in range(1, self.chosen[-1] + 1):
            hidden = network[number - 1](hidden)
            yield number, hidden

    def apart(self, session: Session, number: int, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Of features (..., C, h, w) of this stage: unit vectors at each place, their squared differences weighed by
        channel, (..., h, w)."""
        head = session.once(linear, weights=self.heads)[number - 1]
        first, second = (part / (part.norm(dim=-3, keepdim=True) + 1e-10) for part in (one, other))
        weighed: torch.Tensor = (first - second).square() * head
        return weighed.sum(dim=-3)


def distances(batch: Batch, others: Sequence[torch.Tensor], *, space: Space, size: int | None, lpips: Lpips) -> list[Maps]:
    """How far each image, as `pixels(batch, space=space, size=size)`, is from its picture in `others`.

    What VGG makes of the images is shared by all who ask, whichever autoencoder made `others`; of large batches it is not
    kept. Raises WeightsError, and ImageError for an image of less than one cell of the highest layer.
    """
    seen = Space(None, space.cell, space.source)  # the same pixels for all autoencoders with cells of this size
    own = batch.once(pixels, space=seen, size=size)
    if sum(one.shape[-2] * one.shape[-1] for one in own) > _KEPT:
        return between(batch.session, own, others, lpips=lpips)
    lpips.check(own)
    known = {number: batch.once(features, space=seen, size=size, vgg=lpips.vgg, stage=number) for number in lpips.chosen}
    found: list[Maps] = [[] for _ in own]
    for indices, stack in together(others, _AT_ONCE):
        for number, made in lpips.features(batch.session, stack):
            for index, one in zip(indices, made, strict=True):
                if number in known:
                    found[index].append(lpips.apart(batch.session, number, known[number][index], one))
    return found


def between(session: Session, ones: Sequence[torch.Tensor], others: Sequence[torch.Tensor], *, lpips: Lpips) -> list[Maps]:
    """How far each of `ones` is from its picture in `others`. Raises WeightsError and ImageError as `distances` does."""
    lpips.check(ones)

    def run(pairs: torch.Tensor) -> Maps:
        both = zip(lpips.features(session, pairs[:, :3]), lpips.features(session, pairs[:, 3:]), strict=True)
        return [lpips.apart(session, number, one, other) for (number, one), (_, other) in both if number in lpips.chosen]

    found: dict[int, Maps] = {}
    for indices, stack in together([torch.cat(pair) for pair in zip(ones, others, strict=True)], _AT_ONCE):
        large = stack.shape[-2] * stack.shape[-1] > _WHOLE
        maps = by_tiles(run, stack, lpips.chosen) if large else run(stack)
        found |= {index: [one[place] for one in maps] for place, index in enumerate(indices)}
    return [found[index] for index in range(len(ones))]


def features(batch: Batch, *, space: Space, size: int | None, vgg: Weights, stage: int) -> list[torch.Tensor]:
    """A key of `batch.once`: what stage 1 to 5 of VGG makes of each image, (C, h, w), out of the stage before."""
    network = batch.session.once(stages, weights=vgg)
    if stage == 1:
        before = [_normalised(one) for one in batch.once(pixels, space=space, size=size)]
    else:
        before = batch.once(features, space=space, size=size, vgg=vgg, stage=stage - 1)
    made: dict[int, torch.Tensor] = {}
    for indices, stack in together(before, _AT_ONCE >> 2 * max(0, stage - 2)):
        made |= zip(indices, network[stage - 1](stack), strict=True)
    return [made[index] for index in range(len(before))]


def total(maps: Maps) -> float:
    """The sum over layers of the mean over places."""
    return sum(float(one.cpu().double().mean()) for one in maps)


def joined(maps: Maps) -> np.ndarray:
    """The sum over layers as one map, as fine as relu2_2, or as the only layer there is."""
    shape = maps[min(1, len(maps) - 1)].shape
    fitted = [F.interpolate(one[None, None], size=tuple(shape), mode="area")[0, 0] for one in maps]
    whole: np.ndarray = torch.stack(fitted).sum(dim=0).cpu().numpy()
    return whole


def _normalised(picture: torch.Tensor) -> torch.Tensor:
    """From [-1, 1] to ImageNet's statistics, in the authors' digits."""
    shift = picture.new_tensor((-0.030, -0.088, -0.188)).reshape(3, 1, 1)
    scale = picture.new_tensor((0.458, 0.448, 0.450)).reshape(3, 1, 1)
    return (picture - shift) / scale
