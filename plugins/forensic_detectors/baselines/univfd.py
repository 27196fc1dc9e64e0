"""A linear layer on what a network of language and vision sees in an image."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from forensic_cli import Detector, Weights, hookimpl
from forensic_cli.classifier import CLIP_MEAN, CLIP_STD, Classifier, Look
from forensic_cli.features.classifiers import Baseline
from forensic_cli.features.encoders.kinds import CLIP_LARGE
from forensic_cli.features.networks import Build
from forensic_cli.weights import locate

PUBLISHED = Weights(
    "https://github.com/WisconsinAIVision/UniversalFakeDetect",
    licence="MIT",
    bytes=4_083,
    pickle="pretrained_weights/fc_weights.pth",
)


@dataclass(frozen=True)
class Probe:
    """Builds the encoder, read from its folder, and an untrained linear layer on it."""

    encoder: Weights
    offline: bool

    def __call__(self, classifier: Classifier) -> Any:
        from forensic_detectors.baselines.probe import probe

        return probe(locate(self.encoder, offline=self.offline).path, self.encoder.source)


class Univfd(Baseline):
    """A network that matches images with their captions already sees what is generated; one linear layer reads it off.

    UnivFD (Ojha, Li and Lee 2023): the projected image embedding of OpenAI's CLIP ViT-L/14, 768 numbers that are not
    brought to unit length, and a linear layer with one output. The centre 224 x 224 without resizing (black about a smaller
    image), CLIP's statistics; the score is the logit. Trained on ProGAN; the authors choose the threshold on each test set,
    so compare with photographs like yours.
    `clip` is the encoder, as a transformers folder or on the hub; `weights` the layer.
    """

    paper = "arXiv:2302.10174"
    libraries = ("torch", "transformers", "onnxruntime-gpu", "onnxruntime")
    cost = "1 forward pass of CLIP ViT-L/14 at 224 x 224"
    published = Classifier("clip-probe", Look(224), mean=CLIP_MEAN, std=CLIP_STD, licence="MIT")

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "the converted linear layer"] = PUBLISHED
        clip: Annotated[Weights, "a CLIP in transformers format"] = CLIP_LARGE

    @property
    def build(self) -> Build:
        return Probe(self.options.clip, self.session.offline)

    def converted(self, tensors: dict[str, Any], where: str) -> dict[str, Any]:
        from forensic_cli.features.torch_network import fitting
        from forensic_detectors.baselines.probe import layer

        last = {name: tensor for name, tensor in tensors.items() if name in ("fc.weight", "fc.bias")}
        return fitting(layer, self.classifier, last or tensors, where)  # a whole checkpoint has its frozen encoder, too


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("univfd", Univfd)
