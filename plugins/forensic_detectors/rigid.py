"""Noise that the eye cannot see changes what a vision network makes of a generated image more than of a photograph."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch

from forensic_cli import Batch, Detector, Weights, hookimpl
from forensic_cli.features.crops import Transform, pixels
from forensic_cli.features.encoders.dinov2 import (
    FAMILY,
    PositionEmbedding,
    clean_embedding,
    distance,
    embed,
    half,
    tokens,
)
from forensic_cli.features.encoders.kinds import DINOV2_LARGE
from forensic_cli.features.encoders.transformers import network
from forensic_cli.features.noise import gaussian

_TRANSFORMS: dict[str, Transform] = {"shared": "shared", "paper": "squash"}


class Rigid(Detector):
    """A little noise moves a generated image further in the eyes of a vision network than a photograph.

    RIGID (He, Chen and Ho 2024), training-free. The score is 1 - cos(f(x), f(x + ratio * noise)) with f the DINOv2 class
    token and standard normal noise on the ImageNet-normalised crop; 0 to 2, higher means more likely generated. Typical
    values differ from one kind of photograph to another, so compare only with photographs like yours. Noise added to a
    generated image hides it from this method. `transform=paper` squashes the whole image to 224 x 224 as the authors do.
    """

    paper = "arXiv:2405.20112"
    libraries = ("torch", "transformers")
    cost = "2 forward passes of DINOv2 ViT-L/14 at 224 x 224 for one draw; the first is shared with wepe"

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "a DINOv2 in transformers format"] = DINOV2_LARGE
        transform: Annotated[Literal["shared", "paper"], "which pixels the network sees"] = "shared"
        ratio: Annotated[float, "standard deviation of the noise, in normalised units (lambda in the paper)"] = 0.05
        draws: Annotated[int, "noise samples averaged per image"] = 1
        position: Annotated[PositionEmbedding, "how position embeddings are resampled"] = "hub"

        def __post_init__(self) -> None:
            if self.draws < 1 or self.ratio <= 0:
                raise ValueError("draws must be at least 1 and ratio above 0")

    def score(self, batch: Batch) -> torch.Tensor:
        """1 - cosine, averaged over the draws: (N,)."""
        chosen, transform = self.options, _TRANSFORMS[self.options.transform]
        model = batch.session.once(network, weights=chosen.weights, family=FAMILY)
        images = batch.once(pixels, transform=transform)  # (N, 3, 224, 224)
        clean = batch.once(clean_embedding, weights=chosen.weights, transform=transform, position=chosen.position)  # (N, D)
        total = torch.zeros(len(batch), dtype=torch.float64)
        for draw in range(chosen.draws):
            noise = batch.once(gaussian, shape=tuple(images.shape[1:]), draw=draw)
            with half(batch.session):
                noisy = embed(model, tokens(model, images + chosen.ratio * noise, chosen.position))
            total += distance(clean, noisy) / 2
        return total / float(chosen.draws)

    def embed(self, batch: Batch) -> np.ndarray:
        """Class tokens of unit length, which the score begins with: (N, D)."""
        chosen, transform = self.options, _TRANSFORMS[self.options.transform]
        clean = batch.once(clean_embedding, weights=chosen.weights, transform=transform, position=chosen.position)
        return clean.float().cpu().numpy()


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("rigid", Rigid)
