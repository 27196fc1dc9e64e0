"""A classifier run by torch, from a folder of safetensors: the module that is also what gets exported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from forensic_cli.classifier import Classifier
from forensic_cli.detector import Session
from forensic_cli.errors import WeightsError, reason
from forensic_cli.features.seen import Seen

_MOST = 32  # crops in one forward pass
_PIXELS = 5 << 20  # and their pixels, unless the body says another number: of a ResNet-50 they take about a gigabyte


class Scorer(nn.Module):
    """uint8 crops (M, H, W, 3) to log-odds of "generated" (M,) and, where the network allows it, evidence (M, h, w).

    Evidence is the class activation map, exact where global average pooling and one linear layer follow the features: its
    mean plus the bias is the log-odds.
    """

    scale: torch.Tensor
    offset: torch.Tensor

    def __init__(self, body: nn.Module, classifier: Classifier) -> None:
        super().__init__()
        self.body = body
        self.head = classifier.head
        self.still = False  # keep the body as it is in use also while the last layer is trained
        self.localises = classifier.head == "logit" and _averages(body)
        self.places = nn.Identity()  # what localising networks see passes through it, for whoever listens
        self.register_buffer("scale", torch.tensor([1 / (255 * std) for std in classifier.std]), persistent=False)
        offset = [-mean / std for mean, std in zip(classifier.mean, classifier.std, strict=True)]
        self.register_buffer("offset", torch.tensor(offset), persistent=False)

    def train(self, mode: bool = True) -> Scorer:
        super().train(mode)
        if self.still:
            self.body.eval()
        return self

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, ...]:
        pixels = (crops.float() * self.scale + self.offset).permute(0, 3, 1, 2)
        body: Any = self.body
        if self.localises and not self.training:
            features = self.places(body.forward_features(pixels))  # (M, C, h, w)
            linear = body.get_classifier()
            evidence = torch.einsum("mchw,c->mhw", features, linear.weight[0])
            return evidence.mean(dim=(1, 2)) + linear.bias[0], evidence
        answer = body(pixels)
        if isinstance(answer, tuple):
            answer = answer[0]
        return (answer.flatten(1)[:, 0] if self.head == "logit" else answer[:, 1] - answer[:, 0],)


def _last(scorer: Scorer) -> nn.Module | None:
    """What is given the features: the layer that ends the network, if that is a linear one."""
    if scorer.localises:
        return scorer.places
    body: Any = scorer.body
    layer = body.get_classifier() if hasattr(body, "get_classifier") else getattr(body, "fc", None)
    return layer if isinstance(layer, nn.Linear) else None


@contextmanager
def _listening(layer: nn.Module | None) -> Iterator[list[torch.Tensor]]:
    """What the layer is given meanwhile, each (M, D): the mean over places where there are some."""
    heard: list[torch.Tensor] = []
    if layer is None:
        yield heard
        return

    def hear(_: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        heard.append((given[0].mean(dim=(2, 3)) if given[0].ndim == 4 else given[0]).float().cpu())

    handle = layer.register_forward_pre_hook(hear)
    try:
        yield heard
    finally:
        handle.remove()


def _averages(body: nn.Module) -> bool:
    """Whether the score is a linear layer of averaged features, as in timm's convolutional networks."""
    pool = getattr(body, "global_pool", None)
    head = getattr(body, "get_classifier", lambda: None)()
    if not isinstance(head, nn.Linear) or hasattr(body, "head") or getattr(pool, "pool_type", None) != "avg":
        return False
    return head.in_features == getattr(body, "num_features", head.in_features)  # in MobileNetV3 more follows the averaging


