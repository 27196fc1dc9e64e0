"""The image encoder of a CLIP in transformers format with a linear layer on it."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from forensic_cli.classifier import Classifier
from forensic_cli.features.encoders.transformers import read


class Probe(nn.Module):
    """Its tensors are those of the linear layer alone: the encoder is read from its own folder and stays as it is."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.fc = nn.Linear(encoder.config.projection_dim, 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.fc(self.encoder(pixel_values=pixels).image_embeds)
        return answer

    def state_dict(self, *given: Any, **settings: Any) -> Any:
        return self.fc.state_dict(*given, **settings)

    def load_state_dict(self, *given: Any, **settings: Any) -> Any:
        return self.fc.load_state_dict(*given, **settings)


def probe(folder: Path, source: str) -> Probe:
    """The encoder in a folder and an untrained layer. Raises WeightsError."""
    return Probe(read(folder, "CLIP", source, projected=True))


def layer(_: Classifier) -> nn.Module:
    """The layer alone, of the width that CLIP ViT-L/14 has."""
    return nn.Linear(768, 1)
