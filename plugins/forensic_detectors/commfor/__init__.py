"""A network that was shown photographs and the work of thousands of generators tells one from the other."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from forensic_cli import Detector, Weights, hookimpl
from forensic_cli.classifier import Classifier, Look
from forensic_cli.features.classifiers import Baseline, Mapped
from forensic_cli.profiles import Profile, beside
from forensic_cli.training.essence import essence
from forensic_cli.weights import locate
from forensic_detectors.commfor.recipes import LiteRecipe, Recipe

_FILES = ("config.json", "model.safetensors", "graph.*")  # the last is a pattern: it may be absent

MODEL_384 = Weights(
    "OwensLab/commfor-model-384",
    licence="MIT",
    files=_FILES,
    bytes=87_262_324,
    sha256={"model.safetensors": "b89f36275f3bf5e2b040eee36597a8f19db051bff9a473a9cf7b2466284fb387"},
)
MODEL_224 = Weights("OwensLab/commfor-model-224", licence="MIT", files=_FILES, bytes=87_000_000)
LITE = Weights("package:forensic_detectors/commfor/lite", licence="Apache-2.0", files=_FILES)

PUBLISHED_384 = Classifier("vit_small_patch16_384", Look(384, resize=440), licence="MIT", half=True)
PUBLISHED_224 = Classifier("vit_small_patch16_224", Look(224, resize=256), licence="MIT", half=True)


class Commfor(Baseline):
    """A vision transformer that was trained on images of thousands of generators says how generated an image looks.

    Community Forensics (Park and Owens, CVPR 2025): ViT-S/16 with one output. The image is resized to a short side of 440
    (bilinear, antialiased), the centre 384 x 384 is normalised with ImageNet's statistics; the score is the log-odds of
    "generated", 0 at probability one half. Others found thresholds
    far from one half on their own images: compare with photographs like yours.
    Generators that came after the training and heavily processed photographs are its weak spots.
    """

    paper = "arXiv:2411.04125"
    cost = "1 forward pass of ViT-S/16 at 384 x 384"
    published = PUBLISHED_384
    Training: ClassVar[type] = Recipe

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "a model folder, an .onnx file or the hub's repository"] = MODEL_384

    def calibration(self) -> Profile | None:
        """What the photographs scored that were held out when the network was trained."""
        return beside(locate(self.options.weights, offline=True).path)

    @classmethod
    def train(cls, job: Any) -> dict[str, str]:
        from forensic_detectors.commfor.training import train

        return train(job)


class Commfor224(Commfor):
    """The same for small images: a vision transformer trained on images of thousands of generators, seen at 224 x 224.

    Community Forensics' second model: short side to 256, centre 224. Weaker than `commfor` where an image is larger.
    """

    cost = "1 forward pass of ViT-S/16 at 224 x 224"
    published = PUBLISHED_224

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "a model folder, an .onnx file or the hub's repository"] = MODEL_224


class CommforLite(Mapped, Commfor):
    """A small network that comes with the tool looks for the marks that generators leave in fine texture.

    EfficientNet-Lite0 trained by `forensic train commfor.lite` on native crops of photographs, generated images and
    pictures made by hand (arXiv:2411.04125 for the idea: many generators, few images of each). The score is the log-odds of
    "generated", the mean over up to five native crops of 224 x 224, or over the whole of a small image.
    """

    light = True
    cost = "1 forward pass of EfficientNet-Lite0 over up to five crops of 224 x 224"
    Training: ClassVar[type] = LiteRecipe

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "a model folder or an .onnx file"] = LITE

    @classmethod
    def facts(cls) -> list[str]:
        """The essence of the model card."""
        return essence(Path(__file__).parent / "lite")


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("commfor", Commfor)
    register("commfor.224", Commfor224)
    register("commfor.lite", CommforLite)
