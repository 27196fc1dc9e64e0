"""Random networks for LPIPS as fixtures: pytest_plugins = ("lpips_models",)."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

WIDTHS = (64, 128, 256, 512, 512)
NUMBERS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))  # torchvision's, of the convolutions


@pytest.fixture(scope="session")
def vgg_file(tmp_path_factory) -> Path:
    """The convolutions of VGG-16 in torchvision's names; its architecture cannot be made smaller."""
    generator = torch.Generator().manual_seed(0)
    tensors, width = {}, 3
    for numbers, out in zip(NUMBERS, WIDTHS, strict=True):
        for number in numbers:
            tensors[f"features.{number}.weight"] = (
                torch.randn(out, width, 3, 3, generator=generator) * (2 / (9 * width)) ** 0.5
            )
            tensors[f"features.{number}.bias"] = torch.randn(out, generator=generator) * 0.1
            width = out
    file = tmp_path_factory.mktemp("weights") / "vgg16.safetensors"
    save_file(tensors, file)
    return file


@pytest.fixture(scope="session")
def heads_file(tmp_path_factory) -> Path:
    generator = torch.Generator().manual_seed(1)
    sizes = dict(enumerate(WIDTHS))
    file = tmp_path_factory.mktemp("weights") / "heads.safetensors"
    save_file(
        {f"lin{n}.model.1.weight": torch.rand(1, width, 1, 1, generator=generator) for n, width in sizes.items()}, file
    )
    return file
