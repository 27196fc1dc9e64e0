"""What a detector may be able to do besides judging: small protocols, found by isinstance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from forensic_cli.classifier import Classifier
    from forensic_cli.detector import Batch


@runtime_checkable
class Localises(Protocol):
    """Shows where in an image the evidence lies (`scan --heatmaps`)."""

    def heatmaps(self, batch: Batch) -> list[np.ndarray]:
        """One map per image, float32 (h, w) of any size, stretched over the whole upright image; higher speaks for
        "generated", 0 for neither, NaN where it did not look."""
        ...


@runtime_checkable
class Exports(Protocol):
    """Has a network that can be written as ONNX (`export-onnx`)."""

    def exportable(self) -> tuple[Any, Classifier]:
        """The torch module, from uint8 crops (M, H, W, 3) to log-odds (M,) and perhaps evidence (M, h, w); and what it is."""
        ...


@runtime_checkable
class Trains(Protocol):
    """Can be trained (`train`): `Training` is a frozen dataclass of options, like `Options`."""

    Training: ClassVar[type]

    @classmethod
    def train(cls, job: Any) -> Path:
        """Train and write the model folder; see forensic_cli.training.job.TrainingJob. Returns the folder."""
        ...
