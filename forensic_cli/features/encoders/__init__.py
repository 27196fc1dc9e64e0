"""Frozen image encoders, whatever runs them: what a network that was trained for something else sees after each block.

Detectors, trainings and maps that name the same weights and look share one forward pass.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from forensic_cli.classifier import Look
from forensic_cli.detector import Batch, Session
from forensic_cli.errors import WeightsError, nearest
from forensic_cli.features.encoders.kinds import KINDS, Statistics, statistics
from forensic_cli.features.networks import GRAPH
from forensic_cli.features.windows import Window, windows
from forensic_cli.records import Weights
from forensic_cli.weights import locate

__all__ = ["Encoder", "Statistics", "encoder", "tokens"]


class Encoder(Protocol):
    """`statistics`: the size and the normalisation that it was trained with. `provider` says what runs it."""

    statistics: Statistics
    provider: str

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """uint8 crops (M, size, size, 3) to (M, blocks, 2, width), float32, not normalised: after each block the class
        token, and the mean of the patch tokens; the mean stands for both where there is no class token."""
        ...


def encoder(session: Session, *, weights: Weights) -> Encoder:
    """The encoder in a folder in the format of transformers or timm, or on the hub, for the life of the session.

    A folder that also holds graph.onnx is run by ONNX Runtime on a CPU. Raises WeightsError.
    """
    folder = locate(weights, offline=session.offline).path
    config = _config(folder, weights.source)
    found = statistics(folder, config)
    graph = folder / GRAPH
    if graph.is_file() and session.dtype == "float32" and session.device == "cpu":
        from forensic_cli.features.encoders.onnx import OnnxEncoder

        return OnnxEncoder(graph, found, session)
    if "architecture" in config:
        from forensic_cli.features.encoders.timm import TimmEncoder

        return TimmEncoder(folder, found, session)
    if config.get("model_type") not in KINDS:
        kind = config.get("model_type", "nameless")
        hint = nearest(str(kind), list(KINDS))
        raise WeightsError(f"{weights.source} holds a {kind} network, an image encoder is needed ({hint})")
    from forensic_cli.features.encoders.transformers import TransformersEncoder

    return TransformersEncoder(folder, config, found, session, weights.source)


def _config(folder: Path, source: str) -> dict[str, Any]:
    file = folder / "config.json" if folder.is_dir() else folder.parent / "config.json"
    try:
        value = json.loads(file.read_bytes())
    except OSError as error:
        raise WeightsError(f"{source}: no config.json tells which encoder it is ({error.strerror})") from error
    except ValueError as error:
        raise WeightsError(f"{file} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise WeightsError(f"{file} describes no network")
    return value


def tokens(batch: Batch, *, weights: Weights, look: Look) -> list[tuple[list[Window], np.ndarray]]:
    """For each image its crops, and what the encoder sees in each of them: (crops, blocks, 2, width)."""
    run = batch.session.once(encoder, weights=weights)
    crops = batch.once(windows, look=look)
    flat = np.stack([window.pixels for several in crops for window in several])
    seen = np.split(run(flat), np.cumsum([len(several) for several in crops])[:-1])
    return list(zip(crops, seen, strict=True))
