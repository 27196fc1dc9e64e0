"""An encoder in the format of transformers, with the weights as they were published or in 8 bits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from forensic_cli.detector import Session
from forensic_cli.errors import WeightsError, reason
from forensic_cli.features.encoders.eight_bits import is_eight_bits, restored
from forensic_cli.features.encoders.kinds import KINDS, Statistics
from forensic_cli.features.encoders.torch import TorchEncoder
from forensic_cli.features.torch_network import fit
from forensic_cli.features.transformers_folder import pretrained


class TransformersEncoder(TorchEncoder):
    """Its blocks are those of the vision tower; what comes after the last of them is not computed into a token."""

    def __init__(self, folder: Path, config: Mapping[str, Any], found: Statistics, session: Session, source: str) -> None:
        kind = KINDS[config["model_type"]]
        cls = getattr(transformers, kind.model)
        if is_eight_bits(folder):
            network = _in_eight_bits(folder, cls, source)
        else:
            network = pretrained(folder, cls, (config["model_type"],), f"a {config['model_type']}", source)
        super().__init__(network, found, session)
        # in front of the patches: the class token, and registers
        self._before = getattr(network.config, "num_register_tokens", 0) + (kind.whole == "class")

    def _tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        after = self._network(pixel_values=pixels, output_hidden_states=True).hidden_states[1:]
        means = torch.stack([one[:, self._before :].mean(dim=1) for one in after], dim=1)
        first = torch.stack([one[:, 0] for one in after], dim=1) if self._before else means
        return torch.stack([first, means], dim=2)


def _in_eight_bits(folder: Path, cls: Any, source: str) -> nn.Module:
    """The untrained network of config.json, filled with what the 8-bit numbers stand for. Raises WeightsError."""
    try:
        network: nn.Module = cls(cls.config_class.from_pretrained(folder, local_files_only=True))
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise WeightsError(f"{source} cannot be read as an encoder of transformers: {reason(error)}") from error
    fit(network, restored(folder), source)
    return network
