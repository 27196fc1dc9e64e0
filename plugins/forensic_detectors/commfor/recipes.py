"""How the classifiers are trained: Community Forensics' published recipe, and that of the small network we ship."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from forensic_cli.classifier import Look
from forensic_cli.training.augmentation import Augment, View


@dataclass(frozen=True)
class Recipe:
    """Community Forensics (Park and Owens 2025), as in its public code."""

    backbone: Annotated[str, "a network of timm"] = "vit_small_patch16_384.augreg_in21k_ft_in1k"
    size: Annotated[int, "side of the square that the network is trained on"] = 384
    view: Annotated[View, "crops of the image resized to 440/384 of the size, or of its native pixels"] = "resized"
    pretrained: Annotated[bool, "start from timm's ImageNet weights"] = True
    start: Annotated[Path | None, "file of weights to start from, in timm's names or order"] = None
    frozen: Annotated[bool, "train the last layer alone"] = False
    folded: Annotated[bool, "multiply batch normalisation into the convolutions before training"] = False
    normalise: Annotated[Literal["imagenet", "backbone"], "mean and standard deviation of the pixels"] = "imagenet"
    augment: Annotated[Augment, "paper: as published; wild: what pictures meet on their way; or none"] = "paper"
    repeats: Annotated[int, "augment=paper: how often an operation is drawn at most"] = 2
    steps: Annotated[int, "optimiser steps (--steps)"] = 52_000
    batch: Annotated[int, "images per step (--batch-size)"] = 512
    lr: Annotated[float, "highest learning rate of AdamW"] = 2e-5
    weight_decay: Annotated[float, "weight decay of matrices"] = 0.01
    warmup: Annotated[float, "share of the steps until the learning rate is reached"] = 0.2
    floor: Annotated[float, "last learning rate over the highest"] = 0.001
    average: Annotated[float, "decay per step of the averaged weights; 0 keeps the last"] = 0.0
    smoothing: Annotated[float, "label smoothing"] = 0.0
    clip: Annotated[float, "largest norm of the gradient; 0 for none"] = 1.0
    handmade: Annotated[float, "how often pictures made by hand are drawn, relative to photographs"] = 1.0
    crops: Annotated[Literal[1, 5], "crops per image when it is used"] = 1
    window: Annotated[int | None, "side of those crops; none: the size"] = None
    stored: Annotated[Literal["float32", "float16"], "number format of the file"] = "float32"
    graph: Annotated[bool, "also write graph.onnx: ONNX Runtime is faster than torch on a CPU"] = False

    def __post_init__(self) -> None:
        if self.size < 32 or self.steps < 1 or self.batch < 2 or self.repeats < 0:
            raise ValueError("size must be at least 32, steps 1, batch 2 and repeats 0")
        if not (0 < self.lr <= 1 and 0 <= self.warmup < 1 and 0 <= self.average < 1 and 0 <= self.smoothing < 1):
            raise ValueError("lr lies in (0, 1]; warmup, average and smoothing in [0, 1)")
        if min(self.weight_decay, self.floor, self.clip, self.handmade) < 0 or (
            self.window is not None and self.window < 1
        ):
            raise ValueError("weight_decay, floor, clip and handmade must not be negative, and window at least 1")

    def look(self) -> Look:
        """What the trained network is shown."""
        window = self.window or self.size
        if self.view == "native":
            return Look(size=window, crops=self.crops, whole=self.crops > 1, pad="mirror")
        return Look(size=window, resize=max(window, round(window * 440 / 384)), crops=self.crops)


@dataclass(frozen=True)
class LiteRecipe(Recipe):
    """The small network that comes with the tool: native crops, what happens to pictures in the wild, averaged weights."""

    backbone: Annotated[str, "a network of timm"] = "tf_efficientnet_lite0"
    size: Annotated[int, "side of the square that the network is trained on"] = 160
    view: Annotated[View, "crops of the image resized to 440/384 of the size, or of its native pixels"] = "native"
    normalise: Annotated[Literal["imagenet", "backbone"], "mean and standard deviation of the pixels"] = "backbone"
    folded: Annotated[bool, "multiply batch normalisation into the convolutions before training"] = True
    augment: Annotated[Augment, "paper: as published; wild: what pictures meet on their way; or none"] = "wild"
    steps: Annotated[int, "optimiser steps (--steps)"] = 3600
    batch: Annotated[int, "images per step (--batch-size)"] = 32
    lr: Annotated[float, "highest learning rate of AdamW"] = 3e-4
    weight_decay: Annotated[float, "weight decay of matrices"] = 0.02
    warmup: Annotated[float, "share of the steps until the learning rate is reached"] = 0.03
    average: Annotated[float, "decay per step of the averaged weights; 0 keeps the last"] = 0.998
    smoothing: Annotated[float, "label smoothing"] = 0.04
    handmade: Annotated[float, "how often pictures made by hand are drawn, relative to photographs"] = 1.5
    crops: Annotated[Literal[1, 5], "crops per image when it is used"] = 5
    window: Annotated[int | None, "side of those crops; none: the size"] = 224
    stored: Annotated[Literal["float32", "float16"], "number format of the file"] = "float16"
    graph: Annotated[bool, "also write graph.onnx: ONNX Runtime is faster than torch on a CPU"] = True
