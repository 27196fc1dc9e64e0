"""Weights in 8 bits: int8 matrices with a scale for each output, and for some inputs a factor that evens them out.

In model.safetensors a matrix W (out, in) stands as NAME (int8), NAME_scale (out,) and, where inputs differ much in size,
NAME_even (in,): W = NAME * NAME_scale[:, None] / NAME_even. Everything else is float32 under its own name.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from forensic_cli.features.torch_network import tensors

SCALE, EVEN = "_scale", "_even"


def quantised(weight: np.ndarray, even: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """A float32 matrix (out, in) by the endings of its names: "" int8, SCALE and, if given, EVEN."""
    evened = weight if even is None else weight * even
    scale = np.maximum(np.abs(evened).max(axis=1), 1e-12) / 127
    numbers = np.clip(np.rint(evened / scale[:, None]), -127, 127).astype(np.int8)
    found = {"": numbers, SCALE: scale.astype(np.float32)}
    return found if even is None else found | {EVEN: even.astype(np.float32)}


def is_eight_bits(folder: Path) -> bool:
    """Whether some matrix of model.safetensors stands in 8 bits."""
    try:
        with safe_open(folder / "model.safetensors", framework="numpy") as stored:
            return any(name.endswith(f".weight{SCALE}") for name in stored.keys())  # noqa: SIM118  no mapping
    except (OSError, SafetensorError):
        return False  # whoever reads it says what is wrong


def restored(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors as float32, under the names of the network. Raises WeightsError."""
    stored = tensors(folder)
    found = {}
    for name, tensor in stored.items():
        if name.endswith((SCALE, EVEN)):
            continue
        scale, even = stored.get(name + SCALE), stored.get(name + EVEN)
        if scale is not None:
            tensor = tensor.float() * scale[:, None]
        found[name] = tensor if even is None else tensor / even
    return found
