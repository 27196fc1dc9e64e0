"""What a detector may be able to do besides judging: small protocols, found by isinstance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from forensic_cli.classifier import Classifier
    from forensic_cli.detector import Batch
    from forensic_cli.profiles import Profile
    from forensic_cli.training.job import TrainingJob


@runtime_checkable
class Localises(Protocol):
    """Shows where in an image the evidence lies (`scan --heatmaps`)."""

    def heatmaps(self, batch: Batch) -> list[np.ndarray]:
        """One map per image, float32 (h, w) of any size, stretched over the whole upright image; higher speaks for
        "generated", 0 for neither, NaN where it did not look.

        In log-odds; a detector with maps of another unit has an attribute `heatmap_scale`, what counts as strong there.
        """
        ...


@runtime_checkable
class Compares(Protocol):
    """Knows how unlike a photograph an image is, so that a verdict need not speak of what it was not calibrated for."""

    def unlike(self, batch: Batch) -> Sequence[float] | np.ndarray:
        """One number per image, (N,), asked after `score`; higher is less like a photograph, on a scale of its own."""
        ...


@runtime_checkable
class Embeds(Protocol):
    """Sees something in an image that others may read, too: for attribution, probes and maps of a collection."""

    def embed(self, batch: Batch) -> np.ndarray:
        """One vector per image, (N, D), float32, finite; it must not depend on the other images.

        Compute it with `batch.once` from what `score` computes, so that asking for both costs one forward pass.
        """
        ...


@runtime_checkable
class Opens(Protocol):
    """Can tell before a scan reads its first image whether it can do with the weights that it was given."""

    def open_weights(self) -> None:
        """Open what may turn out unfit and is quickly opened; the session keeps it. Raises WeightsError."""
        ...


@runtime_checkable
class Exports(Protocol):
    """Has a network that can be written as ONNX (`export-onnx`)."""

    def exportable(self) -> tuple[Any, Classifier]:
        """The torch module, from uint8 crops (M, H, W, 3) to log-odds (M,) and perhaps evidence (M, h, w); its record."""
        ...


@runtime_checkable
class Trains(Protocol):
    """A detector's class that can be trained (`train`); `train` is a class method.

    `Training` is a frozen dataclass of options, like `Options`. A class with `photographs_alone = True` may be trained on
    data without generated images: then its calibration is written, and no figure of what it finds.
    """

    Training: type

    def train(self, job: TrainingJob) -> Mapping[str, str]:
        """Train on `job.division.known`, and write the weights and training.json into `job.folder`; if the same training
        is done already, nothing. Returns the settings with which a scan uses the result ("weights": the folder).

        The host measures the result on what was held out, and writes its card, figures and calibration.
        """
        ...


@runtime_checkable
class Converts(Protocol):
    """Knows the checkpoints that its authors publish (`weights convert`)."""

    def converted(self, tensors: dict[str, Any], where: str) -> dict[str, Any]:
        """The tensors of a checkpoint (without the wrapping of its training) as this method loads them, all of them and no
        others. Raises WeightsError that begins with `where` and names what does not fit."""
        ...


@runtime_checkable
class Calibrates(Protocol):
    """Brings the scores of photographs that it never saw, so that a scan has verdicts before anybody calibrates."""

    def calibration(self) -> Profile | None:
        """The profile of its weights, with one method; None if these weights have none."""
        ...
