"""A network that looks at every pixel of the whole image, trained on photographs and images of latent diffusion."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

from forensic_cli import Detector, Weights, hookimpl
from forensic_cli.classifier import Classifier, Look
from forensic_cli.features.classifiers import Mapped

LICENCE = "Apache-2.0; the same file was published first for non-profit use only"
PUBLISHED = Weights(
    "https://github.com/grip-unina/ClipBased-SyntheticImageDetection",
    licence=LICENCE,
    bytes=282_549_121,
    pickle="weights/Corvi2023/weights.pth",
    pickle_sha256="0168451e84a2a35d0b141ad4f2e361a74efdd06eb8d11434087f8a0bb6e3abad",
)


class Corvi(Mapped):
    """A network that never shrinks the image finds the traces of diffusion models in its finest texture.

    Corvi et al. 2023: a ResNet-50 whose first convolution and pooling have stride 1, on the whole image at native size,
    with ImageNet's statistics; the score is the logit, above 0 "generated". Trained on latent diffusion of 2022, it reads
    high frequencies, so resizing and strong compression take its evidence away. An image larger than `tile` is seen in
    tiles, whose logits are averaged by area: the same but near the seams, where the authors' network sees across.
    """

    paper = "arXiv:2211.00680"
    cost = "1 forward pass of a ResNet-50 at 4 times the usual side over the whole image; 2 GB of memory for 768 x 768"
    caution = f"weights under {LICENCE} (GRIP-UNINA): ask the authors before commercial use"
    published = Classifier("resnet50-undiminished", Look(None, tile=768), licence=LICENCE)

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "the converted checkpoint, or a model folder"] = PUBLISHED
        tile: Annotated[int, "longest side of what is seen at once, in pixels; memory grows with its square"] = 768

        def __post_init__(self) -> None:
            if self.tile < 32:
                raise ValueError("tile must be at least 32")

    @property
    def classifier(self) -> Classifier:
        return replace(self.published, look=Look(None, tile=self.options.tile))


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("corvi", Corvi)
