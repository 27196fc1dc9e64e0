"""What is lost of an image's finest detail when the autoencoder of an image generator packs and unpacks it."""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp
from typing import Annotated, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from forensic_cli import Batch, Detector, Weights, hookimpl
from forensic_cli.features.diffusion import Space, decode, decoded, encode, pixels, views
from forensic_cli.features.evidence import assemble
from forensic_cli.features.lpips import HEADS, VGG16, Lpips, between, converted, distances, joined, total
from forensic_cli.features.reconstruction import AUTOENCODERS, autoencoders, spaces

_SIDES = {"gaussian": (exp(-0.5), 1.0, exp(-0.5)), "box": (1.0, 1.0, 1.0)}


class Hfi(Detector):
    """Image generators pack images into a small code that has no room for a photograph's finest detail; an image that came
    out of such a code has little to lose.

    HFI (Choi et al. 2024), training-free: d(x, D(E(x))) - d(l(x), D(E(l(x)))), where l is a low-pass filter of 3 x 3 pixels
    and d is LPIPS (VGG-16, the sum of all layers). What an image loses by its content alone, blurred or not, thus cancels:
    simple images do not look generated for being simple, as they do to aeroblade. The score is minus that, the maximum over
    `weights`; higher means more likely generated, and its sign says nothing by itself. It sees the generators whose
    autoencoders it is given and those with similar ones, nothing else; an image that was blurred or much compressed has
    lost its detail already, and looks generated.

    Latents are means and reconstructions are not clamped, as the authors have it; they compute in half precision, and cut
    and enlarge images to 512. Here images keep their size, up to the cells of the latent, unless `size` brings them all to
    one. Heatmaps show where less (orange) or more (blue) detail was lost than on average over this image, in units of the
    average distance of x from D(E(x)).
    """

    paper = "arXiv:2412.20704"
    libraries = ("torch", "diffusers")
    cost = "for each of 3 autoencoders 2 encodings and 2 decodings at full size, half of them shared with aeroblade"
    heatmap_scale = 1.0

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[tuple[Weights, ...], "autoencoders in diffusers format"] = AUTOENCODERS
        vgg: Annotated[Weights, "the VGG-16 of LPIPS, with torchvision's names"] = VGG16
        heads: Annotated[Weights, "the converted linear heads of LPIPS"] = HEADS
        lowpass: Annotated[Literal["gaussian", "box"], "the filter; a Gaussian has a deviation of 1 pixel"] = "gaussian"
        size: Annotated[int | None, "side in pixels that all images are brought to; none keeps theirs"] = None

        def __post_init__(self) -> None:
            object.__setattr__(self, "weights", autoencoders(self.weights))
            if self.size is not None and self.size < 1:
                raise ValueError("size must be at least 1")

        @property
        def lpips(self) -> Lpips:
            return Lpips(0, self.vgg, self.heads)

    def open_weights(self) -> None:
        spaces(self.session, self.options.weights, self.options.size)
        self.options.lpips.open(self.session)

    def converted(self, tensors: dict[str, Any], where: str) -> dict[str, Any]:
        return converted(tensors, where)

    def score(self, batch: Batch) -> list[float]:
        """Minus the smallest loss of detail."""
        return [0.0 - one.total for one in batch.once(smallest, options=self.options)]

    def heatmaps(self, batch: Batch) -> list[np.ndarray]:
        made = []
        for index, one in enumerate(batch.once(smallest, options=self.options)):
            view = batch.once(views, space=one.space, size=self.options.size)[index]
            lost = one.places.astype(np.float64)
            values = (lost.mean() - lost) / one.usual if one.usual > 0 else np.zeros_like(lost)
            made.append(assemble(batch.images[index].shape, [(view, float(values.mean()), values)]))
        return made


@dataclass(frozen=True)
class Loss:
    """Of one image and one autoencoder: how much more of the image is lost than of its blurred self, in all and by place
    (h, w), and how far the image is from what is left of it on average."""

    total: float
    space: Space
    places: np.ndarray
    usual: float


def smallest(batch: Batch, *, options: Any) -> list[Loss]:
    """For each image the smallest loss among the autoencoders."""
    several = [losses(batch, space, options) for space in spaces(batch.session, options.weights, options.size)]
    return [min(of_one, key=lambda loss: loss.total) for of_one in zip(*several, strict=True)]


def losses(batch: Batch, space: Space, options: Any) -> list[Loss]:
    """What each image loses to one autoencoder."""
    session, settings = batch.session, {"space": space, "size": options.size}
    whole = distances(batch, batch.once(decoded, **settings, sample=False), **settings, lpips=options.lpips)
    blurred = [low_pass(one, options.lowpass) for one in batch.once(pixels, **settings)]
    codes = [one.mean for one in encode(session, space, blurred)]
    rest = between(session, blurred, decode(session, space, codes, scaled=False), lpips=options.lpips)
    return [
        Loss(total(sharp) - total(soft), space, joined(sharp) - joined(soft), total(sharp))
        for sharp, soft in zip(whole, rest, strict=True)
    ]


def low_pass(picture: torch.Tensor, kind: str) -> torch.Tensor:
    """A picture (3, H, W) through a filter of 3 x 3 pixels whose weights sum to one, mirrored at its edges."""
    side = picture.new_tensor(_SIDES[kind])
    line = side / side.sum()
    padded = F.pad(picture[:, None], (1, 1, 1, 1), mode="reflect")
    return F.conv2d(padded, torch.outer(line, line)[None, None])[:, 0]


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("hfi", Hfi)
