"""What a detector is given to train with, and where it puts the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forensic_cli import options
from forensic_cli.records import Json

if TYPE_CHECKING:
    from forensic_cli.datasets import Dataset
    from forensic_cli.detector import Session
    from forensic_cli.training.division import Division

Watch = Callable[[int, int, float | None, float, tuple[str, ...]], None]
"""Told after each step: steps done and in all, the loss, the share of the time spent waiting, what could not be read.

Where images are looked at before anything is learnt, there is no loss, and the steps are images."""

CHECKPOINT = "checkpoint.pt"
"""The file in the model folder from which a training that was interrupted goes on."""


RECORD = "training.json"
"""What a trainer writes down of how to do it again (schema forensic/training/1); the model card is made of it."""


@dataclass(frozen=True)
class TrainingJob:
    """One training as a user asked for it.

    `options` is the detector's `Training`. `steps` and `batch_size` are None where the user left them to the recipe.
    `division` says which images of the data set are trained on and which never. `say` tells a person a line.
    """

    method: str
    dataset: Dataset
    options: Any
    folder: Path
    session: Session
    steps: int | None
    batch_size: int | None
    division: Division
    workers: int
    command: str
    watch: Watch
    say: Callable[[str], None]

    def record(self, recipe: Any, origin: str) -> Json:
        """What every trainer writes down (RECORD): how to do it again, with which `recipe` and from which weights."""
        return {
            "schema": "forensic/training/1",
            "method": self.method,
            "command": self.command,
            "seed": self.session.seed,
            "dtype": self.session.dtype,
            "recipe": options.to_json(recipe),
            "started_from": origin,
            "data": {
                "fingerprint": self.dataset.fingerprint,
                "trained_on": len(self.division.known),
                "held_out": len(self.division.unseen),
            },
            "held_out_sources": self.division.held_out,
            "doubts": list(self.division.doubts),
        }
