"""What encoders that torch runs have in common: pixels to the device, tokens back, in parts that fit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from forensic_cli.detector import Session
from forensic_cli.features.encoders.kinds import Statistics

_MOST = 32  # crops in one forward pass on a GPU; on a CPU each goes alone, so that its neighbours do not matter


class TorchEncoder:
    """Float32 weights on the session's device; half precision by autocast."""

    def __init__(self, network: nn.Module, found: Statistics, session: Session) -> None:
        self.statistics = found
        self.provider = f"torch {torch.device(session.device).type}"
        self._network = network.eval().requires_grad_(False).to(session.device)
        self._session = session
        self._mean, self._std = (torch.tensor(one, device=session.device).view(3, 1, 1) for one in (found.mean, found.std))

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        return np.concatenate([one.float().cpu().numpy() for one in self._parts(crops)])

    def _parts(self, crops: np.ndarray) -> Iterator[torch.Tensor]:
        session, kind = self._session, torch.device(self._session.device).type
        step = 1 if kind == "cpu" else _MOST
        dtype = getattr(torch, session.dtype)
        for start in range(0, len(crops), step):
            part = torch.from_numpy(np.ascontiguousarray(crops[start : start + step])).to(session.device)
            pixels = (part.permute(0, 3, 1, 2).float() / 255 - self._mean) / self._std
            with torch.inference_mode(), torch.autocast(kind, dtype=dtype, enabled=dtype != torch.float32):
                yield self._tokens(pixels)

    def _tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (M, 3, size, size) to tokens (M, blocks, 2, width)."""
        raise NotImplementedError
