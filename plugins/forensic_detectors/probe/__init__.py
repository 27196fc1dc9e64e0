"""A network that matches pictures with captions sees the picture at a glance; a small layer reads what is generated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from forensic_cli import Batch, Detector, Session, Weights, hookimpl
from forensic_cli.errors import WeightsError
from forensic_cli.features.encoders import encoder, tokens
from forensic_cli.profiles import Profile, beside
from forensic_cli.training.essence import essence
from forensic_cli.weights import locate
from forensic_detectors.probe import head as heads
from forensic_detectors.probe.parts import evidence
from forensic_detectors.probe.recipes import ENCODER, EYE, Recipe


def opened(session: Session, *, weights: Weights) -> heads.Head:
    """The layers in a folder, for the life of the session. Raises WeightsError."""
    return heads.read(locate(weights, offline=session.offline).path)


def features(batch: Batch, *, weights: Weights, encoder: Weights) -> np.ndarray:
    """What the layers read of the first crop: (N, D), float32."""
    reading = batch.session.once(opened, weights=weights).reading
    seen = batch.once(tokens, weights=encoder, look=reading.look)
    return reading.features(np.stack([one[0] for _, one in seen]))


def answers(batch: Batch, *, weights: Weights, encoder: Weights) -> np.ndarray:
    """Log-odds of "generated", and of "made by hand, no photograph": (N, 2)."""
    reader = batch.session.once(opened, weights=weights)
    return reader(batch.once(features, weights=weights, encoder=encoder))


class Probe(Detector):
    """A network that matches pictures with captions sees the picture at a glance; a small layer reads what is generated.

    UnivFD's idea (Ojha, Li and Lee 2023) at intermediate blocks, as in RINE (arXiv:2402.19091): class tokens and means of
    the patch tokens of a frozen image encoder after some of its blocks, standardised, go through one or two layers that
    `forensic train probe` fits. The image is seen once, its short side at the encoder's size (bicubic), and of that the
    central square: what lies beside it has no part in the score. The score is the log-odds of "generated".
    A second output knows pictures made by hand (screenshots, drawings, plots, paintings): what it takes for one is unlike
    the photographs of the calibration, whatever its score.
    Heatmaps show what it says of each part of that square alone.
    """

    paper = "arXiv:2302.10174"
    unit = "log-odds"
    light = True
    libraries = ("onnxruntime-gpu", "onnxruntime", "torch", "transformers")
    cost = "1 forward pass of nine blocks of CLIP ViT-B/16 at 224 x 224, in 8 bits on a CPU"
    Training: ClassVar[type] = Recipe

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "a folder that forensic train probe wrote"] = EYE
        encoder: Annotated[Weights, "the encoder that it reads, in the format of transformers or timm"] = ENCODER

    @classmethod
    def facts(cls) -> list[str]:
        """The essence of the model card."""
        folder = Path(__file__).parent
        return [*essence(folder / "eye"), f"What was tried: {folder / 'TRIALS.md'}"]

    def open_weights(self) -> None:
        """A layer that was fitted to another encoder would give numbers without meaning."""
        reader, chosen = self.session.once(opened, weights=self.options.weights), self.options.encoder
        found = locate(chosen, offline=self.session.offline)
        if found.sha256 != reader.reading.encoder_sha256:
            raise WeightsError(
                f"{self.options.weights.source} reads another encoder than {chosen.source}: it was fitted to "
                f"{reader.reading.encoder} (SHA-256 {reader.reading.encoder_sha256[:12]}); name that one with "
                f"--set {self.name or 'probe'}.encoder=..."
            )

    def score(self, batch: Batch) -> np.ndarray:
        """Log-odds of "generated", (N,)."""
        self.provider = self.session.once(encoder, weights=self.options.encoder).provider
        return batch.once(answers, weights=self.options.weights, encoder=self.options.encoder)[:, 0]

    def unlike(self, batch: Batch) -> np.ndarray:
        """Log-odds of "made by hand, no photograph", (N,)."""
        return batch.once(answers, weights=self.options.weights, encoder=self.options.encoder)[:, 1]

    def embed(self, batch: Batch) -> np.ndarray:
        """The encoder's tokens that the layers read, side by side: (N, D)."""
        return batch.once(features, weights=self.options.weights, encoder=self.options.encoder)

    def heatmaps(self, batch: Batch) -> list[np.ndarray]:
        """Log-odds of the parts of each picture."""
        reader = self.session.once(opened, weights=self.options.weights)
        run = self.session.once(encoder, weights=self.options.encoder)

        def score(crops: np.ndarray) -> np.ndarray:
            return reader(reader.reading.features(run(crops)))[:, 0]

        size = run.statistics.size
        return [evidence(image, size, score) for image in batch.images]

    def calibration(self) -> Profile | None:
        """What the photographs scored that were held out when the layer was fitted."""
        return beside(locate(self.options.weights, offline=True).path)

    @classmethod
    def train(cls, job: Any) -> dict[str, str]:
        from forensic_detectors.probe.training import train

        return train(job)


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("probe", Probe)
