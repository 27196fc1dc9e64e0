"""What a trained classifier is besides its tensors: what it looks at, and how its output is read.

Stands as config.json beside model.safetensors, and in the metadata of an ONNX file.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from forensic_cli.errors import WeightsError

SCHEMA = "forensic/classifier/1"

IMAGENET_MEAN: tuple[float, ...] = (0.485, 0.456, 0.406)
IMAGENET_STD: tuple[float, ...] = (0.229, 0.224, 0.225)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

Kernel = Literal["bilinear", "bicubic", "lanczos", "box"]
Pad = Literal["mirror", "black"]
Head = Literal["logit", "softmax"]

_KINDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Look:
    """From an image of any size to square crops of 8-bit RGB, as the network was trained to see it.

    `resize`: short side before cropping, None leaves the native pixels. `crops`: 1 is the centre, 5 adds the corners; an
    image that has room for fewer gives fewer. `whole`: an image with no more pixels than the crops together is seen whole,
    however narrow.
    `size` None is the whole image, in tiles of at most `tile` pixels a side. A side shorter than `size` is continued
    by `pad`.
    `squash`: the whole image is resized to `size` x `size`, whatever its shape, and is the only crop.
    """

    size: int | None
    resize: int | None = None
    crops: Literal[1, 5] = 1
    whole: bool = False
    kernel: Kernel = "bilinear"
    pad: Pad = "black"
    tile: int = 1024
    squash: bool = False

    def __post_init__(self) -> None:
        for name in ("size", "resize", "tile"):
            side = getattr(self, name)
            if side is not None and side < 1:
                raise ValueError(f"{name} is {side}, not a number of pixels")
        if self.size and self.resize and self.resize < self.size and not self.squash:
            raise ValueError(f"resize is {self.resize}, which leaves no room for crops of size {self.size}")


@dataclass(frozen=True)
class Classifier:
    """`network` names the architecture (a timm name, or the builder of a published baseline) and `settings` its arguments.

    The network sees (pixel / 255 - mean) / std. `head` "logit": one output; "softmax": two, the second is "generated";
    either way the score is the log-odds of "generated", averaged over the crops by area. `half`: bfloat16 moves its
    probabilities by less than 0.01, so that it may be used where it is faster.
    """

    network: str
    look: Look
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    head: Head = "logit"
    settings: tuple[tuple[str, bool | int | float | str], ...] = ()
    licence: str = "unknown"
    half: bool = False

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != 3 or (name == "std" and min(values) <= 0):
                raise ValueError(f"{name} is {list(values)}, not three {'positive ' * (name == 'std')}numbers")

    def to_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self), "settings": dict(self.settings)}

    @classmethod
    def from_json(cls, value: Any, where: str) -> Classifier:
        """Raises WeightsError that names the file and the field that is wrong."""
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            raise WeightsError(f"{where} does not describe a classifier of forensic (schema {SCHEMA})")
        settings = value.get("settings", {})
        if not isinstance(settings, dict) or not all(
            isinstance(one, bool | int | float | str) for one in settings.values()
        ):
            raise WeightsError(f"{where}: settings are plain names and values")
        made: Classifier = _made(cls, {**value, "settings": ()}, where)
        return cls(**{**{one.name: getattr(made, one.name) for one in fields(cls)}, "settings": tuple(settings.items())})


def _made(kind: Any, value: Any, where: str) -> Any:
    """A `kind` of a JSON value, or WeightsError."""
    origin, inner = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise WeightsError(f"{where}: not an object")
        hints = get_type_hints(kind)
        try:
            return kind(**{name: _made(hints[name], value[name], f"{where}: {name}") for name in hints if name in value})  # type: ignore[operator]
        except (TypeError, ValueError) as error:
            raise WeightsError(f"{where}: {error}") from error
    if origin is Literal:
        if not any(type(value) is type(one) and value == one for one in inner):
            raise WeightsError(f"{where} is {_shown(value)}, not one of {', '.join(map(str, inner))}")
        return value
    if origin is types.UnionType:
        return None if value is None else _made(inner[0], value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise WeightsError(f"{where} is {_shown(value)}, not a list")
        return tuple(_made(inner[0], one, where) for one in value)
    if kind is float and type(value) is int and abs(value) < 1 << 53:
        return float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise WeightsError(f"{where} is {_shown(value)}, not {_KINDS[kind]}")
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
