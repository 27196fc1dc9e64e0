"""The classic among the detectors: a network trained on a single generator, and on blurred and compressed files."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

from forensic_cli import Detector, Weights, hookimpl
from forensic_cli.classifier import Classifier, Look
from forensic_cli.features.classifiers import Mapped

LICENCE = "CC BY-NC-SA 4.0"
PUBLISHED = Weights(
    "https://github.com/PeterWang512/CNNDetection",
    licence=LICENCE,
    bytes=282_000_000,
    pickle="weights/blur_jpg_prob0.5.pth",
)


class Cnnspot(Mapped):
    """A network that was shown the images of one early generator recognises many others of its time.

    CNNSpot (Wang et al. 2020): a ResNet-50 with one output, ImageNet's statistics; the score is the logit, 0 at probability
    one half. The authors found the whole image better than the centre 224 x 224 of their paper (`crop=224`). It was
    trained on ProGAN; diffusion models are beyond it, and its probabilities are far too low on most other generators. The
    repository fetches the checkpoint by a script of its own (weights/download_weights.sh).
    """

    paper = "arXiv:1912.11035"
    cost = "1 forward pass of a ResNet-50 over the whole image"
    caution = f"weights under {LICENCE}: not for commercial use"
    published = Classifier("resnet50", Look(None, tile=2048), licence=LICENCE)

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "the converted checkpoint, or a model folder"] = PUBLISHED
        crop: Annotated[int, "side of the centre crop; 0 is the whole image, 224 the paper's"] = 0

        def __post_init__(self) -> None:
            if self.crop < 0:
                raise ValueError("crop must be at least 0")

    @property
    def classifier(self) -> Classifier:
        return replace(self.published, look=Look(self.options.crop)) if self.options.crop else self.published


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("cnnspot", Cnnspot)
