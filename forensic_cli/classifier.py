"""What a trained classifier is besides its tensors: what it looks at, and how its output is read.

Stands as config.json beside model.safetensors, and in the metadata of an ONNX file.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from forensic_cli.errors import WeightsError
from forensic_cli.shapes import WrongShape, shaped

SCHEMA = "forensic/classifier/1"

IMAGENET_MEAN: tuple[float, ...] = (0.485, 0.456, 0.406)
IMAGENET_STD: tuple[float, ...] = (0.229, 0.224, 0.225)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

Kernel = Literal["bilinear", "bicubic", "lanczos", "box"]
Pad = Literal["mirror", "black"]
Head = Literal["logit", "softmax"]

Setting = bool | int | float | str


@dataclass(frozen=True)
class Look:
    """From an image of any size to square crops of 8-bit RGB, as the network was trained to see it."""

    size: int | None
    """The side of a crop in pixels; a side of the image that is shorter is continued by `pad`. None: the whole image."""
    resize: int | None = None
    """The short side to resize to before cropping; None leaves the native pixels."""
    crops: Literal[1, 5] = 1
    """1 is the centre, 5 adds the corners; an image that has room for fewer gives fewer."""
    whole: bool = False
    """Whether an image with no more pixels than the crops together is seen whole, however narrow."""
    kernel: Kernel = "bilinear"
    pad: Pad = "black"
    tile: int = 1024
    """Where the whole image is seen: the longest side, in pixels, of the tiles that it is cut into."""
    squash: bool = False
    """Whether the whole image is resized to `size` x `size`, whatever its shape, and is the only crop."""

    def __post_init__(self) -> None:
        for name in ("size", "resize", "tile"):
            side = getattr(self, name)
            if side is not None and side < 1:
                raise ValueError(f"{name} is {side}, not a number of pixels")
        if self.size and self.resize and self.resize < self.size and not self.squash:
            raise ValueError(f"resize is {self.resize}, which leaves no room for crops of size {self.size}")


@dataclass(frozen=True)
class Classifier:
    """A network, and what is done before and behind it."""

    network: str
    """The architecture: a timm name, or the builder of a published baseline."""
    look: Look
    mean: tuple[float, ...] = IMAGENET_MEAN
    """Of red, green and blue: the network sees (pixel / 255 - mean) / std."""
    std: tuple[float, ...] = IMAGENET_STD
    head: Head = "logit"
    """"logit": one output; "softmax": two, the second is "generated". Either way the score is the log-odds of "generated",
    averaged over the crops by area."""
    settings: tuple[tuple[str, Setting], ...] = ()
    """The arguments of the architecture."""
    licence: str = "unknown"
    half: bool = False
    """Whether bfloat16 moves its probabilities by less than 0.01, so that it may be used where it is faster."""

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != 3 or not all(map(math.isfinite, values)) or (name == "std" and min(values) <= 0):
                raise ValueError(f"{name} is {list(values)}, not three {'positive ' * (name == 'std')}numbers")

    def to_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self), "settings": dict(self.settings)}

    @classmethod
    def from_json(cls, value: Any, where: str) -> Classifier:
        """Raises WeightsError that names the file and the field that is wrong."""
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            raise WeightsError(f"{where} does not describe a classifier of forensic (schema {SCHEMA})")
        try:
            settings = shaped(dict[str, Setting], value.get("settings", {}))
        except WrongShape as wrong:
            raise WeightsError(f"{where}: settings are plain names and values") from wrong
        try:
            made: Classifier = shaped(cls, {**value, "settings": []})
        except WrongShape as wrong:
            raise WeightsError(f"{where}: {wrong}") from wrong
        return replace(made, settings=tuple(settings.items()))
