"""The hypothesis that generated images are sinks, where what an image generator would change points inwards."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite, sqrt
from typing import Annotated, Any, Literal

import torch

from forensic_cli import Batch, Detector, Finding, Session, Weights, hookimpl
from forensic_cli.errors import WeightsError
from forensic_cli.features.diffusion import (
    SD14,
    Denoiser,
    Diffusion,
    denoiser,
    diffusion,
    latents,
    moments,
    noise,
    opened,
    together,
)
from forensic_cli.features.diffusion.prompts import conditions
from forensic_cli.features.traces import (
    Estimate,
    Field,
    coordinate,
    derivatives,
    differences,
    estimate,
    quotients,
    signs,
)

_STEPS = {"coordinates": 0.1, "hutchinson": 0.01}  # random signs step far: the square root of the dimension times as far
_AT_ONCE = 1 << 13  # latents in one exact derivative, two images of 512 x 512: attention takes memory there


class Divergence(Detector):
    """An image generator knows at every image which way a likelier one lies. If these directions run together from all
    sides, the image sits in a sink, as the generator's own pictures were thought to do.

    The divergence of "Sinks of Gradient Flows" (Li and Wang 2023), training-free: div s = tr ds/dz of the score
    s(z) = -noise_theta(z, t) / sqrt(1 - a_t) at the image's latent z, here divided by the dimension, so that the size does
    not matter. The result is minus that: higher means more of a sink, the hypothesis for "generated".

    Do not rely on it. The authors measured an AUROC of 0.45, no better than chance, and on the other side of it: generated
    images had the greater divergence; `sign=plus` follows what they measured. They suspected their estimate, the sum over
    10 random coordinates, of which a latent has 16384; `estimator=coordinates` is theirs. `hutchinson` takes random signs
    in all coordinates at once, for the same number of passes, and central differences along them; `jvp` takes exact
    derivatives along them. `estimates` gives the standard error of each image's estimate, too.

    They do not say at which timestep the score is taken, with which prompt, whether the latent is scaled for the U-Net or
    as the encoder leaves it (`latent`), whether noise is laid over it first (`point=noised`, a new one for each draw), nor
    whether s is the score or what the U-Net says (`field=noise`, which points the other way and swaps the signs). All are
    options, and none is confirmed.
    """

    paper = "https://deep-learning-mit.github.io/staging/blog/2023/detect-image/"
    libraries = ("torch", "diffusers", "transformers")
    cost = "1 encoding and 20 U-Net passes of Stable Diffusion at 512 x 512 (the encoding shared); slow without a GPU"
    caution = "its authors measured no better than chance (AUROC 0.45); an experiment, not evidence"

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "a diffusion model in diffusers format"] = SD14
        estimator: Annotated[Literal["hutchinson", "coordinates", "jvp"], "how the divergence is estimated"] = "hutchinson"
        draws: Annotated[int, "random directions per image, or coordinates"] = 10
        step: Annotated[float | None, "length of a difference; none: 0.1 for coordinates, 0.01 for hutchinson"] = None
        timestep: Annotated[int, "how much noise the U-Net is told to expect: training timestep, from 0"] = 10
        point: Annotated[Literal["clean", "noised"], "at the latent, or at the latent with noise on it"] = "clean"
        latent: Annotated[Literal["scaled", "unscaled"], "as the U-Net was trained, or as the encoder leaves it"] = "scaled"
        prompt: Annotated[str, "what the generator is told of the image"] = ""
        field: Annotated[Literal["score", "noise"], "of what: the score, or the predicted noise itself"] = "score"
        sign: Annotated[Literal["minus", "plus"], "minus (the hypothesis) or plus (what was measured)"] = "minus"
        size: Annotated[int | None, "side in pixels that all images are brought to; none keeps theirs"] = 512

        def __post_init__(self) -> None:
            if self.draws < 1 or (self.size is not None and self.size < 1):
                raise ValueError("draws and size must be at least 1")
            if self.step is not None and (self.step <= 0 or self.estimator == "jvp"):
                raise ValueError("step must be above 0, and exact derivatives (jvp) have none")

    def open_weights(self) -> None:
        session, chosen = self.session, self.options
        model = opened(session, chosen.weights, chosen.timestep, chosen.size)
        if session.dtype != "float32" and chosen.estimator != "jvp":
            raise WeightsError(
                f"{model.source}: small differences drown in the rounding of {session.dtype}: use --dtype float32, or "
                "exact derivatives, --set METHOD.estimator=jvp"
            )

    def examine(self, batch: Batch) -> list[Finding]:
        """The scores with the standard errors of their estimates; none for a single draw."""
        found = super().examine(batch)
        errors = [one.error for one in self.estimates(batch)]
        return [
            replace(one, standard_error=error if error is not None and isfinite(error) else None)
            for one, error in zip(found, errors, strict=True)
        ]

    def score(self, batch: Batch) -> list[float]:
        """The divergence per dimension, with the sign of the options."""
        sign = -1.0 if self.options.sign == "minus" else 1.0
        return [sign * one.value for one in self.estimates(batch)]

    def estimates(self, batch: Batch) -> list[Estimate]:
        """The divergence per dimension of each image, and its standard error."""
        return batch.once(divergences, options=self.options)


def divergences(batch: Batch, *, options: Any) -> list[Estimate]:
    """A key of `batch.once`; memory does not grow with the draws."""
    session = batch.session
    model = session.once(diffusion, weights=options.weights)
    field = vectors(session, model, options)
    clean = starts(batch, model, options)
    found: list[list[float]] = [[] for _ in clean]
    for draw in range(options.draws):
        points = clean
        if options.point == "noised":
            grains = noise(batch, clean, draw)
            points = [model.schedule.noised(z, grain, options.timestep) for z, grain in zip(clean, grains, strict=True)]
        ways = directions(batch, clean, draw, options.estimator)
        for indices, stack in together(points, _AT_ONCE if options.estimator == "jvp" else None):
            along = torch.stack([ways[index] for index in indices])
            for index, number in zip(indices, quotients(along, _products(field, stack, along, options)), strict=True):
                found[index].append(number)
    return [estimate(draws) for draws in found]


def vectors(session: Session, model: Diffusion, options: Any) -> Field:
    """The field whose divergence is meant; all that it needs is loaded."""
    session.once(conditions, model=model, prompt=options.prompt)
    unet: Denoiser = session.once(denoiser, model=model)
    factor = 1.0 if options.field == "noise" else -1 / sqrt(1 - model.schedule.alpha_bar(options.timestep))
    return lambda points: factor * unet(points, options.timestep, options.prompt)


def starts(batch: Batch, model: Diffusion, options: Any) -> list[torch.Tensor]:
    """The mean latent of each image, (C, h, w)."""
    if options.latent == "scaled":
        return batch.once(latents, space=model.space, size=options.size, sample=False)
    return [one.mean for one in batch.once(moments, space=model.space, size=options.size)]


def directions(batch: Batch, like: list[torch.Tensor], draw: int, estimator: str) -> list[torch.Tensor]:
    """One direction for each image, of its shape, which belongs to the image."""
    purpose, make = ("coordinate", coordinate) if estimator == "coordinates" else ("probe", signs)
    seeds = [batch.session.seed_for(ref.sha256, purpose, draw) for ref in batch.refs]
    return [make(one.shape, seed).to(one.device) for one, seed in zip(like, seeds, strict=True)]


def _products(field: Field, points: torch.Tensor, ways: torch.Tensor, options: Any) -> torch.Tensor:
    if options.estimator == "jvp":
        return derivatives(field, points, ways)
    return differences(field, points, ways, options.step or _STEPS[options.estimator])


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("divergence", Divergence)
