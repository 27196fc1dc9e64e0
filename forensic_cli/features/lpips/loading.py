"""The networks of LPIPS from their files: five stages of VGG-16, and how much each of their channels counts."""

from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from forensic_cli.detector import Session
from forensic_cli.errors import WeightsError, reason
from forensic_cli.records import Weights
from forensic_cli.weights import locate

VGG16 = Weights(
    "timm/vgg16.tv_in1k",  # torchvision's tensors under torchvision's names
    revision="3394518cba29aee1ea82a49d971be90d2dd1dab7",
    licence="BSD-3-Clause",
    files=("model.safetensors",),
    bytes=553_500_000,  # about
)
HEADS = Weights(
    "https://github.com/richzhang/PerceptualSimilarity",
    licence="BSD-2-Clause",
    files=("model.safetensors",),
    bytes=7_289,
    pickle="lpips/weights/v0.1/vgg.pth",
    pickle_sha256="a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
)

_CONVOLUTIONS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))  # of each stage, numbered as in torchvision
_WIDTHS = (64, 128, 256, 512, 512)


def stages(session: Session, *, weights: Weights) -> tuple[nn.Sequential, ...]:
    """A key of `session.once`: the five stages of VGG-16, each up to its last ReLU, float32 on the session's device.

    Raises WeightsError that names the tensors that do not fit.
    """
    found = _read(weights, session, vgg_shapes())
    made, width = [], 3
    for number, (stage, out) in enumerate(zip(_CONVOLUTIONS, _WIDTHS, strict=True)):
        layers: list[nn.Module] = [nn.MaxPool2d(2)] if number else []
        for name in stage:
            layer = nn.Conv2d(width, out, 3, padding=1, device="meta")
            tensors = {part: found[f"features.{name}.{part}"] for part in ("weight", "bias")}
            layer.load_state_dict(tensors, assign=True)
            layers += [layer, nn.ReLU(inplace=True)]
            width = out
        made.append(nn.Sequential(*layers).eval().requires_grad_(False).to(session.device))
    return tuple(made)


def linear(session: Session, *, weights: Weights) -> tuple[torch.Tensor, ...]:
    """A key of `session.once`: how much each channel counts, (C, 1, 1) for each stage. Raises WeightsError."""
    found = _read(weights, session, head_shapes())
    if any(not bool((one >= 0).all()) for one in found.values()):  # NaN is none of these either
        raise WeightsError(f"{weights.source}: numbers below 0 in it, so that these are no heads of LPIPS")
    return tuple(found[name][0].to(session.device) for name in head_shapes())


def vgg_shapes() -> dict[str, tuple[int, ...]]:
    """The tensors of VGG-16 that are used, under torchvision's names."""
    shapes: dict[str, tuple[int, ...]] = {}
    width = 3
    for stage, out in zip(_CONVOLUTIONS, _WIDTHS, strict=True):
        for name in stage:
            shapes |= {f"features.{name}.weight": (out, width, 3, 3), f"features.{name}.bias": (out,)}
            width = out
    return shapes


def head_shapes() -> dict[str, tuple[int, ...]]:
    """The tensors of the linear heads, under the names of the authors' package."""
    return {f"lin{number}.model.1.weight": (1, width, 1, 1) for number, width in enumerate(_WIDTHS)}


def converted(tensors: dict[str, Any], where: str) -> dict[str, Any]:
    """For `Converts`: the heads as the authors publish them, or a VGG-16 of torchvision, without its classifier."""
    shapes = vgg_shapes() if any(name.startswith("features.") for name in tensors) else head_shapes()
    _fit({name: tuple(tensor.shape) for name, tensor in tensors.items()}, shapes, where)
    return {name: tensors[name].float() for name in shapes}


def _read(weights: Weights, session: Session, shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """These tensors as float32 from the one file of the weights, whose others are not read. Raises WeightsError."""
    (file,) = locate(weights, offline=session.offline).files.values()
    try:
        with safe_open(file, framework="pt") as content:
            there = {name: tuple(content.get_slice(name).get_shape()) for name in content.keys()}  # noqa: SIM118
            _fit(there, shapes, str(file))
            return {name: content.get_tensor(name).float() for name in shapes}
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read as safetensors: {reason(error)}") from error


def _fit(there: dict[str, tuple[int, ...]], shapes: dict[str, tuple[int, ...]], where: str) -> None:
    what = "VGG-16 of torchvision" if "features.0.weight" in shapes else "heads of LPIPS for VGG-16"
    missing = [name for name in shapes if name not in there]
    other = [name for name, shape in shapes.items() if there.get(name, shape) != shape]
    for names, words in ((missing, "lacks"), (other, "has in another shape")):
        if names:
            more = f" and {len(names) - 3} more" * (len(names) > 3)
            raise WeightsError(f"{where} is not the {what}: it {words} {', '.join(names[:3])}{more}")
