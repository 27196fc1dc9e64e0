"""From images of any size to tensors of one size, with Pillow's resampling (antialiased, on 8 bits, as photographs are)."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Literal

import numpy as np
import torch
from PIL import Image

from forensic_cli.detector import Batch, Session

Transform = Literal["shared", "squash", "random"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_LARGEST = 1 << 24  # pixels of a resized image


def pixels(batch: Batch, *, transform: Transform, short: int = 256, size: int = 224) -> torch.Tensor:
    """Crops of one size as ImageNet-normalised float32 on the session's device: (N, 3, size, size).

    "shared": short side to `short` (bicubic), centre crop. "squash": the whole image to size x size (bilinear).
    "random": a random window at native size, black where the image is smaller.
    """
    words = [ref.sha256 for ref in batch.refs]
    seeds = [batch.session.seed_for(word, "crop", 0) for word in words] if transform == "random" else [0] * len(words)
    cut = partial(_cut, transform=transform, short=short, size=size)
    crops = list(batch.session.once(_threads).map(cut, batch.images, seeds))
    stack = torch.from_numpy(np.stack(crops)).to(batch.session.device)
    mean = torch.tensor(IMAGENET_MEAN, device=stack.device).view(3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=stack.device).view(3, 1, 1)
    return (stack.permute(0, 3, 1, 2).float() / 255 - mean) / std


def _threads(session: Session) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="forensic-crop")


def _cut(image: np.ndarray, seed: int, transform: Transform, short: int, size: int) -> np.ndarray:
    """One uint8 crop (size, size, 3)."""
    if transform == "random":
        return _window(image, size, seed)
    height, width = image.shape[:2]
    picture = Image.fromarray(image)
    if transform == "squash":
        return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))
    scale = short / min(height, width)
    target = (short, max(short, int(height * scale))) if width <= height else (max(short, int(width * scale)), short)
    left, top = round((target[0] - size) / 2), round((target[1] - size) / 2)
    if target[0] * target[1] > _LARGEST:  # a strip of a few rows, enlarged to gigabytes: only the window is computed
        across, down = width / target[0], height / target[1]
        box = (left * across, top * down, (left + size) * across, (top + size) * down)
        return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC, box))
    if target != (width, height):
        picture = picture.resize(target, Image.Resampling.BICUBIC)
    return np.asarray(picture.crop((left, top, left + size, top + size)))


def _window(image: np.ndarray, size: int, seed: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    spare = [max(0, side - size) for side in image.shape[:2]]
    top, left = (int(torch.randint(room + 1, (1,), generator=generator)) for room in spare)
    part = image[top : top + size, left : left + size]
    if part.shape[:2] == (size, size):
        return part
    canvas = np.zeros((size, size, 3), np.uint8)
    above, before = (size - part.shape[0]) // 2, (size - part.shape[1]) // 2
    canvas[above : above + part.shape[0], before : before + part.shape[1]] = part
    return canvas
