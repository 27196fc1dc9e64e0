"""Moments, latents, reconstructions and noise of a batch: once per batch, whoever asks."""

import torch

from forensic_cli.detector import Batch
from forensic_cli.features.diffusion.autoencoding import Moments, decode, encode, scaled
from forensic_cli.features.diffusion.models import Space
from forensic_cli.features.diffusion.pictures import pixels


def moments(batch: Batch, *, space: Space, size: int | None) -> list[Moments]:
    """What the encoder says of each image."""
    return encode(batch.session, space, batch.once(pixels, space=space, size=size))


def latents(batch: Batch, *, space: Space, size: int | None, sample: bool) -> list[torch.Tensor]:
    """The latent of each image as the U-Net sees it (shifted and scaled), (C, h, w), float32.

    The mean of the posterior, or with `sample` one draw from it that belongs to the image.
    """
    found = batch.once(moments, space=space, size=size)
    means = [one.mean for one in found]
    if sample:
        drawn = noise(batch, means, 0, purpose="latent")
        spreads = [None if one.log_variance is None else (one.log_variance / 2).exp() for one in found]
        means = [
            mean if spread is None else mean + spread * grain
            for mean, spread, grain in zip(means, spreads, drawn, strict=True)
        ]
    return [scaled(space, mean) for mean in means]


def decoded(batch: Batch, *, space: Space, size: int | None, sample: bool) -> list[torch.Tensor]:
    """What the autoencoder makes of its own latent of each image: (3, H, W) in about [-1, 1], not clamped."""
    return decode(batch.session, space, batch.once(latents, space=space, size=size, sample=sample))


def noise(batch: Batch, like: list[torch.Tensor], draw: int, purpose: str = "noise") -> list[torch.Tensor]:
    """Standard normal noise of each image in the shape of its tensor in `like`, float32, drawn on the CPU.

    The same for every method that asks for this draw of this shape; quickly made again, so not kept.
    """
    made = []
    for ref, one in zip(batch.refs, like, strict=True):
        generator = torch.Generator().manual_seed(batch.session.seed_for(ref.sha256, purpose, draw))
        made.append(torch.randn(one.shape, generator=generator).to(one.device))
    return made
