"""A large vision network, adapted with photographs and copies of them that differ in nothing but having been generated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from forensic_cli import Detector, Weights, hookimpl
from forensic_cli.classifier import CLIP_MEAN, CLIP_STD, Classifier, Look
from forensic_cli.features.classifiers import Baseline

if TYPE_CHECKING:
    import torch

PUBLISHED = Weights(
    "https://huggingface.co/Junwei-Xi/Dual-Data-Alignment",
    licence="Apache-2.0",
    bytes=1_255_621_296,
    pickle="DDA_ckpt.pth",
    pickle_sha256="b27a31d39374803ddeff02bfabb2be76e190b04300490cddfafb24f683f37e3e",
)


class Dda(Baseline):
    """A large vision network, adapted with photographs and generated copies of them that match in content and compression.

    Dual Data Alignment (Chen et al. 2025): DINOv2 ViT-L/14 with low-rank adapters and one output, on the centre 336 x 336
    (black about a smaller image) with CLIP's statistics, as the authors have it; the score is the logit. Conversion works
    the adapters into the weights (W + B A / rank, their alpha being 1) and resamples the position embedding to 24 x 24
    patches once, as torch.hub's DINOv2 does at every pass.
    """

    paper = "arXiv:2505.14359"
    cost = "1 forward pass of DINOv2 ViT-L/14 at 336 x 336"
    published = Classifier(
        "vit_large_patch14_dinov2",
        Look(336),
        mean=CLIP_MEAN,
        std=CLIP_STD,
        settings=(("img_size", 336),),
        licence="Apache-2.0",
    )

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "the converted checkpoint, or a model folder"] = PUBLISHED

    def renamed(self, tensors: dict[str, Any]) -> dict[str, Any]:
        from forensic_cli.features.encoders.dinov2 import resampled

        made = {}
        for name, tensor in _merged(tensors).items():
            if name.startswith("base_model.fc."):
                made[name.replace("base_model.fc.", "head.")] = tensor
            elif name != "base_model.model.mask_token":  # for training alone
                made[name.removeprefix("base_model.model.")] = tensor
        side = self.classifier.look.size or 0
        if "pos_embed" in made:
            made["pos_embed"] = resampled(made["pos_embed"], side // 14, side // 14)
        return made


def _merged(tensors: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """Adapted layers as plain ones, W + B A / rank; one without its adapter stays, for the check of names to find it."""
    made = dict(tensors)
    for name in tensors:
        layer, adapted, kind = name.partition(".original_layer.")
        down, up = f"{layer}.lora.lora_A", f"{layer}.lora.lora_B"
        if adapted and kind == "weight" and down in made and up in made:
            rank = len(made[down])
            made[f"{layer}.weight"] = made.pop(name) + made.pop(up) @ made.pop(down) / rank
        elif adapted and kind == "bias":
            made[f"{layer}.bias"] = made.pop(name)
    return made


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("dda", Dda)
