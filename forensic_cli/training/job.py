"""What a detector is given to train with, and where it puts the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forensic_cli.datasets import Dataset
    from forensic_cli.detector import Session

Watch = Callable[[int, int, float, float, tuple[str, ...]], None]
"""Told after each step: steps done and in all, the loss, the share of the time spent waiting, what could not be read."""

CHECKPOINT = "checkpoint.pt"
"""The file in the model folder from which a training that was interrupted goes on."""


@dataclass(frozen=True)
class TrainingJob:
    """One training as a user asked for it.

    `options` is the detector's `Training`. `steps` and `batch_size` are None where the user left them to the recipe.
    `holdout` is the share of the images, whole sources at a time, that are never trained on. `say` tells a person a line.
    """

    method: str
    dataset: Dataset
    options: Any
    folder: Path
    session: Session
    steps: int | None
    batch_size: int | None
    holdout: float
    workers: int
    command: str
    watch: Watch
    say: Callable[[str], None]
