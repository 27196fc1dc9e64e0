"""From images of any size to tensors of one size, with Pillow's resampling (antialiased, on 8 bits, as photographs are)."""

from functools import partial
from typing import Literal

import numpy as np
import torch

from forensic_cli.classifier import IMAGENET_MEAN, IMAGENET_STD, Look
from forensic_cli.detector import Batch
from forensic_cli.features.windows import cut, threads

Transform = Literal["shared", "squash", "random"]


def pixels(batch: Batch, *, transform: Transform, short: int = 256, size: int = 224) -> torch.Tensor:
    """Crops of one size as ImageNet-normalised float32 on the session's device: (N, 3, size, size).

    "shared": short side to `short` (bicubic), centre crop. "squash": the whole image to size x size (bilinear).
    "random": a random window at native size, black where the image is smaller.
    """
    words = [ref.sha256 for ref in batch.refs]
    seeds = [batch.session.seed_for(word, "crop", 0) for word in words] if transform == "random" else [0] * len(words)
    looks = {
        "shared": Look(size, resize=short, kernel="bicubic"),
        "squash": Look(size, squash=True),
        "random": Look(size, pad="black"),
    }
    crop = partial(_cut, look=looks[transform], anywhere=transform == "random")
    crops = list(batch.session.once(threads).map(crop, batch.images, seeds))
    stack = torch.from_numpy(np.stack(crops)).to(batch.session.device)
    mean = torch.tensor(IMAGENET_MEAN, device=stack.device).view(3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=stack.device).view(3, 1, 1)
    return (stack.permute(0, 3, 1, 2).float() / 255 - mean) / std


def _cut(image: np.ndarray, seed: int, look: Look, anywhere: bool) -> np.ndarray:
    """One uint8 crop (size, size, 3)."""
    places = partial(_place, torch.Generator().manual_seed(seed)) if anywhere else None
    return cut(image, look, places)[0].pixels


def _place(generator: torch.Generator, shape: tuple[int, int], look: Look) -> list[tuple[int, int]]:
    """Top and left of a window anywhere in the image."""
    assert look.size
    top, left = (int(torch.randint(side - look.size + 1, (1,), generator=generator)) for side in shape)
    return [(top, left)]
