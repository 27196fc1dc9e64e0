"""How strongly an image generator pulls at an image, and how much that pull itself looks like the image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F

from forensic_cli import Batch, Detector, Session, Weights, hookimpl
from forensic_cli.classifier import CLIP_MEAN, CLIP_STD, Look
from forensic_cli.features.diffusion import SD14, decode, denoiser, diffusion, latents, noise, opened, together
from forensic_cli.features.encoders.dinov2 import half
from forensic_cli.features.encoders.kinds import CLIP_LARGE
from forensic_cli.features.encoders.transformers import network
from forensic_cli.features.windows import cut, threads

_AT_ONCE = 64  # crops in one pass of CLIP


class Manifold(Detector):
    """What an image generator would take away from an image shows how close the image is to its own pictures: from its own
    work it takes away something that resembles the image.

    The manifold-bias criterion (Brokman et al. 2025), training-free. Noise delta of length sqrt(d) is laid over the latent
    at `timestep`; p = noise_theta(z_t, t, prompt) / scaling factor is decoded like a latent, and so is delta. With CLIP's
    projected image embeddings a of the image, b of D(p), c of D(delta), averaged over `draws` noises:

        C = 1 + (sqrt(n) cos(a, b) - |b| + cos(b, c)) / (sqrt(n) + 2)

    Higher means more likely generated. n is 512 in the authors' code though the embedding of CLIP ViT-L/14 has 768 numbers;
    `constant` keeps theirs. As in that code the prediction is divided by the scaling factor before it is decoded and the
    noise is not, and CLIP sees the whole image (short side resized, centre), not the square that is encoded, and decoded
    pictures as 8 bits. They let a language model of 7 billion weights write a caption for each image; here there is one
    `prompt` for all, by default none, and they enlarge to 515 pixels before they cut out 512, which is left out.
    """

    paper = "arXiv:2504.15470"
    libraries = ("torch", "diffusers", "transformers")
    cost = (
        "1 encoding, 8 U-Net passes and 16 decodings of Stable Diffusion at 512 x 512, and 17 passes of CLIP ViT-L/14; "
        "slow without a GPU"
    )

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "a diffusion model in diffusers format"] = SD14
        clip: Annotated[Weights, "a CLIP in transformers format"] = CLIP_LARGE
        timestep: Annotated[int, "how much noise: training timestep, from 0"] = 10
        draws: Annotated[int, "noise samples averaged per image"] = 8
        constant: Annotated[float, "n in the criterion, which weighs the first cosine"] = 512.0
        prompt: Annotated[str, "what the generator is told of the image"] = ""
        size: Annotated[int | None, "side in pixels that all images are brought to; none keeps theirs"] = 512

        def __post_init__(self) -> None:
            if self.draws < 1 or (self.size is not None and self.size < 1):
                raise ValueError("draws and size must be at least 1")
            if self.constant < 0:
                raise ValueError("constant must not be below 0")

    def open_weights(self) -> None:
        opened(self.session, self.options.weights, self.options.timestep, self.options.size)

    def score(self, batch: Batch) -> list[float]:
        """C, each term averaged over the draws."""
        own = embedded(batch.session, self.options.clip, batch.images)
        terms = torch.zeros(3, len(batch), dtype=torch.float64)
        for draw in range(self.options.draws):
            pull, grain = (embedded(batch.session, self.options.clip, some) for some in self.pictures(batch, draw))
            bias, kappa = F.cosine_similarity(own, pull), F.cosine_similarity(pull, grain)
            terms += torch.stack((bias, pull.norm(dim=1), kappa)) / self.options.draws
        bias, length, kappa = terms
        root = sqrt(self.options.constant)
        numbers: list[float] = (1 + (root * bias - length + kappa) / (root + 2)).tolist()
        return numbers

    def pictures(self, batch: Batch, draw: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """What the decoder makes of the predicted noise of each image, and of the noise itself: uint8 (H, W, 3)."""
        chosen, session = self.options, batch.session
        model = session.once(diffusion, weights=chosen.weights)
        clean = batch.once(latents, space=model.space, size=chosen.size, sample=True)
        grains = [spherical(one) for one in noise(batch, clean, draw)]
        noisy = [model.schedule.noised(z, grain, chosen.timestep) for z, grain in zip(clean, grains, strict=True)]
        unet = session.once(denoiser, model=model)
        found: dict[int, torch.Tensor] = {}
        for indices, stack in together(noisy):
            found |= zip(indices, unet(stack, chosen.timestep, chosen.prompt), strict=True)
        pulls = decode(session, model.space, [found[index] for index in range(len(clean))])
        plain = decode(session, model.space, grains, scaled=False)
        return [painted(one) for one in pulls], [painted(one) for one in plain]


def spherical(grain: torch.Tensor) -> torch.Tensor:
    """The same direction at the length that such noise has on average."""
    length = sqrt(grain.numel())
    return F.normalize(grain.flatten(), dim=0).view_as(grain) * length


def painted(picture: torch.Tensor) -> np.ndarray:
    """About [-1, 1], (3, H, W), to uint8 (H, W, 3)."""
    levels = ((picture.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    pixels: np.ndarray = levels.permute(1, 2, 0).cpu().numpy()
    return pixels


def embedded(session: Session, weights: Weights, pictures: Sequence[np.ndarray]) -> torch.Tensor:
    """Projected embeddings of uint8 pictures of any size, not of unit length: (N, D), float64 on the CPU."""
    model = session.once(network, weights=weights, family="CLIP", projected=True)
    size = model.config.image_size
    crop = partial(cut, look=Look(size, resize=size, kernel="bicubic"))
    crops = np.stack([window.pixels for (window,) in session.once(threads).map(crop, pictures)])
    parts = []
    for start in range(0, len(crops), _AT_ONCE):
        pixels = torch.from_numpy(crops[start : start + _AT_ONCE]).to(session.device).permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(three, device=pixels.device).view(3, 1, 1) for three in (CLIP_MEAN, CLIP_STD))
        with half(session):
            parts.append(model(pixel_values=(pixels - mean) / std).image_embeds)
    return torch.cat(parts).cpu().double()


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("manifold", Manifold)
