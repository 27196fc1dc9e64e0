"""What a trained detector does on images it never saw: scores under a few conditions, and tables of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from forensic_cli import __version__, images
from forensic_cli.datasets import Labelled, content
from forensic_cli.datasets.families import family
from forensic_cli.datasets.labelled import GENERATED, HANDMADE, PHOTOGRAPH
from forensic_cli.datasets.outsides import outside
from forensic_cli.detector import Session
from forensic_cli.engine import devices
from forensic_cli.engine.evaluating.measuring.results import NONE, Image
from forensic_cli.engine.evaluating.scoring import score
from forensic_cli.engine.methods import Method
from forensic_cli.engine.watching import Watch
from forensic_cli.engine.work import Ready
from forensic_cli.errors import ForensicError, TrainingError
from forensic_cli.profiles import Calibrated, Collection, Profile
from forensic_cli.records import ImageRef
from forensic_cli.statistics import ranking, shares
from forensic_cli.statistics.controls import Outside, zero_pixel
from forensic_cli.statistics.intervals import clopper_pearson
from forensic_cli.statistics.resampling import Sourced, bootstrap
from forensic_cli.store import NoStore
from forensic_cli.transforms import parse

CONDITIONS = {"native": NONE, "jpeg:90": "jpeg:90", "jpeg:70": "jpeg:70", "halved, jpeg:85": "halve+jpeg:85"}
"""What the held-out images are measured under, and the transform that does it."""

SCHEMA = "forensic/measured/2"
Items = Sequence[Labelled | Image]
_TOLD = (0.01, 0.05)  # FPRs at which TPRs are told


@dataclass(frozen=True)
class Measured:
    """What a detector did on images from sources it never saw. `scores`: of the images as they are, (N,).

    `calibrated`: what the photographs among them scored, by which a scan draws its verdicts.
    """

    calibrated: Calibrated
    conditions: dict[str, dict[str, Any]]
    families: list[dict[str, Any]]
    generators: list[dict[str, Any]]
    kinds: list[dict[str, Any]]
    zero_pixel: float | None
    items: Sequence[Image]
    scores: np.ndarray

    def to_json(self) -> dict[str, Any]:
        known = self.calibrated
        return {
            "schema": SCHEMA,
            "photographs": {"number": len(known.photographs), "sources": known.sources, "worth": known.worth},
            "thresholds": {f"{rate:g}": score for rate, score in known.verdict_thresholds.items()},
            "zero_pixel_auroc": self.zero_pixel,
            "conditions": self.conditions,
            "families": self.families,
            "generators": self.generators,
            "kinds": self.kinds,
        }

    def profile(self, method: str, command: str, seed: int) -> Profile:
        """The scores of the photographs, to lie beside the weights."""
        photographs, generated = ([self.items[one] for one in some] for some in _split(self.items, self.scores))
        return Profile(
            forensic=__version__,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command,
            seed=seed,
            device=None,
            dtype=None,
            photographs=_collection(photographs),
            generated=_collection(generated) if generated else None,
            methods={method: self.calibrated},
        )


def _collection(items: Sequence[Image]) -> Collection:
    refs = [ImageRef(one.path, one.sha256, one.bytes, one.format, one.width, one.height) for one in items]
    return Collection.of(refs, 0, sorted({one.source for one in items}))


def measure(
    method: Method, session: Session, known: Sequence[Labelled], unseen: Sequence[Labelled], watch: Watch
) -> Measured:
    """Everything a model card tells. `known` was trained on and serves the zero-pixel control alone.

    `watch` is told what could not be scored. Where `unseen` has no generated image the calibration is all that can be told.
    Raises TrainingError if no photograph, or none of its generated images, could be scored.
    """
    scored = score(unseen, _ready(method, session), watch)
    watch.tell_left_out(scored.left_out)
    items = scored.images
    scores = {name: np.asarray(scored.columns[method.name, one], float) for name, one in CONDITIONS.items()}
    unlike = {name: np.asarray(scored.unlike[method.name, one], float) for name, one in CONDITIONS.items()}
    native = scores["native"]
    parts = _split(items, native)
    finds = any(item.generated for item in unseen)
    for some, words in zip(parts, ("photographs", "generated images"), strict=True):
        if not len(some) and (finds or some is parts[0]):
            raise TrainingError(f"none of the {words} held out could be read and scored, so nothing can be measured")
    tells = not np.isnan(unlike["native"]).all()
    strange = [np.round(unlike["native"][some], 4).tolist() if tells else None for some in parts]
    calibrated = Calibrated.of(
        method.use,
        np.round(native[parts[0]], 4),
        np.round(native[parts[1]], 4) if finds else None,
        beside=True,
        sources=[items[one].source for one in parts[0]],
        unlike=strange[0],
        generated_unlike=strange[1] if finds else None,
    )
    limits = calibrated.verdict_thresholds
    if not finds:
        return Measured(calibrated, {}, [], [], [], None, items, native)
    judged = {name: _judged(some, unlike[name], calibrated) for name, some in scores.items()}
    control = zero_pixel(_outsides(known), [scored.outsides[one] for some in parts for one in some])
    return Measured(
        calibrated=calibrated,
        conditions={name: table(items, some, judged[name], limits) for name, some in scores.items()},
        families=by_generator(items, native, judged["native"], limits, "family", family),
        generators=by_generator(items, native, judged["native"], limits),
        kinds=by_kind(items, judged["native"], limits),
        zero_pixel=None if np.isnan(control) else control,
        items=items,
        scores=native,
    )


def _ready(method: Method, session: Session) -> Ready:
    """The method alone, and nothing is kept: the next training has other weights."""
    size, workers = devices.batch_size(session.device), os.cpu_count() or 1
    transforms = [parse(one) for one in CONDITIONS.values() if one != NONE]
    return Ready([method], session, devices.torch_runtime(session.device), NoStore(), size, workers, transforms)


def _judged(scores: np.ndarray, unlike: np.ndarray, calibrated: Calibrated) -> np.ndarray:
    """The scores as verdicts take them: what is unlike photographs is never called generated, however high it scores."""
    strange = np.array([calibrated.stranger(None if np.isnan(one) else float(one)) for one in unlike], bool)
    return np.where(strange & np.isfinite(scores), -np.inf, scores)


def _outsides(items: Sequence[Labelled]) -> list[Outside]:
    """What those that can be read look like from outside; pictures made by hand are left out."""
    found = []
    for item in items:
        with suppress(ForensicError, images.NotAnImage, OSError):
            found += [] if item.label == HANDMADE else [outside(item, content(item))]
    return found


def table(items: Items, scores: np.ndarray, judged: np.ndarray, limits: Mapping[float, float]) -> dict[str, Any]:
    """AUROC, AP and TPR with intervals over whole sources; what was made by hand is left out.

    `over` is the share of photographs and of generated images that a scan calls generated, at each rate in `limits`, by the
    scores as they are `judged`.
    """
    real, generated = _split(items, scores)
    found: dict[str, Any] = {}
    of = [Sourced(scores[some], [items[index].source for index in some]) for some in (real, generated)]
    for name, one in bootstrap(of[0], {"": of[1]}, _TOLD)[""].items():
        found |= {name: one.value, f"{name}_interval": list(one.interval)}
    over = {
        f"{rate:g}": [float(np.mean(judged[some] > limit)) for some in (real, generated)] for rate, limit in limits.items()
    }
    return found | {"n_real": len(real), "n_generated": len(generated), "over": over}


def by_generator(
    items: Items,
    scores: np.ndarray,
    judged: np.ndarray,
    limits: Mapping[float, float],
    word: str = "generator",
    name: Callable[[str], str] = str,
) -> list[dict[str, Any]]:
    """AUROC against all photographs for each generator, and the share that a scan calls generated at each rate.

    `name` makes of a generator what it is grouped by, which the rows call `word`.
    """
    real, generated = _split(items, scores)
    rows = []
    named = ((name(items[index].generator or items[index].source), index) for index in generated)
    for group, some in shares.grouped(named):
        row = {word: group, "n": len(some), "auroc": ranking.auroc(scores[real], scores[some])}
        for rate, limit in limits.items():
            hits = int((judged[some] > limit).sum())
            row |= {f"over_{rate:g}": hits / len(some), f"over_{rate:g}_interval": list(clopper_pearson(hits, len(some)))}
        rows.append(row)
    return rows


def by_kind(items: Items, judged: np.ndarray, limits: Mapping[float, float]) -> list[dict[str, Any]]:
    """How many of each kind of picture that is not generated a scan calls so, at each rate."""
    others = [index for index, item in enumerate(items) if item.label != GENERATED and not np.isnan(judged[index])]
    return shares.over([items[index].kind for index in others], judged[others], dict(limits))


def _split(items: Items, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Photographs and generated images that have a score."""
    usable = np.isfinite(scores)
    real, generated = (np.array([one.label == label for one in items], bool) for label in (PHOTOGRAPH, GENERATED))
    return np.flatnonzero(usable & real), np.flatnonzero(usable & generated)
