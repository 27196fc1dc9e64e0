"""How the classifiers are trained: Community Forensics' published recipe, and that of the small network we ship."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from forensic_cli.classifier import Look
from forensic_cli.training import augmentation

# Fields that both recipes have, with the words that explain them
Backbone = Annotated[str, "a network of timm"]
Size = Annotated[int, "side of the square that the network is trained on"]
View = Annotated[augmentation.View, "crops of the image resized to 440/384 of the size, or of its native pixels"]
Folded = Annotated[bool, "multiply batch normalisation into the convolutions before training"]
Normalise = Annotated[Literal["imagenet", "backbone"], "mean and standard deviation of the pixels"]
Augment = Annotated[augmentation.Augment, "paper: as published; wild: what pictures meet on their way; or none"]
Steps = Annotated[int, "optimiser steps (--steps)"]
Batch = Annotated[int, "images per step (--batch-size)"]
Lr = Annotated[float, "highest learning rate of AdamW"]
WeightDecay = Annotated[float, "weight decay of matrices"]
Warmup = Annotated[float, "share of the steps until the learning rate is reached"]
Average = Annotated[float, "decay per step of the averaged weights; 0 keeps the last"]
Smoothing = Annotated[float, "label smoothing"]
Members = Annotated[int, "trainings of so many steps each, of which the weights are averaged"]
Dropout = Annotated[float, "share of the features before the last layer that is dropped in training"]
Depth = Annotated[float, "share of the blocks that are skipped in training, rising from the first to the last"]
Handmade = Annotated[float, "how often pictures made by hand are drawn, relative to photographs"]
Crops = Annotated[Literal[1, 5], "crops per image when it is used"]
Window = Annotated[int | None, "side of those crops; none: the size"]
Stored = Annotated[Literal["float32", "float16"], "number format of the file"]
Graph = Annotated[bool, "also write graph.onnx: ONNX Runtime is faster than torch on a CPU"]


@dataclass(frozen=True)
class Recipe:
    """Community Forensics (Park and Owens 2025), as in its public code."""

    backbone: Backbone = "vit_small_patch16_384.augreg_in21k_ft_in1k"
    size: Size = 384
    view: View = "resized"
    pretrained: Annotated[bool, "start from timm's ImageNet weights"] = True
    start: Annotated[Path | None, "file of weights to start from, in timm's names or order"] = None
    frozen: Annotated[bool, "train the last layer alone"] = False
    folded: Folded = False
    normalise: Normalise = "imagenet"
    augment: Augment = "paper"
    repeats: Annotated[int, "augment=paper: how often an operation is drawn at most"] = 2
    members: Members = 1
    steps: Steps = 52_000
    batch: Batch = 512
    lr: Lr = 2e-5
    weight_decay: WeightDecay = 0.01
    warmup: Warmup = 0.2
    floor: Annotated[float, "last learning rate over the highest"] = 0.001
    dropout: Dropout = 0.0
    depth: Depth = 0.0
    average: Average = 0.0
    smoothing: Smoothing = 0.0
    clip: Annotated[float, "largest norm of the gradient; 0 for none"] = 1.0
    handmade: Handmade = 1.0
    crops: Crops = 1
    window: Window = None
    stored: Stored = "float32"
    graph: Graph = False

    def __post_init__(self) -> None:
        if self.size < 32 or self.steps < 1 or self.batch < 2 or self.repeats < 0 or self.members < 1:
            raise ValueError("size must be at least 32, steps and members 1, batch 2 and repeats 0")
        if not (0 <= self.dropout < 1 and 0 <= self.depth < 1):
            raise ValueError("dropout and depth lie in [0, 1)")
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

    backbone: Backbone = "tf_efficientnet_lite0"
    size: Size = 160
    view: View = "native"
    normalise: Normalise = "backbone"
    augment: Augment = "wild"
    steps: Steps = 2600
    batch: Batch = 32
    lr: Lr = 3e-4
    weight_decay: WeightDecay = 0.02
    warmup: Warmup = 0.03
    average: Average = 0.998
    smoothing: Smoothing = 0.04
    handmade: Handmade = 0.35
    crops: Crops = 5
    window: Window = 224
    stored: Stored = "float16"
    graph: Graph = True
