"""What is known of each kind of encoder before it is opened: which class of transformers, which token, which pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from forensic_cli.classifier import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD, Look
from forensic_cli.errors import WeightsError
from forensic_cli.records import Weights

Family = Literal["CLIP", "SigLIP", "DINOv2", "ViT"]
Whole = Literal["class", "mean"]

_HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Kind:
    """What a `model_type` stands for."""

    family: Family
    model: str
    """The class of transformers."""

    whole: Whole
    """Which token stands for the image."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int = 224
    fixed: bool = True
    """Whether it takes images of one size alone, whatever its preprocessor makes."""


KINDS: Mapping[str, Kind] = {
    "clip": Kind("CLIP", "CLIPVisionModel", "class", CLIP_MEAN, CLIP_STD),
    "clip_vision_model": Kind("CLIP", "CLIPVisionModel", "class", CLIP_MEAN, CLIP_STD),
    "siglip": Kind("SigLIP", "SiglipVisionModel", "mean", _HALF, _HALF),
    "siglip_vision_model": Kind("SigLIP", "SiglipVisionModel", "mean", _HALF, _HALF),
    "dinov2": Kind("DINOv2", "Dinov2Model", "class", IMAGENET_MEAN, IMAGENET_STD, fixed=False),
    "dinov2_with_registers": Kind("DINOv2", "Dinov2WithRegistersModel", "class", IMAGENET_MEAN, IMAGENET_STD, fixed=False),
    "vit": Kind("ViT", "ViTModel", "class", _HALF, _HALF),
}
"""By the `model_type` of a config.json."""

PROJECTIONS: Mapping[Family, str] = {"CLIP": "CLIPVisionModelWithProjection"}
"""The class of transformers that brings what is seen into one space with captions."""

DINOV2_LARGE = Weights(
    "facebook/dinov2-large",
    revision="47b73eefe95e8d44ec3623f8890bd894b6ea2d6c",
    licence="Apache-2.0",
    files=("config.json", "model.safetensors"),
    bytes=1_217_522_888,
    sha256={"model.safetensors": "399fba97a95f22c36834418bc69373364a99af3a1153da1c0fb31db567c92e23"},
)
CLIP_LARGE = Weights(
    "openai/clip-vit-large-patch14",
    revision="32bd64288804d66eefd0ccbe215aa642df71cc41",
    licence="MIT",
    files=("config.json", "model.safetensors"),
    bytes=1_710_545_099,
    sha256={"model.safetensors": "a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb"},
)


@dataclass(frozen=True)
class Statistics:
    """What an encoder was trained to see: squares of `size` pixels, (pixel / 255 - mean) / std."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def look(self) -> Look:
        """The whole image, its short side at the size of the encoder, and of that the centre."""
        return Look(self.size, resize=self.size, kernel="bicubic")


def statistics(folder: Path, config: Mapping[str, Any]) -> Statistics:
    """From preprocessor_config.json or timm's own words, else what its kind is usually given. Raises WeightsError."""
    kind = KINDS.get(str(config.get("model_type")))
    usual = Statistics(kind.size, kind.mean, kind.std) if kind else Statistics(224, IMAGENET_MEAN, IMAGENET_STD)
    own: Any = config.get("pretrained_cfg") or _preprocessor(folder) or {}
    vision: Any = config.get("vision_config") or config
    fixed = vision.get("image_size") if kind and kind.fixed else None
    size = fixed or (own.get("input_size") or [0, 0])[-1] or usual.size
    mean = own.get("image_mean") or own.get("mean") or usual.mean
    std = own.get("image_std") or own.get("std") or usual.std
    try:
        found = Statistics(int(size), tuple(map(float, mean)), tuple(map(float, std)))
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{folder}: its size, mean or std are no numbers ({error})") from error
    if len(found.mean) != 3 or len(found.std) != 3 or min(found.std) <= 0 or found.size < 1:
        raise WeightsError(f"{folder}: it was not trained on colour images of one size")
    return found


def _preprocessor(folder: Path) -> dict[str, Any] | None:
    try:
        value = json.loads((folder / "preprocessor_config.json").read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
