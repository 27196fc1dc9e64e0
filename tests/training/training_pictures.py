"""Small labelled pictures on disk, and a network that is trained in a moment."""

import numpy as np
import torch
from PIL import Image
from torch import nn

from forensic_cli.datasets import Labelled


def grain(height, width, seed, strength=40):
    """Coloured waves under noise."""
    draw = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(rows / draw.uniform(2, 9)) + np.cos(columns / draw.uniform(2, 9)) for _ in range(3)], -1)
    return np.clip(128 + 45 * waves + draw.normal(0, strength, waves.shape), 0, 255).astype(np.uint8)


def labelled(folder, count=6, side=40, sources=2, suffix="png"):
    """As many photographs (noisy) as generated images (smooth), from `sources` sources each."""
    folder.mkdir(parents=True, exist_ok=True)
    items = []
    for number in range(2 * count):
        generated = number % 2 == 1
        source = f"{'generator' if generated else 'camera'}-{number // 2 % sources}"
        path = folder / f"{number}.{suffix}"
        Image.fromarray(grain(side + number % 5, side + 7, number, 2 if generated else 40)).save(path)
        kind = "generated" if generated else "photograph"
        items.append(Labelled(str(path), generated, source if generated else "", source, kind, "CC0"))
    return items


class Small(nn.Module):
    """Two layers of convolution with normalisation and dropout, and a linear layer over their mean."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.one = nn.Conv2d(3, 6, 3, stride=2, bias=False)  # before a normalisation its gradient is rounding
        self.norm = nn.BatchNorm2d(6)
        self.two = nn.Conv2d(6, 8, 3, stride=2)
        self.drop = nn.Dropout(0.2)
        self.last = nn.Linear(8, 1)

    def get_classifier(self):
        return self.last

    def forward(self, x):
        x = torch.relu(self.two(torch.relu(self.norm(self.one(x)))))
        return self.last(self.drop(x.mean(dim=(2, 3))))
