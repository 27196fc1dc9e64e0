"""From labelled images to a probe: see them through the frozen encoder once, fit a layer or two, say what was seen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from forensic_cli.datasets import Labelled
from forensic_cli.datasets.labelled import HANDMADE
from forensic_cli.errors import TrainingError
from forensic_cli.features.encoders import encoder
from forensic_cli.statistics.ranking import auroc
from forensic_cli.training.embedding import embedded
from forensic_cli.training.job import RECORD, TrainingJob, Watch
from forensic_cli.training.splits import folds
from forensic_cli.weights import locate
from forensic_cli.writing import atomic
from forensic_detectors.probe.fitting import fit
from forensic_detectors.probe.head import Head, Reading, applied
from forensic_detectors.probe.recipes import Recipe


def train(job: TrainingJob) -> dict[str, str]:
    """Fit the head and write its folder, or nothing if the same training is done already.

    Returns the settings with which a scan uses it.
    """
    recipe, session = job.options, job.session
    run = session.once(encoder, weights=recipe.encoder)
    located = locate(recipe.encoder, offline=session.offline)
    digest = located.sha256
    reading = Reading(recipe.encoder.source, digest, run.statistics.look, recipe.classes, recipe.means)
    blank = np.zeros((1, run.statistics.size, run.statistics.size, 3), np.uint8)
    reading.features(run(blank))  # blocks that it does not have are told before anything is looked at
    record = job.record(recipe, f"{recipe.encoder.source} (SHA-256 {digest[:12]})")
    settings = {"weights": str(job.folder), "encoder": recipe.encoder.source}
    if _finished(job.folder, record):
        return settings
    known = job.division.known
    job.say(f"{len(known):,} images to learn from in {recipe.views} forms each, {len(job.division.unseen):,} held out")
    seen = embedded(known, run, digest, reading.look, recipe.views, session.seed, job.workers, job.watch)
    features = reading.features(seen.values)
    weights = weighed(seen.items, recipe)
    generated = np.array([item.generated for item in seen.items])
    handmade = np.array([item.label == HANDMADE for item in seen.items])
    if not generated.any() or generated.all():
        raise TrainingError("there is only one class among the images that could be read")
    if recipe.folds:
        record["folds"] = crossed(recipe, seen.items, features, session.seed, job.watch)
        job.say(f"on {recipe.folds} folds: " + ", ".join(f"{name} {value:.3f}" for name, value in record["folds"].items()))
    seed = session.seed_for("probe")
    layers = fit(features, generated, handmade, weights, recipe, seed, job.watch)
    Head(reading, layers).write(job.folder)
    with atomic(job.folder / RECORD) as stream:
        stream.write(json.dumps(record, indent=1, allow_nan=False).encode() + b"\n")
    return settings


def weighed(items: Sequence[Labelled], recipe: Recipe) -> np.ndarray:
    """What each image counts, (N,), of mean 1: both classes the same, a source by its number of images to a power."""
    numbers = Counter((item.source, item.label) for item in items)
    weights = np.array([numbers[item.source, item.label] ** (recipe.balance - 1) for item in items])
    weights *= np.where([item.label == HANDMADE for item in items], recipe.handmade, 1.0)
    generated = np.array([item.generated for item in items])
    for one in (generated, ~generated):
        weights[one] /= max(weights[one].sum(), 1e-12)
    return np.asarray(weights / weights.mean())


def crossed(recipe: Recipe, items: Sequence[Labelled], features: np.ndarray, seed: int, watch: Watch) -> dict[str, float]:
    """AUROC and recalls on sources and generators left out in turn, of images as they are and in one other form.

    `features`: (N, views, D). Raises UsageError where so many folds cannot have both classes.
    """
    weights = weighed(items, recipe)
    places = np.array(folds(items, recipe.folds, seed, by="generator"))
    generated = np.array([item.generated for item in items])
    handmade = np.array([item.label == HANDMADE for item in items])
    odds = np.zeros((len(items), 2))
    for fold in range(recipe.folds):
        out = places == fold
        layers = fit(features[~out], generated[~out], handmade[~out], weights[~out], recipe, seed, watch)
        for view in range(min(2, recipe.views)):
            odds[out, view] = applied(layers, features[out, view])[:, 0]
    real = ~generated & ~handmade
    found = {}
    for view, word in enumerate(("native", "met")[: min(2, recipe.views)]):
        found[f"auroc_{word}"] = auroc(odds[real, view], odds[generated, view])
        for rate in (0.05, 0.01):
            limit = np.quantile(odds[real, view], 1 - rate)
            found[f"recall_{word}_{rate:g}"] = float(np.mean(odds[generated, view] > limit))
            if handmade.any():
                found[f"handmade_{word}_{rate:g}"] = float(np.mean(odds[handmade, view] > limit))
    return found


def _finished(folder: Path, record: dict[str, Any]) -> bool:
    """Whether what lies there is the result of the very same training."""
    try:
        kept = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return False
    same = isinstance(kept, dict) and all(kept.get(name) == value for name, value in record.items() if name != "command")
    return same and all((folder / name).is_file() for name in ("config.json", "model.safetensors"))
