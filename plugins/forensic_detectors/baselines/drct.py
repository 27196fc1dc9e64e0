"""A network that learnt to tell photographs from what a diffusion model makes of the same photographs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from forensic_cli import Detector, Weights, hookimpl
from forensic_cli.classifier import Classifier, Look
from forensic_cli.features.classifiers import UNSTATED, Baseline

PUBLISHED = Weights(
    "https://modelscope.cn/datasets/BokingChen/DRCT-2M",
    licence=UNSTATED,
    pickle="pretrained.zip/DRCT-2M/sdv14/convnext_base_in22k_224_drct_amp_crop/14_acc0.9996.pth",
    bytes=354_000_000,
)


class Drct(Baseline):
    """A network that was trained on photographs and their reconstructions by a diffusion model, pair by pair.

    DRCT, the Conv-B variant (Chen et al. 2024): ConvNeXt-B with an embedding of 1024 and two outputs, on the centre
    224 x 224 (black about a smaller image) with ImageNet's statistics; the score is the log-odds of "generated", which
    orders images as the authors' 1 - softmax(real) does. Their crop may begin a pixel earlier where the spare is odd, and
    they decode with OpenCV. Any of their ConvNeXt checkpoints fits; those on CLIP ("clip-ViT-L-14") do not.
    """

    paper = "https://proceedings.mlr.press/v235/chen24ay.html"
    cost = "1 forward pass of ConvNeXt-B at 224 x 224"
    caution = f"weights without a licence ({UNSTATED}): ask the authors before any use but private study"
    published = Classifier(
        "embedded", Look(224), head="softmax", settings=(("backbone", "convnext_base"), ("width", 1024)), licence=UNSTATED
    )

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "the converted checkpoint, or a model folder"] = PUBLISHED


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("drct", Drct)
