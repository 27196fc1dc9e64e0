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
from forensic_cli.features.encoders.kinds import KINDS, PROJECTIONS, Family, Statistics
from forensic_cli.features.encoders.torch import TorchEncoder
from forensic_cli.features.torch_network import fit
from forensic_cli.features.transformers_folder import pretrained
from forensic_cli.records import Weights
from forensic_cli.weights import locate


def network(session: Session, *, weights: Weights, family: Family, projected: bool = False) -> Any:
    """A network of transformers as it is, frozen, float32, on the session's device, for those who look inside it.

    A key of `session.once`. `projected`: with the projection into one space with captions. Raises WeightsError if it is of
    another family or its tensors do not fit.
    """
    model = read(locate(weights, offline=session.offline).path, family, weights.source, projected)
    return model.eval().requires_grad_(False).to(session.device)


def read(folder: Path, family: Family, source: str, projected: bool = False) -> Any:
    """The same on the CPU, from a folder, for nobody else's use."""
    kinds = [name for name, kind in KINDS.items() if kind.family == family]
    cls = getattr(transformers, PROJECTIONS[family] if projected else "AutoModel")
    return pretrained(folder, cls, kinds, f"a {family}", source)


class TransformersEncoder(TorchEncoder):
    """Its blocks are those of the vision tower; what comes after the last of them is not computed into a token."""

    def __init__(self, folder: Path, config: Mapping[str, Any], found: Statistics, session: Session, source: str) -> None:
        kind = KINDS[config["model_type"]]
        if is_eight_bits(folder):
            model: nn.Module = _in_eight_bits(folder, getattr(transformers, kind.model), source)
        else:
            model = read(folder, kind.family, source)
        super().__init__(model, found, session)
        # in front of the patches: the class token, and registers
        self._before = getattr(model.config, "num_register_tokens", 0) + (kind.whole == "class")

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
