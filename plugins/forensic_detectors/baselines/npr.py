"""Generators enlarge small maps to images, which leaves a pattern between neighbouring pixels."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

from forensic_cli import Detector, Weights, hookimpl
from forensic_cli.classifier import Classifier, Look
from forensic_cli.features.classifiers import UNSTATED, Mapped

PUBLISHED = Weights(
    "https://github.com/chuangchuangtan/NPR-DeepfakeDetection", licence=UNSTATED, pickle="NPR.pth", bytes=5_900_000
)


class Npr(Mapped):
    """A small network looks only at how each pixel differs from its neighbour, where enlarging leaves a pattern.

    NPR (Tan et al. 2024): the input is 2/3 of each pixel's difference from the top left one of its 2 x 2 block, after
    ImageNet's statistics; the network the first half of a ResNet-50 with one output; the score is the logit. The authors
    squash every image to 256 x 256 for most of their tables (`resize=256`), and leave it as it is for others, which is the
    default here; an odd last row or column is cut off. It reads traces of JPEG: with generated images compressed like the
    photographs, others measured 51.5 % accuracy on GenImage, so mind the formats that you compare.
    """

    paper = "arXiv:2312.10461"
    cost = "1 forward pass of half a ResNet-50 over the whole image"
    caution = f"weights without a licence ({UNSTATED}): ask the authors before any use but private study"
    published = Classifier("resnet50-neighbours", Look(None, tile=2048), licence=UNSTATED)

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "the converted checkpoint, or a model folder"] = PUBLISHED
        resize: Annotated[int, "squash the image to this side; 0 leaves it as it is, 256 is the paper's for most sets"] = 0

        def __post_init__(self) -> None:
            if self.resize < 0 or self.resize % 2:
                raise ValueError("resize must be even, and at least 0")

    @property
    def classifier(self) -> Classifier:
        size = self.options.resize
        return replace(self.published, look=Look(size, squash=True)) if size else self.published


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("npr", Npr)
