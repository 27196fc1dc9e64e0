"""A small network looks at the finest diagonal detail of the image's centre, where generators and cameras differ."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from forensic_cli import Detector, Weights, hookimpl
from forensic_cli.classifier import Classifier, Look
from forensic_cli.features.classifiers import Baseline

PUBLISHED = Weights(
    "https://github.com/Ouxiang-Li/SAFE", licence="Apache-2.0", pickle="checkpoint/checkpoint-best.pth", bytes=17_000_000
)


class Safe(Baseline):
    """A small network judges by the finest diagonal detail in the middle of the image, and by nothing else.

    SAFE (Li et al. 2024): the HH band of a bior1.3 wavelet transform of the centre 256 x 256 (black about a smaller image),
    on pixels from 0 to 1, enlarged to 256 x 256 again; the first half of a ResNet-50 with two outputs; the score is the
    log-odds of the second, "generated". It reads traces of JPEG: with generated images compressed like the photographs,
    others measured 50.3 % accuracy on GenImage, so mind the formats that you compare.
    """

    paper = "arXiv:2408.06741"
    cost = "1 forward pass of half a ResNet-50 at 256 x 256"
    published = Classifier(
        "resnet50-diagonal", Look(256), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), head="softmax", licence="Apache-2.0"
    )

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "the converted checkpoint, or a model folder"] = PUBLISHED


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("safe", Safe)
