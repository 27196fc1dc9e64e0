"""Untrained networks by their names: timm's, and those of published classifiers with their authors' names of tensors."""

from collections.abc import Callable
from functools import partial
from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from forensic_cli.classifier import Classifier
from forensic_cli.errors import WeightsError, nearest, reason

Residual = Callable[[torch.Tensor], torch.Tensor]


def make(classifier: Classifier) -> nn.Module:
    """The untrained network, with no download. Raises WeightsError for a name or settings that timm refuses."""
    name, settings = classifier.network, dict(classifier.settings)
    normalised = not settings.pop("folded", False)
    if name not in _OURS and not timm.is_model(name):  # timm would ask the hub for "hf-hub:..."
        raise WeightsError(f"timm knows no network {name!r}; {nearest(name.partition('.')[0], timm.list_models())}")
    try:
        body = _OURS.get(name, partial(plain, name))(1 if classifier.head == "logit" else 2, **settings)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise WeightsError(f"timm cannot make a network {name!r}: {reason(error)}") from error
    return body if normalised else fold(body.eval())


def fold(body: nn.Module) -> nn.Module:
    """The same function with every batch normalisation multiplied into the convolution before it; in place.

    Training what is folded keeps the ImageNet statistics and does half the work of training the original on a CPU.
    """
    before: tuple[str, nn.Conv2d] | None = None
    for name, module in list(body.named_modules()):
        if isinstance(module, nn.BatchNorm2d) and before is not None:
            _put(body, before[0], fuse_conv_bn_eval(before[1].eval(), module.eval()))
            _put(body, name, getattr(module, "act", nn.Identity()))  # timm joins normalisation and activation
            before = None
        elif isinstance(module, nn.Conv2d):
            before = (name, module)
    return body


def _put(body: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(body.get_submodule(parent), leaf, module)


def plain(name: str, outputs: int, **settings: Any) -> nn.Module:
    """A network of timm by its name."""
    body: nn.Module = timm.create_model(name, pretrained=False, num_classes=outputs, **settings)
    return body


def undiminished(outputs: int) -> nn.Module:
    """A ResNet-50 without early down-sampling: its first convolution and its pooling have stride 1."""
    body: Any = plain("resnet50", outputs)
    body.conv1.stride, body.maxpool.stride = (1, 1), 1
    body.pixels_at_once = 1  # four times the side, sixteen times the memory of a ResNet-50: a crop at a time
    module: nn.Module = body
    return module


class HalfResNet(nn.Module):
    """A ResNet-50 up to its second stage that looks at a residual of the pixels through a 3 x 3 convolution."""

    def __init__(self, residual: Residual, outputs: int) -> None:
        super().__init__()
        whole: Any = plain("resnet50", 1)
        self.residual = residual
        self.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=2, padding=1, bias=False)
        self.bn1, self.act1, self.maxpool = whole.bn1, whole.act1, whole.maxpool
        self.layer1, self.layer2, self.global_pool = whole.layer1, whole.layer2, whole.global_pool
        self.fc1 = nn.Linear(512, outputs)

    def forward_features(self, pixels: torch.Tensor) -> torch.Tensor:
        first = self.maxpool(self.act1(self.bn1(self.conv1(self.residual(pixels)))))
        features: torch.Tensor = self.layer2(self.layer1(first))  # (M, 512, h, w)
        return features

    def get_classifier(self) -> nn.Module:
        return self.fc1

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.fc1(self.global_pool(self.forward_features(pixels)))
        return answer


def neighbours(pixels: torch.Tensor) -> torch.Tensor:
    """Two thirds of what each pixel differs from the top left one of its 2 x 2 block, without an odd last row or column."""
    height, width = (max(1, side // 2 * 2) for side in pixels.shape[-2:])
    pixels = pixels[..., :height, :width]
    corners = pixels[..., ::2, ::2].repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)
    return (pixels - corners[..., :height, :width]) * 2.0 / 3.0


def diagonal(pixels: torch.Tensor) -> torch.Tensor:
    """The HH band of a bior1.3 wavelet transform of one level, resized to the size of the pixels; even sides.

    The high-pass filter of bior1.3 is (0, 0, -1, 1, 0, 0) / sqrt(2), that of Haar with zeros about it, so each value is
    half of the difference of differences in a 2 x 2 block; its six taps reach two pixels beyond each edge, mirrored there.
    """
    wider = torch.cat((pixels[..., :2].flip(-1), pixels, pixels[..., -2:].flip(-1)), dim=-1)
    wider = torch.cat((wider[..., :2, :].flip(-2), wider, wider[..., -2:, :].flip(-2)), dim=-2)
    across = wider[..., ::2] - wider[..., 1::2]
    band = (across[..., ::2, :] - across[..., 1::2, :]) / 2
    return F.interpolate(band, size=pixels.shape[-2:], mode="bilinear", align_corners=False)


class Embedded(nn.Module):
    """A network of timm with an embedding as its output, and a linear layer on it."""

    def __init__(self, outputs: int, backbone: str, width: int) -> None:
        super().__init__()
        self.model = plain(backbone, width)
        self.fc = nn.Linear(width, outputs)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.fc(self.model(pixels))
        return answer


_OURS: dict[str, Callable[..., nn.Module]] = {
    "resnet50-undiminished": undiminished,
    "resnet50-neighbours": partial(HalfResNet, neighbours),
    "resnet50-diagonal": partial(HalfResNet, diagonal),
    "embedded": Embedded,
}
