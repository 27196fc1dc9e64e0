"""What the host adds to a model folder: what the detector did on images held out, in figures, calibration and card."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from forensic_cli.engine.measuring import Measured, measure
from forensic_cli.engine.methods import Method
from forensic_cli.engine.watching import Watch
from forensic_cli.errors import TrainingError
from forensic_cli.profiles import CALIBRATION, USUAL
from forensic_cli.records import MethodUse
from forensic_cli.training.card import Card, write_card
from forensic_cli.training.families import draw_families
from forensic_cli.training.job import RECORD, TrainingJob
from forensic_cli.writing import atomic

METRICS, CARD, FAMILIES = "metrics.json", "README.md", "families.png"


def complete(job: TrainingJob, use: MethodUse) -> bool:
    """Whether the figures in the folder are of these very weights and images."""
    try:
        kept = json.loads((job.folder / METRICS).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(kept, dict) and kept.get("of") == _identity(job, use) and (job.folder / CARD).is_file()


def deliver(job: TrainingJob, method: Method, watch: Watch) -> None:
    """Measure `method`, which runs what was trained, and write metrics.json, calibration.json, a picture and the card.

    Raises TrainingError where nothing can be measured, or the trainer left no record.
    """
    division = job.division
    try:
        record: dict[str, Any] = json.loads((job.folder / RECORD).read_bytes())
    except (OSError, ValueError) as error:
        raise TrainingError(f"{job.method} left no {RECORD} in {job.folder}: its card cannot be written") from error
    measured: Measured | None = None
    if division.unseen:
        job.say(f"measures {len(division.unseen):,} held-out images as they are and after re-encoding")
        measured = measure(method, job.session, division.known, division.unseen, watch)
        _draw(measured, job.folder / FAMILIES)
        profile = measured.profile(job.method, str(record.get("command", job.command)), job.session.seed)
        profile.write(job.folder / CALIBRATION)
    write_card(job.folder / CARD, Card(record, division.known, division.unseen, measured))
    figures = {**(measured.to_json() if measured else {}), "of": _identity(job, method.use)}
    with atomic(job.folder / METRICS) as stream:
        stream.write(json.dumps(figures, indent=1, allow_nan=False).encode() + b"\n")


def _draw(measured: Measured, file: Path) -> None:
    """The families at the rate of the usual verdict, or the smallest that can be shown; no picture where none can."""
    rates = sorted(measured.calibrated.verdict_thresholds)
    if not rates or not measured.families:
        file.unlink(missing_ok=True)
        return
    draw_families(file, measured.families, USUAL if USUAL in rates else rates[0])


def _identity(job: TrainingJob, use: MethodUse) -> str:
    """Of the weights, and of what they are measured on."""
    facts = [[str(one["sha256"]) for one in use.weights], job.dataset.fingerprint, job.division.held_out]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
