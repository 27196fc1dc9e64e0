"""From pixels to the moments of their latents and back, image by image, whatever their sizes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from forensic_cli.detector import Session
from forensic_cli.features.diffusion.folder import Part
from forensic_cli.features.diffusion.loading import load
from forensic_cli.features.diffusion.models import Space
from forensic_cli.features.diffusion.tiling import by_tiles

_AT_ONCE = 1 << 20  # pixels in one pass, four images of 512 x 512: about 3 gigabytes with Stable Diffusion's
_WHOLE = 1 << 21  # pixels up to which an image goes through in one piece
_TILE = 1024  # pixels a side of a tile,
_CONTEXT = 192  # and what it sees around itself: more than the reach of a tiny autoencoder


@dataclass(frozen=True)
class Moments:
    """Mean and log variance of the posterior of one image, (C, h, w), float32, unscaled; a tiny autoencoder and a VQ model
    have no variance. Without an autoencoder the mean is the image."""

    mean: torch.Tensor
    log_variance: torch.Tensor | None = None


def network(session: Session, *, part: Part) -> Any:
    """A key of `session.once`: the autoencoder on the session's device.

    In float32, or in bfloat16 where the session asks for it, which has the range of float32; never in float16, whose range
    the activations of several published autoencoders leave, so that a whole image turns into NaN.
    """
    return load(part, session, torch.bfloat16 if session.dtype == "bfloat16" else torch.float32)


def encode(session: Session, space: Space, pictures: Sequence[torch.Tensor]) -> list[Moments]:
    """The moments of pictures (3, H, W) in [-1, 1], whose sides are multiples of `space.cell`."""
    if space.autoencoder is None:
        return [Moments(one) for one in pictures]
    model = session.once(network, part=space.autoencoder)

    def run(pixels: torch.Tensor) -> torch.Tensor:
        answer = model.encode(pixels.to(model.dtype))
        latent: torch.Tensor = answer.latents if hasattr(answer, "latents") else answer.latent_dist.parameters
        return latent.float()

    with_variance = space.autoencoder.kind == "AutoencoderKL"
    return [_moments(one, with_variance) for one in _through(run, pictures, space.factor, 1)]


def decode(session: Session, space: Space, latents: Sequence[torch.Tensor], scaled: bool = True) -> list[torch.Tensor]:
    """Pictures (3, H, W) in about [-1, 1], not clamped. `scaled`: the latents are those that the U-Net sees."""
    if space.autoencoder is None:
        return list(latents)
    part = space.autoencoder
    model = session.once(network, part=part)
    plain = [unscaled(space, one) for one in latents] if scaled else latents
    # A MoVQ decodes what was not quantised, as the pipelines that made its images did; other VQ models quantise.
    choice = {"force_not_quantize": part.config.get("norm_type") == "spatial"} if part.kind == "VQModel" else {}

    def run(some: torch.Tensor) -> torch.Tensor:
        picture: torch.Tensor = model.decode(some.to(model.dtype), **choice).sample
        return picture.float()

    return _through(run, plain, 1, space.factor)


def scaled(space: Space, latent: torch.Tensor) -> torch.Tensor:
    """As the U-Net sees it: (latent - shift) * scaling factor."""
    shift, factor = _scaling(space)
    return (latent - shift) * factor


def unscaled(space: Space, latent: torch.Tensor) -> torch.Tensor:
    """As the decoder sees it."""
    shift, factor = _scaling(space)
    return latent / factor + shift


def together(tensors: Sequence[torch.Tensor], room: int | None = None) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Stacks of tensors of one shape (..., h, w), with their places; in each at most `room` cells h * w, or one tensor."""
    shapes: dict[torch.Size, list[int]] = {}
    for index, one in enumerate(tensors):
        shapes.setdefault(one.shape, []).append(index)
    for shape, indices in shapes.items():
        step = max(1, room // (shape[-2] * shape[-1])) if room else len(indices)
        for start in range(0, len(indices), step):
            some = indices[start : start + step]
            yield some, torch.stack([tensors[index] for index in some])


def _through(run: Any, whole: Sequence[torch.Tensor], step: int, made: int) -> list[torch.Tensor]:
    """Each tensor through the network; `step` of its cells become `made` of the answer's.

    Above 2 megapixels an image goes in tiles, always: whether must not depend on this machine's memory, for tiles change
    the answer slightly (attention and group normalisation then see a tile and not the image; only a tiny autoencoder, which
    has neither, answers the same).
    """
    unit = max(step, made)
    answers: dict[int, torch.Tensor] = {}
    for indices, stack in together(whole, _AT_ONCE * step * step // unit**2):
        if stack.shape[-2] * stack.shape[-1] * (unit // step) ** 2 > _WHOLE:
            answer = by_tiles(run, stack, step, made, _TILE // unit, _CONTEXT // unit)
        else:
            answer = run(stack)
        answers |= zip(indices, answer, strict=True)
    return [answers[index] for index in range(len(whole))]


def _moments(answer: torch.Tensor, with_variance: bool) -> Moments:
    if not with_variance:
        return Moments(answer)
    mean, log_variance = answer.chunk(2)
    return Moments(mean, log_variance.clamp(-30, 20))


def _scaling(space: Space) -> tuple[float, float]:
    config = space.autoencoder.config if space.autoencoder else {}
    kind = space.autoencoder.kind if space.autoencoder else ""
    usual = 0.18215 if kind in ("AutoencoderKL", "VQModel") else 1.0
    factor = config.get("scaling_factor")
    return float(config.get("shift_factor") or 0.0), float(usual if factor is None else factor)
