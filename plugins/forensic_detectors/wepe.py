"""A vision network trained on photographs is less sure of generated images: small changes of its weights show it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import nn

from forensic_cli import Batch, Detector, Session, Weights, hookimpl
from forensic_cli.features.crops import Transform
from forensic_cli.features.encoders.dinov2 import (
    FAMILY,
    PositionEmbedding,
    clean_embedding,
    clean_tokens,
    distance,
    embed,
    half,
)
from forensic_cli.features.encoders.kinds import DINOV2_LARGE
from forensic_cli.features.encoders.transformers import network

_TRANSFORMS: dict[str, Transform] = {"shared": "shared", "paper": "random"}

Rule = Literal["std-abs", "var-abs", "var-mean", "std-std"]
Noise = Literal["gaussian", "uniform", "laplace"]


class Wepe(Detector):
    """A network that learnt from photographs changes its mind about generated images when its weights are disturbed.

    WePe (Nie et al. 2024), training-free. The score is u(x) = 2 - (2/n) sum_k cos(f(x; theta_k), f(x; theta)) (Eq. 3), the
    mean squared distance of unit DINOv2 class tokens between the network and `draws` copies of it with noise on the
    weights of the first `blocks` blocks; 0 to 4, higher means more likely generated. The noise is the same for all images.

    The paper's noise scale ("variance proportional to the mean value of the parameters in each block, ratio 0.1") cannot
    be executed as written and no code was at hand, so `rule` offers the readings and none is confirmed: std-abs
    (std = ratio * mean |w|, the default), var-abs (variance = ratio * mean |w|), var-mean (variance = ratio * |mean w|),
    std-std (std = ratio * std w). The paper finds the result flat over a wide range of levels: a mean cosine of 0.5 to
    0.9 on photographs is a good one, and `multiplier` scales the noise. `transform=paper` takes a random 224 x 224 window
    at native size, black where the image is smaller.
    """

    paper = "arXiv:2412.05897"
    libraries = ("torch", "transformers")
    cost = "2 forward passes of DINOv2 ViT-L/14 at 224 x 224 for one draw; the first is shared with rigid"

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "a DINOv2 in transformers format"] = DINOV2_LARGE
        transform: Annotated[Literal["shared", "paper"], "which pixels the network sees"] = "shared"
        blocks: Annotated[int, "how many of the first blocks are perturbed; 0 means 19 of 24, the paper's share"] = 0
        ratio: Annotated[float, "level of the noise relative to the weights"] = 0.1
        draws: Annotated[int, "perturbed networks (n in Eq. 3); each takes memory for its blocks"] = 1
        rule: Annotated[Rule, "how the level becomes a standard deviation"] = "std-abs"
        scope: Annotated[Literal["tensor", "block"], "over what the weights are averaged"] = "tensor"
        vectors: Annotated[bool, "perturb biases, LayerNorm and LayerScale too"] = True
        multiplier: Annotated[float, "scales the standard deviation"] = 1.0
        noise: Annotated[Noise, "family of the noise, equal variance"] = "gaussian"
        position: Annotated[PositionEmbedding, "how position embeddings are resampled"] = "hub"

        def __post_init__(self) -> None:
            if self.draws < 1 or self.blocks < 0 or self.ratio <= 0 or self.multiplier <= 0:
                raise ValueError("draws must be at least 1, blocks at least 0, ratio and multiplier above 0")

    def score(self, batch: Batch) -> torch.Tensor:
        """u(x) of Eq. 3: (N,)."""
        chosen, session = self.options, batch.session
        model = session.once(network, weights=chosen.weights, family=FAMILY)
        clean = batch.once(clean_embedding, **self.shared())  # (N, D)
        hidden = batch.once(clean_tokens, **self.shared())  # (N, T, D): patches and positions are not perturbed
        total = torch.zeros(len(batch), dtype=torch.float64)
        for draw in range(chosen.draws):
            blocks = session.once(perturbed, options=chosen, draw=draw)
            with half(session):
                total += distance(clean, embed(model, hidden, blocks))
        return total / float(chosen.draws)

    def embed(self, batch: Batch) -> np.ndarray:
        """Class tokens of unit length of the undisturbed network: (N, D)."""
        return batch.once(clean_embedding, **self.shared()).float().cpu().numpy()

    def shared(self) -> dict[str, Any]:
        """What names a forward pass of the undisturbed network."""
        chosen = self.options
        return {"weights": chosen.weights, "transform": _TRANSFORMS[chosen.transform], "position": chosen.position}


def perturbed(session: Session, *, options: Wepe.Options, draw: int) -> list[nn.Module]:
    """All blocks of the network, the first `options.blocks` of them copies with noise on their weights.

    The noise is drawn on the CPU in float32, parameter by parameter in the network's own order.
    """
    layers = list(session.once(network, weights=options.weights, family=FAMILY).encoder.layer)
    count = options.blocks or round(len(layers) * 19 / 24)  # 19 of the paper's 24
    generator = torch.Generator().manual_seed(session.seed_for("wepe weights", draw))
    noisy = [copy.deepcopy(layer) for layer in layers[:count]]
    for layer in noisy:
        _disturb(layer, options, generator)
    return noisy + layers[count:]


def _disturb(layer: nn.Module, options: Any, generator: torch.Generator) -> None:
    whole = torch.cat([weight.detach().float().flatten() for weight in layer.parameters()])
    for weight in layer.parameters():
        noise = _sample(options.noise, weight.shape, generator)
        if weight.ndim < 2 and not options.vectors:
            continue
        scale = _std(weight.detach().float() if options.scope == "tensor" else whole, options)
        weight.data += (scale * options.multiplier * noise).to(weight)


def _std(weights: torch.Tensor, options: Any) -> float:
    """The standard deviation of the noise for these weights."""
    match options.rule:
        case "std-abs":
            return float(options.ratio * weights.abs().mean())
        case "var-abs":
            return float((options.ratio * weights.abs().mean()) ** 0.5)
        case "var-mean":
            return float((options.ratio * weights.mean().abs()) ** 0.5)
        case _:
            return float(options.ratio * weights.std(correction=0))


def _sample(family: Noise, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Noise of mean zero and variance one."""
    if family == "gaussian":
        return torch.randn(shape, generator=generator)
    centred = torch.rand(shape, generator=generator) - 0.5
    if family == "uniform":
        return centred * 12**0.5
    return -centred.sign() * torch.log1p(-2 * centred.abs().clamp(max=0.5 - 1e-7)) / 2**0.5


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("wepe", Wepe)
