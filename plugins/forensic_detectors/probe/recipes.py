"""How a probe is fitted: the options of `forensic train probe`, and the weights that come with the tool."""

from dataclasses import dataclass
from typing import Annotated, Literal

from forensic_cli import Weights

EYE = Weights("package:forensic_detectors/probe/eye", licence="Apache-2.0", files=("config.json", "model.safetensors"))
ENCODER = Weights(
    "package:forensic_detectors/probe/clip",
    licence="MIT",
    files=("*.json", "*.safetensors", "graph.*"),
)


@dataclass(frozen=True)
class Recipe:
    """Blocks are counted from 1."""

    encoder: Annotated[Weights, "what is read: a folder of transformers or timm, or a repository of the hub"] = ENCODER
    classes: Annotated[tuple[int, ...], "blocks whose class token is read"] = (6, 9)
    means: Annotated[tuple[int, ...], "blocks whose patch tokens are read, as their mean"] = (4, 6)
    views: Annotated[int, "forms of each image: as it is, and cut, resampled, re-encoded at random"] = 4
    native: Annotated[float, "how often an image is shown as it is; the other forms share the rest"] = 0.4
    head: Annotated[Literal["mlp", "logistic", "svm"], "one hidden layer, or a single layer"] = "mlp"
    hidden: Annotated[int, "head=mlp: width of the hidden layer"] = 256
    members: Annotated[int, "head=mlp: trainings that differ in chance alone; they become one layer side by side"] = 4
    epochs: Annotated[int, "head=mlp: how often the images are shown"] = 12
    lr: Annotated[float, "head=mlp: highest learning rate of AdamW"] = 1e-3
    dropout: Annotated[float, "head=mlp: share of the hidden layer that is dropped in training"] = 0.4
    decay: Annotated[float, "head=mlp: weight decay"] = 0.05
    linear: Annotated[float, "head=mlp: share of a logistic regression on the images as they are in its answer"] = 0.35
    strength: Annotated[float, "C of logistic regressions and SVMs: the larger, the freer"] = 0.002
    smoothing: Annotated[float, "head=mlp: label smoothing"] = 0.05
    handmade: Annotated[float, "weight of a picture made by hand, relative to a photograph"] = 2.0
    balance: Annotated[float, "weight of a source: its number of images to this power"] = 0.5
    folds: Annotated[int, "also measure on so many folds of what is trained on, whole sources at a time; 0: do not"] = 0

    def __post_init__(self) -> None:
        if not self.classes + self.means or min(self.classes + self.means) < 1:
            raise ValueError("classes and means name blocks, counted from 1, at least one")
        if min(self.views, self.hidden, self.members, self.epochs) < 1:
            raise ValueError("views, hidden, members and epochs must be at least 1")
        if not (0 < self.native <= 1 and 0 <= self.dropout < 1 and 0 <= self.smoothing < 1 and 0 <= self.balance <= 1):
            raise ValueError("native lies in (0, 1], dropout and smoothing in [0, 1), balance in [0, 1]")
        if not (0 < self.lr <= 1 and self.strength > 0 and min(self.decay, self.handmade) >= 0 and 0 <= self.linear < 1):
            raise ValueError("lr lies in (0, 1], linear in [0, 1), strength is above 0, decay and handmade not below")
        if self.folds == 1 or self.folds < 0:
            raise ValueError("folds is 0 or at least 2")
