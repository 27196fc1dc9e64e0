"""An image that is likely to a diffusion model comes back almost as it was when the model takes away a little noise."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Annotated, Any, Literal

import numpy as np
import torch

from forensic_cli import Batch, Detector, Weights, hookimpl
from forensic_cli.features.diffusion import (
    SCALE,
    SD14,
    decode,
    diffusion,
    evidence,
    latents,
    noise,
    opened,
    pixels,
    predictions,
    views,
)
from forensic_cli.features.lpips import HEADS, VGG16, Lpips, converted, distances, joined, total


class Reconstruction(Detector):
    """What recon and recon.lpips have in common."""

    paper = "https://deep-learning-mit.github.io/staging/blog/2023/detect-image/"
    heatmap_scale = SCALE

    def open_weights(self) -> None:
        opened(self.session, self.options.weights, self.options.timestep, self.options.size)

    def found(self, batch: Batch) -> list[tuple[float, np.ndarray]]:
        """For each image its expected error, and the error of each place, (h, w)."""
        raise NotImplementedError

    def score(self, batch: Batch) -> list[float]:
        """Minus the expected error."""
        return [0.0 - number for number, _ in self.found(batch)]

    def heatmaps(self, batch: Batch) -> list[np.ndarray]:
        model = batch.session.once(diffusion, weights=self.options.weights)
        seen = batch.once(views, space=model.space, size=self.options.size)
        return evidence(batch, seen, [where for _, where in self.found(batch)])


class Recon(Reconstruction):
    """A little noise is laid over the image, and an image generator cleans it: what looks to it like its own work comes
    back almost unchanged, a photograph less so.

    ReconstructionError of "Sinks of Gradient Flows" (Li and Wang 2023), training-free: E ||x - f(x~)||^2 over `draws`
    noises, where x~ = sqrt(a) x + sqrt(1 - a) noise at `timestep` (0 is their "1 time-step") and f is one step of the model
    back to x, (x~ - sqrt(1 - a) noise_theta(x~)) / sqrt(a), with an empty prompt. The score is minus that, 0 at most;
    higher means more likely generated.

    The authors add up squared differences, so that a larger image has a larger error; they found an AUROC of 0.73 that fell
    to 0.49 when all images were cut to one size. Here all images are brought to one `size` and the error is a mean, which
    does not know the size: do not expect 0.73 of it. `norm=paper` adds up; `norm=spectral` is the error's largest singular
    value over the square root of its longer side, averaged over channels, as they suggest. Small images are enlarged and
    then smooth, which by itself lets them look generated. `space`: whether latents are compared or decoded pixels in
    [-1, 1], which without an autoencoder are the same; recon.lpips compares what a vision network sees of them. Heatmaps
    show where in the image it came back better (orange) or worse (blue) than on average over this image, as a natural
    logarithm.
    """

    libraries = ("torch", "diffusers", "transformers")
    cost = (
        "1 encoding and 10 U-Net passes of Stable Diffusion at 512 x 512, the encoding shared with lare; slow without a GPU"
    )
    heatmap_scale = SCALE

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "a diffusion model in diffusers format"] = SD14
        timestep: Annotated[int, "how much noise: training timestep, from 0"] = 0
        draws: Annotated[int, "noise samples averaged per image"] = 10
        space: Annotated[Literal["latent", "pixel"], "what is compared"] = "latent"
        norm: Annotated[Literal["paper", "mean", "spectral"], "how an error becomes a number"] = "mean"
        size: Annotated[int | None, "side in pixels that all images are brought to; none keeps theirs"] = 512

        def __post_init__(self) -> None:
            _check(self.draws, self.size)

    def found(self, batch: Batch) -> list[tuple[float, np.ndarray]]:
        return batch.once(errors, options=self.options)


class ReconLpips(Reconstruction):
    """As recon, but a vision network says how different the cleaned image looks from the image itself.

    E LPIPS(x, D(f(z~))) over `draws` noises, with f the model's one step back from `timestep` as in recon, D the decoder
    and LPIPS v0.1 on VGG-16, the sum of its five layers. The score is minus that, 0 at most; higher means more likely
    generated. Most of it is what the autoencoder alone changes (see aeroblade), the same for every draw.
    """

    libraries = ("torch", "diffusers", "transformers")
    cost = "1 encoding, 10 U-Net passes, 10 decodings and 11 passes of VGG-16 at 512 x 512; slow without a GPU"

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "a diffusion model in diffusers format"] = SD14
        vgg: Annotated[Weights, "the VGG-16 of LPIPS, with torchvision's names"] = VGG16
        heads: Annotated[Weights, "the converted linear heads of LPIPS"] = HEADS
        timestep: Annotated[int, "how much noise: training timestep, from 0"] = 0
        draws: Annotated[int, "noise samples averaged per image"] = 10
        size: Annotated[int | None, "side in pixels that all images are brought to; none keeps theirs"] = 512

        def __post_init__(self) -> None:
            _check(self.draws, self.size)

    def open_weights(self) -> None:
        super().open_weights()
        Lpips(0, self.options.vgg, self.options.heads).open(self.session)

    def converted(self, tensors: dict[str, Any], where: str) -> dict[str, Any]:
        return converted(tensors, where)

    def found(self, batch: Batch) -> list[tuple[float, np.ndarray]]:
        return batch.once(looks, options=self.options)


def _check(draws: int, size: int | None) -> None:
    if draws < 1 or (size is not None and size < 1):
        raise ValueError("draws and size must be at least 1")


def errors(batch: Batch, *, options: Any) -> list[tuple[float, np.ndarray]]:
    """For each image the expected length of f(x~) - x, and the mean squared difference of each place."""
    model = batch.session.once(diffusion, weights=options.weights)
    numbers = np.zeros((options.draws, len(batch)))
    places: list[Any] = [0.0] * len(batch)
    for draw in range(options.draws):
        differences = drifts(batch, options, draw)
        if options.space == "pixel":
            before = batch.once(pixels, space=model.space, size=options.size)
            after = cleaned(batch, options, draw)
            differences = [new.clamp(-1, 1) - old for new, old in zip(after, before, strict=True)]
        for index, difference in enumerate(differences):
            exact = difference.cpu().double()
            numbers[draw, index] = length(exact, options.norm)
            places[index] += exact.square().mean(dim=0) / options.draws
    return [(float(number), where.float().numpy()) for number, where in zip(numbers.mean(axis=0), places, strict=True)]


def looks(batch: Batch, *, options: Any) -> list[tuple[float, np.ndarray]]:
    """For each image the expected LPIPS between it and the cleaned one, and that of each place."""
    model = batch.session.once(diffusion, weights=options.weights)
    lpips = Lpips(0, options.vgg, options.heads)
    numbers = np.zeros((options.draws, len(batch)))
    places: list[Any] = [0.0] * len(batch)
    for draw in range(options.draws):
        after = [one.clamp(-1, 1) for one in cleaned(batch, options, draw)]
        for index, maps in enumerate(distances(batch, after, space=model.space, size=options.size, lpips=lpips)):
            numbers[draw, index] = total(maps)
            places[index] += joined(maps) / options.draws
    return [(float(number), where) for number, where in zip(numbers.mean(axis=0), places, strict=True)]


def drifts(batch: Batch, options: Any, draw: int) -> list[torch.Tensor]:
    """f(z~) - z of each image's latent for one draw of noise: (C, h, w)."""
    model = batch.session.once(diffusion, weights=options.weights)
    clean = batch.once(latents, space=model.space, size=options.size, sample=False)
    found = predictions(batch, model=model, size=options.size, timestep=options.timestep, draw=draw)
    pairs = zip(noise(batch, clean, draw), found, strict=True)
    return [model.schedule.drift(true, guess, options.timestep) for true, guess in pairs]


def cleaned(batch: Batch, options: Any, draw: int) -> list[torch.Tensor]:
    """D(f(z~)) of each image for one draw of noise: (3, H, W) in about [-1, 1]."""
    model = batch.session.once(diffusion, weights=options.weights)
    clean = batch.once(latents, space=model.space, size=options.size, sample=False)
    back = [one + drift for one, drift in zip(clean, drifts(batch, options, draw), strict=True)]
    return decode(batch.session, model.space, back)


def length(difference: torch.Tensor, norm: str) -> float:
    """Of a difference (C, h, w): the squared Frobenius norm, that per element, or the spectral norm as described above."""
    if norm == "spectral":
        largest = torch.linalg.matrix_norm(difference, 2)  # (C,)
        return float(largest.mean()) / sqrt(max(difference.shape[-2:]))
    total = float(difference.square().sum())
    return total / difference.numel() if norm == "mean" else total


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("recon", Recon)
    register("recon.lpips", ReconLpips)