class TorchNetwork:
    """Float32 weights on the session's device; half precision by autocast."""

    def __init__(self, scorer: Scorer, classifier: Classifier, session: Session) -> None:
        self.classifier = classifier
        self.provider = f"torch {torch.device(session.device).type}"
        still = scorer.eval().requires_grad_(False).to(session.device)
        self.scorer: Scorer = still.to(memory_format=torch.channels_last)  # faster
        self._room = getattr(scorer.body, "pixels_at_once", _PIXELS)
        self._session = session
        self._half = session.half and classifier.half and session.device == "cpu" and _multiplies_bfloat16()
        if self._half:
            self.provider += " bfloat16"
            for module in self.scorer.modules():
                if isinstance(module, nn.Linear | nn.Conv2d):
                    module.to(torch.bfloat16)

    @classmethod
    def load(cls, path: Path, classifier: Classifier, build: Callable[[Classifier], Any], session: Session) -> TorchNetwork:
        """Raises WeightsError, with the keys that do not fit."""
        with torch.random.fork_rng(devices=()):  # what a network draws before it is filled is nobody else's affair
            body: nn.Module = build(classifier)
        fit(body, tensors(path), str(path))
        return cls(Scorer(body, classifier), classifier, session)

    def __call__(self, crops: np.ndarray) -> Seen:
        with _listening(_last(self.scorer)) as heard:
            parts = list(self._chunks(crops))
        odds = torch.cat([part[0] for part in parts])
        maps = torch.cat([part[1] for part in parts]).numpy() if self.scorer.localises else None
        return Seen(odds.numpy(), maps, torch.cat(heard).numpy() if heard else None)

    def _chunks(self, crops: np.ndarray) -> Iterator[list[torch.Tensor]]:
        session, kind = self._session, torch.device(self._session.device).type
        dtype = torch.bfloat16 if self._half else getattr(torch, session.dtype)
        step = 1 if self._half else min(_MOST, max(1, self._room // (crops.shape[1] * crops.shape[2])))
        for start in range(0, len(crops), step):
            part = torch.from_numpy(np.ascontiguousarray(crops[start : start + step])).to(session.device)
            with torch.autocast(kind, dtype=dtype, enabled=dtype != torch.float32):
                yield [one.float().cpu() for one in self.scorer(part)]


def _multiplies_bfloat16() -> bool:
    """Whether this processor has matrix units for bfloat16 (AMX); without them it would be slower than float32."""
    return bool(torch.cpu._is_amx_tile_supported())


def tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file, or of model.safetensors in a folder, as float32. Raises WeightsError."""
    file = path / "model.safetensors" if path.is_dir() else path
    try:
        return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in load_file(file).items()}
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read as safetensors: {reason(error)}") from error


def fit(body: nn.Module, found: dict[str, torch.Tensor], where: str) -> None:
    """Fill the network with tensors, strictly; a prefix that all of them share ("vit.", "model.", "module.") is dropped.

    Raises WeightsError that names the keys.
    """
    body.load_state_dict(matched(body, found, where))


def fitting(
    build: Callable[[Classifier], Any], classifier: Classifier, found: dict[str, torch.Tensor], where: str
) -> dict[str, torch.Tensor]:
    """The tensors under the names of the network, which is not made for it; raises WeightsError as `fit` does.

    The counters of batch normalisation, which scores do not depend on, may be absent.
    """
    with torch.device("meta"):
        body: nn.Module = build(classifier)
    counters = [name for name in body.state_dict() if name.endswith(".num_batches_tracked")]
    return matched(body, {name: torch.tensor(0) for name in counters} | _unprefixed(found, body), where)


def _unprefixed(found: dict[str, torch.Tensor], body: nn.Module) -> dict[str, torch.Tensor]:
    if found and not body.state_dict().keys() & found.keys():
        prefix = next(iter(found)).partition(".")[0] + "."
        if all(name.startswith(prefix) for name in found):
            return {name.removeprefix(prefix): tensor for name, tensor in found.items()}
    return found


def matched(body: nn.Module, found: dict[str, torch.Tensor], where: str) -> dict[str, torch.Tensor]:
    """The tensors under the network's own names, all of them and no others. Raises WeightsError that names the keys."""
    wanted, found = body.state_dict(), _unprefixed(found, body)
    missing, foreign = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    other = [name for name in wanted.keys() & found.keys() if wanted[name].shape != found[name].shape]
    for names, words in ((missing, "lacks"), (foreign, "has in addition"), (sorted(other), "has in another shape")):
        if names:
            more = f" and {len(names) - 3} more" * (len(names) > 3)
            raise WeightsError(f"{where} does not fit the network: it {words} {', '.join(names[:3])}{more}")
    return found
