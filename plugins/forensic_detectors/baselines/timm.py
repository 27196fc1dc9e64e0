"""A classifier of your own: any checkpoint of a network that the library timm knows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from forensic_cli import Batch, Detector, Session, Weights, hookimpl
from forensic_cli.classifier import Classifier, Kernel, Look, Pad
from forensic_cli.errors import UsageError, nearest
from forensic_cli.features.classifiers import Mapped


class Timm(Mapped):
    """Your own classifier: a network by its name in the library timm, with one or two outputs, and your checkpoint of it.

    There are no weights by default: `--weights timm=FILE` names yours as safetensors (of a pickle they are made by
    `forensic weights convert timm FILE.pth --set timm.network=NAME -o FILE.safetensors`), `--set timm.network=NAME` its
    network. What is not set is as timm has it for that network: crop, short side, resampling, statistics. The score is the
    log-odds of "generated": the one output, or the difference of two; with `fake_index=0` the first of two classes is
    "generated", or the one output says "photograph". Set options as in training: wrong pixels give wrong scores in silence.
    """

    paper = "https://github.com/huggingface/pytorch-image-models"
    cost = "1 forward pass of the network for each crop"

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "your checkpoint"] = Weights("", licence="that of your checkpoint", pickle="*.pth")
        network: Annotated[str, "name of the network in timm"] = ""
        head: Annotated[Literal["logit", "softmax"], "one output, or two"] = "logit"
        fake_index: Annotated[Literal[0, 1], "which of two classes is generated"] = 1
        size: Annotated[int, "side of the crop; 0 is the network's own"] = 0
        resize: Annotated[int | None, "short side before cropping; 0 is the network's own, none leaves native pixels"] = 0
        crops: Annotated[Literal[1, 5], "the centre, or the corners too; their logits are averaged"] = 1
        kernel: Annotated[Literal["own", "bilinear", "bicubic", "lanczos", "box"], "how it is resized"] = "own"
        pad: Annotated[Pad, "how an image smaller than the crop is continued"] = "black"
        mean: Annotated[tuple[float, ...], "of red, green, blue between 0 and 1; empty is the network's own"] = ()
        std: Annotated[tuple[float, ...], "of red, green, blue; empty is the network's own"] = ()

        def __post_init__(self) -> None:
            if self.size < 0 or (self.resize or 0) < 0:
                raise ValueError("size and resize must be at least 0")
            if len(self.mean) not in (0, 3) or len(self.std) not in (0, 3) or min(self.std, default=1) <= 0:
                raise ValueError("mean and std are three numbers, those of std above 0")

    def __init__(self, session: Session, options: Any = None) -> None:
        super().__init__(session, options)
        self.sign = 1 if self.options.fake_index else -1
        self._described = described(self.options)

    @property
    def classifier(self) -> Classifier:
        return self._described

    def score(self, batch: Batch) -> np.ndarray:
        return self.sign * super().score(batch)

    def heatmaps(self, batch: Batch) -> list[np.ndarray]:
        return [self.sign * one for one in super().heatmaps(batch)]

    def exportable(self) -> tuple[Any, Classifier]:
        if self.sign < 0:
            raise UsageError("a network whose first class is generated cannot be exported: its file would say the opposite")
        return super().exportable()


def described(options: Timm.Options) -> Classifier:
    """What the options say, and timm where they are silent. Raises UsageError for a network that timm does not know."""
    if not options.network:
        raise UsageError("timm needs the name of its network: --set timm.network=NAME")
    facts = _known(options.network)
    side: int = options.size or facts["input_size"][-1]
    short = int(side / facts["crop_pct"]) if options.resize == 0 else options.resize
    if short is not None and short < side:
        raise UsageError(f"timm.resize={short} leaves no room for crops of {side}: set timm.size, or a larger timm.resize")
    own = facts["interpolation"]
    kernel: Kernel = options.kernel if options.kernel != "own" else own if own in ("bilinear", "lanczos") else "bicubic"
    fixed = side != facts["input_size"][-1] and facts["fixed_input_size"]
    return Classifier(
        options.network,
        Look(side, resize=short, crops=options.crops, kernel=kernel, pad=options.pad),
        mean=options.mean or tuple(facts["mean"]),
        std=options.std or tuple(facts["std"]),
        head=options.head,
        settings=(("img_size", side),) if fixed else (),
    )


def _known(name: str) -> dict[str, Any]:
    """What timm knows of a network's input."""
    import timm
    from timm.data import resolve_data_config

    base = name.partition(".")[0]
    if not timm.is_model(base):
        raise UsageError(f"timm has no network {name!r}; {nearest(base, timm.list_models())}")
    facts = timm.get_pretrained_cfg(name).to_dict()
    return {"fixed_input_size": facts["fixed_input_size"], **resolve_data_config(pretrained_cfg=facts)}


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("timm", Timm)
