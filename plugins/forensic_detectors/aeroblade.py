"""The autoencoder of an image generator brings back its own images better than photographs."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Annotated, Any, Literal

import numpy as np
import torch

from forensic_cli import Batch, Detector, Weights, hookimpl
from forensic_cli.features.diffusion import SCALE, Space, decoded, evidence, views
from forensic_cli.features.lpips import HEADS, VGG16, Lpips, Maps, converted, distances, joined, total
from forensic_cli.features.reconstruction import AUTOENCODERS, autoencoders, spaces


class Aeroblade(Detector):
    """Many image generators end in a network that unpacks the image from a small code; an image that such a network made
    survives being packed and unpacked by it almost unchanged, a photograph loses more.

    AEROBLADE (Ricker, Lukovnikov and Fischer 2024), training-free. The score is the maximum over `weights` of minus
    d(x, D(E(x))), 0 at most; higher means more likely generated. d is the mean over places of the second layer of LPIPS
    (VGG-16, relu2_2); `layer=0` takes the sum of all five. It sees the generators whose autoencoders it is given and those
    with similar ones, nothing else; each further autoencoder costs its own passes. Images of simple content, such as a
    clear sky, come back well whoever made them.

    The authors draw the latent from the posterior (`latent=sampled`; here the mean of it, which other methods share) and
    write reconstructions as 8-bit files, rounding down (`rounding=yes`), which darkens them by half a grey level. They
    compute in half precision, here all distances are single precision. Images keep their size, up to the cells of the
    latent, unless `size` brings them all to one. Heatmaps show where in the image it came back better (orange) or worse
    (blue) than on average over this image, as a natural logarithm, for the autoencoder that gave the score.
    """

    paper = "arXiv:2401.17879"
    libraries = ("torch", "diffusers")
    cost = "for each of 3 autoencoders 1 encoding and 1 decoding at full size, shared with hfi; a GPU is advised"
    heatmap_scale = SCALE

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[tuple[Weights, ...], "autoencoders in diffusers format"] = AUTOENCODERS
        vgg: Annotated[Weights, "the VGG-16 of LPIPS, with torchvision's names"] = VGG16
        heads: Annotated[Weights, "the converted linear heads of LPIPS"] = HEADS
        layer: Annotated[Literal[0, 1, 2, 3, 4, 5], "which layer of LPIPS; 0 is the sum of all"] = 2
        latent: Annotated[Literal["mode", "sampled"], "the mean of the latent, or a draw"] = "mode"
        rounding: Annotated[bool, "reconstructions in 8 bits, rounded down as in the paper"] = False
        size: Annotated[int | None, "side in pixels that all images are brought to; none keeps theirs"] = None

        def __post_init__(self) -> None:
            object.__setattr__(self, "weights", autoencoders(self.weights))
            if self.size is not None and self.size < 1:
                raise ValueError("size must be at least 1")

        @property
        def lpips(self) -> Lpips:
            return Lpips(self.layer, self.vgg, self.heads)

    def open_weights(self) -> None:
        spaces(self.session, self.options.weights, self.options.size)
        self.options.lpips.open(self.session)

    def converted(self, tensors: dict[str, Any], where: str) -> dict[str, Any]:
        return converted(tensors, where)

    def score(self, batch: Batch) -> list[float]:
        """Minus the smallest distance."""
        return [0.0 - number for number, _, _ in batch.once(nearest, options=self.options)]

    def heatmaps(self, batch: Batch) -> list[np.ndarray]:
        found = batch.once(nearest, options=self.options)
        seen = [batch.once(views, space=space, size=self.options.size)[index] for index, (_, space, _) in enumerate(found)]
        return evidence(batch, seen, [joined(maps) for _, _, maps in found])


def nearest(batch: Batch, *, options: Any) -> list[tuple[float, Space, Maps]]:
    """For each image the smallest distance from what an autoencoder makes of it, whose latents they are, and the maps."""
    best: list[tuple[float, Space, Maps]] = []
    for space in spaces(batch.session, options.weights, options.size):
        made = batch.once(decoded, space=space, size=options.size, sample=options.latent == "sampled")
        pictures = [shown(one, options.rounding) for one in made]
        maps = distances(batch, pictures, space=space, size=options.size, lpips=options.lpips)
        answers = [(total(one), space, one) for one in maps]
        best = [min(pair, key=itemgetter(0)) for pair in zip(best or answers, answers, strict=True)]
    return best


def shown(picture: torch.Tensor, rounding: bool) -> torch.Tensor:
    """A picture as it could be shown: in [-1, 1], and with `rounding` as 8-bit files hold it, in whole grey levels."""
    within = picture.clamp(-1, 1)
    return ((within + 1) * 127.5).floor() / 127.5 - 1 if rounding else within


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("aeroblade", Aeroblade)
