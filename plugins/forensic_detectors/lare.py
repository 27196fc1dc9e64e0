"""A diffusion model recognises the noise in an image of its own kind better than in a photograph."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch

from forensic_cli import Batch, Detector, Weights, hookimpl
from forensic_cli.features.diffusion import SCALE, SD14, diffusion, evidence, latents, noise, opened, predictions, views


class Lare(Detector):
    """Noise is laid over the image, and an image generator is asked what the noise was: it tells it better where the image
    looks like its own.

    The map of LaRE^2 (Luo et al. 2024), E[(noise - noise_theta(z_t, t, prompt))^2] over `draws` noises at `timestep`,
    without the classifier that its authors train on it. The score is minus its mean over the latent, 0 at most, higher
    means more likely generated. The authors' prompt names the true class of an image, which nobody knows of an image found
    somewhere; here it is empty. Heatmaps show where in the image the noise was told better (orange) or worse (blue) than on
    average over this image, as a natural logarithm. All images are brought to one `size`; small ones are enlarged by it and
    then smooth, which by itself lets them look generated.
    """

    paper = "arXiv:2403.17465"
    libraries = ("torch", "diffusers", "transformers")
    cost = (
        "1 encoding and 4 U-Net passes of Stable Diffusion at 512 x 512, the encoding shared with recon; slow without a GPU"
    )
    heatmap_scale = SCALE

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "a diffusion model in diffusers format"] = SD14
        timestep: Annotated[int, "how much noise: training timestep, from 0"] = 200
        draws: Annotated[int, "noise samples averaged per image"] = 4
        prompt: Annotated[str, "what the generator is told of the image"] = ""
        size: Annotated[int | None, "side in pixels that all images are brought to; none keeps theirs"] = 512

        def __post_init__(self) -> None:
            if self.draws < 1 or (self.size is not None and self.size < 1):
                raise ValueError("draws and size must be at least 1")

    def open_weights(self) -> None:
        opened(self.session, self.options.weights, self.options.timestep, self.options.size)

    def score(self, batch: Batch) -> list[float]:
        """Minus the mean of the map."""
        return [0.0 - float(one.mean(dtype=np.float64)) for one in batch.once(loss_maps, options=self.options)]

    def heatmaps(self, batch: Batch) -> list[np.ndarray]:
        model = batch.session.once(diffusion, weights=self.options.weights)
        seen = batch.once(views, space=model.space, size=self.options.size)
        return evidence(batch, seen, batch.once(loss_maps, options=self.options))


def loss_maps(batch: Batch, *, options: Any) -> list[np.ndarray]:
    """The squared error of the predicted noise, averaged over draws and channels: (h, w) of each image."""
    model = batch.session.once(diffusion, weights=options.weights)
    clean = batch.once(latents, space=model.space, size=options.size, sample=False)
    totals = [torch.zeros(one.shape[-2:], device=one.device) for one in clean]
    for draw in range(options.draws):
        found = predictions(
            batch, model=model, size=options.size, timestep=options.timestep, draw=draw, prompt=options.prompt
        )
        for total, true, predicted in zip(totals, noise(batch, clean, draw), found, strict=True):
            total += (true - predicted).square().mean(dim=0)
    return [(total / options.draws).cpu().numpy() for total in totals]


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("lare", Lare)
