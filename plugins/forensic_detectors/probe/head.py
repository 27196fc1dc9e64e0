"""What reads an encoder's tokens: which of them, and one or two layers on them. Needs no torch."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from forensic_cli.classifier import Look
from forensic_cli.errors import WeightsError
from forensic_cli.shapes import WrongShape, shaped
from forensic_cli.writing import atomic

Layers = tuple[tuple[np.ndarray, np.ndarray], ...]
"""Matrices (out, in) and biases (out,) in turn, with max(x, 0) between them."""

SCHEMA = "forensic/probe/1"
CONFIG, TENSORS = "config.json", "model.safetensors"


@dataclass(frozen=True)
class Reading:
    """Which encoder is read, by the SHA-256 of its files, and where: the class token after some blocks (`classes`, counted
    from 1) and the mean of the patch tokens after some (`means`), at one `look`."""

    encoder: str
    encoder_sha256: str
    look: Look
    classes: tuple[int, ...]
    means: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.classes + self.means or min(self.classes + self.means) < 1:
            raise ValueError("it reads no token: blocks are counted from 1")

    @property
    def blocks(self) -> int:
        """How many blocks an encoder must have."""
        return max(self.classes + self.means)

    def features(self, tokens: np.ndarray) -> np.ndarray:
        """Tokens (..., blocks, 2, width) side by side: (..., D), float32. Raises WeightsError for too few blocks."""
        if tokens.shape[-3] < self.blocks:
            raise WeightsError(f"the encoder has {tokens.shape[-3]} blocks, and block {self.blocks} is to be read")
        parts = [tokens[..., block - 1, 0, :] for block in self.classes]
        parts += [tokens[..., block - 1, 1, :] for block in self.means]
        return np.concatenate(parts, axis=-1).astype(np.float32)


@dataclass(frozen=True)
class Head:
    """`layers`: matrices (out, in) and biases (out,) in turn, with max(x, 0) between them.

    The first output is the log-odds of "generated", the second those of "made by hand, no photograph".
    """

    reading: Reading
    layers: Layers
    licence: str = "yours"

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(N, D) to (N, 2); one row at a time gives the same as all together."""
        rows = np.asarray(features, self.layers[0][0].dtype)
        return np.concatenate([applied(self.layers, row[None]) for row in rows]) if len(rows) else np.zeros((0, 2))

    def write(self, folder: Path) -> None:
        """config.json and model.safetensors."""
        reading = self.reading
        described = {
            "schema": SCHEMA,
            "encoder": reading.encoder,
            "encoder_sha256": reading.encoder_sha256,
            "look": {name: getattr(reading.look, name) for name in reading.look.__dataclass_fields__},
            "classes": list(reading.classes),
            "means": list(reading.means),
            "licence": self.licence,
        }
        tensors = {}
        for number, (weight, bias) in enumerate(self.layers):
            tensors[f"layers.{number}.weight"] = np.ascontiguousarray(weight, np.float16)
            tensors[f"layers.{number}.bias"] = np.ascontiguousarray(bias, np.float32)
        with atomic(folder / TENSORS) as stream:
            stream.write(save(tensors))
        with atomic(folder / CONFIG) as stream:
            stream.write(json.dumps(described, indent=1).encode() + b"\n")


def applied(layers: Layers, features: np.ndarray) -> np.ndarray:
    """(N, D) to (N, 2), all rows at once: the last bits may depend on their number."""
    hidden = features
    for number, (weight, bias) in enumerate(layers):
        hidden = (np.maximum(hidden, 0) if number else hidden) @ weight.T + bias
    return hidden


def read(folder: Path) -> Head:
    """Raises WeightsError that names the file and what is wrong with it."""
    file = folder / CONFIG
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read: {error}") from error
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise WeightsError(f"{file} does not describe a probe of forensic (schema {SCHEMA}): train one anew")
    try:
        reading: Reading = shaped(Reading, {name: value.get(name) for name in Reading.__dataclass_fields__})
    except WrongShape as wrong:
        raise WeightsError(f"{file}: {wrong}") from wrong
    return Head(reading, _layers(folder / TENSORS), str(value.get("licence", "unknown")))


def _layers(file: Path) -> Layers:
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read as safetensors: {error}") from error
    layers: list[tuple[np.ndarray, np.ndarray]] = []
    while f"layers.{len(layers)}.weight" in tensors:
        stem = f"layers.{len(layers)}"
        layers.append((tensors[f"{stem}.weight"], tensors.get(f"{stem}.bias", np.zeros(0))))
    if not layers or not _fit(layers) or len(tensors) != 2 * len(layers):
        raise WeightsError(f"{file} holds no layers of a probe, one behind the other, with two outputs")
    return tuple((weight.astype(np.float32), bias.astype(np.float32)) for weight, bias in layers)


def _fit(layers: Sequence[tuple[np.ndarray, np.ndarray]]) -> bool:
    shapes = [weight.shape for weight, _ in layers]
    return (
        all(len(shape) == 2 for shape in shapes)
        and all(bias.shape == weight.shape[:1] for weight, bias in layers)
        and all(one[0] == other[1] for one, other in itertools.pairwise(shapes))
        and shapes[-1][0] == 2
    )


def folded(layers: Sequence[tuple[np.ndarray, np.ndarray]], mean: np.ndarray, std: np.ndarray) -> Layers:
    """Layers on features brought to `mean` 0 and `std` 1, as layers on the features themselves."""
    (weight, bias), *rest = layers
    first = weight / std
    return ((first, bias - first @ mean), *rest)
