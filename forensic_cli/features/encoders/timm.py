"""An encoder in timm's format: a folder with config.json and model.safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from torch.nn import functional

from forensic_cli.detector import Session
from forensic_cli.errors import WeightsError, reason
from forensic_cli.features.encoders.kinds import Statistics
from forensic_cli.features.encoders.torch import TorchEncoder


class TimmEncoder(TorchEncoder):
    """Any network of timm that gives its intermediate features; without a class token the mean over places is taken."""

    def __init__(self, folder: Path, found: Statistics, session: Session) -> None:
        try:
            network = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0)
        except Exception as error:  # what timm raises for a damaged folder is anybody's guess
            raise WeightsError(f"{folder} cannot be read as a network of timm: {reason(error)}") from error
        if not hasattr(network, "forward_intermediates"):
            raise WeightsError(f"{folder}: this network of timm does not give what it sees between its blocks")
        super().__init__(network, found, session)
        self._class_token = getattr(network, "num_prefix_tokens", 0) > 0

    def _tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        network: Any = self._network
        prefixes = {"return_prefix_tokens": True} if self._class_token else {}  # convolutional networks know no such word
        maps = network.forward_intermediates(pixels, intermediates_only=True, **prefixes)
        pairs = maps if self._class_token else [(one, None) for one in maps]
        means = [one.mean(dim=(2, 3)) for one, _ in pairs]
        firsts = [prefix[:, 0] if prefix is not None else mean for (_, prefix), mean in zip(pairs, means, strict=True)]
        widest = max(one.shape[1] for one in means)  # stages of a convolutional network differ
        padded = [[functional.pad(one, (0, widest - one.shape[1])) for one in some] for some in (firsts, means)]
        return torch.stack([torch.stack(some, dim=1) for some in padded], dim=2)
