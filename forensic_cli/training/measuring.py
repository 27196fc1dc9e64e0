"""What a trained detector does on images it never saw: scores under a few conditions, and tables of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePath
from typing import Any

import numpy as np

from forensic_cli import __version__, images, transforms
from forensic_cli.datasets import Labelled, content
from forensic_cli.datasets.families import family
from forensic_cli.datasets.labelled import HANDMADE
from forensic_cli.detector import Batch, Detector
from forensic_cli.errors import ForensicError, TrainingError
from forensic_cli.formats import NotAnImage
from forensic_cli.profiles import Calibrated, Profile, Sample
from forensic_cli.records import ImageRef, MethodUse
from forensic_cli.statistics import ranking, shares
from forensic_cli.statistics.controls import Outside, zero_pixel
from forensic_cli.statistics.intervals import clopper_pearson
from forensic_cli.statistics.resampling import Scored, bootstrap

Transform = Callable[[np.ndarray], np.ndarray]

CONDITIONS: dict[str, Transform] = {
    "native": lambda image: image,
    "jpeg:90": partial(transforms.jpeg, quality=90),
    "jpeg:70": partial(transforms.jpeg, quality=70),
    "halved, jpeg:85": lambda image: transforms.jpeg(transforms.halve(image), 85),
}
SCHEMA = "forensic/measured/2"
_TOLD = (0.01, 0.05)  # FPRs at which TPRs are told
_TOGETHER = 16


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
    items: Sequence[Labelled]
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
            photographs=Sample.of(_refs(photographs), 0, sorted({item.source for item in photographs})),
            generated=Sample.of(_refs(generated), 0, sorted({item.source for item in generated})),
            methods={method: self.calibrated},
        )


def measure(detector: Detector, use: MethodUse, known: Sequence[Labelled], unseen: Sequence[Labelled]) -> Measured:
    """Everything a model card tells. `known` was trained on and serves the zero-pixel control alone.

    Raises TrainingError if no photograph, or no generated image, could be scored.
    """
    scored = {name: score(detector, unseen, transform) for name, transform in CONDITIONS.items()}
    native, unlike = scored["native"]
    real, generated = _split(unseen, native)
    for some, words in ((real, "photographs"), (generated, "generated images")):
        if not len(some):
            raise TrainingError(f"none of the {words} held out could be read and scored, so nothing can be measured")
    calibrated = Calibrated.of(
        use,
        np.round(native[real], 4),
        np.round(native[generated], 4),
        beside=True,
        sources=[unseen[one].source for one in real],
        unlike=None if unlike is None else np.round(unlike[real], 4).tolist(),
        generated_unlike=None if unlike is None else np.round(unlike[generated], 4).tolist(),
    )
    limits = calibrated.verdict_thresholds
    judged = {name: _judged(some, how, calibrated) for name, (some, how) in scored.items()}
    control = zero_pixel(_outside(known), _outside([unseen[one] for one in (*real, *generated)]))
    return Measured(
        calibrated=calibrated,
        conditions={name: table(unseen, some, judged[name], limits) for name, (some, _) in scored.items()},
        families=by_generator(unseen, native, judged["native"], limits, "family", family),
        generators=by_generator(unseen, native, judged["native"], limits),
        kinds=by_kind(unseen, judged["native"], limits),
        zero_pixel=None if np.isnan(control) else control,
        items=unseen,
        scores=native,
    )


def _judged(scores: np.ndarray, unlike: np.ndarray | None, calibrated: Calibrated) -> np.ndarray:
    """The scores as verdicts take them: what is unlike photographs is never called generated, however high it scores."""
    if unlike is None:
        return scores
    strange = np.array([calibrated.stranger(None if np.isnan(one) else float(one)) for one in unlike], bool)
    return np.where(strange & np.isfinite(scores), -np.inf, scores)


def _outside(items: Sequence[Labelled]) -> list[Outside]:
    """Suffix, size and weight of the photographs and generated images that can be read."""
    found = []
    for item in items:
        if item.label == HANDMADE:
            continue
        try:
            data = content(item)
            header = images.probe(data)
        except (ForensicError, NotAnImage, OSError):
            continue
        suffix = PurePath(item.path).suffix.lower()
        found.append(Outside(suffix, header.width, header.height, len(data), item.generated))
    return found


def _refs(items: Iterable[Labelled]) -> Iterator[ImageRef]:
    for item in items:
        data = content(item)
        header = images.probe(data)
        yield ImageRef(item.path, images.digest(data), len(data), header.format, header.width, header.height)


def score(
    detector: Detector, items: Sequence[Labelled], transform: Transform = CONDITIONS["native"]
) -> tuple[np.ndarray, np.ndarray | None]:
    """The score of each image after `transform`, and how unlike a photograph it is if the detector tells: (N,) each.

    NaN where it cannot be read.
    """
    found, unlike = np.full(len(items), np.nan), np.full(len(items), np.nan)
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(items), _TOGETHER):
            loaded = list(pool.map(partial(_load, transform=transform), items[start : start + _TOGETHER]))
            places = [start + index for index, one in enumerate(loaded) if one is not None]
            pairs = [one for one in loaded if one is not None]
            if not pairs:
                continue
            batch = Batch(detector.session, [ref for ref, _ in pairs], [image for _, image in pairs])
            for place, finding in zip(places, detector.examine(batch), strict=True):
                found[place] = np.nan if finding.score is None else finding.score
                unlike[place] = np.nan if finding.unlike is None else finding.unlike
    return found, None if np.isnan(unlike).all() else unlike


def _load(item: Labelled, transform: Transform) -> tuple[ImageRef, np.ndarray] | None:
    try:
        data = content(item)
        header = images.probe(data)
        image = transform(images.decode(data, header))
    except (ForensicError, NotAnImage, OSError):
        return None
    height, width = image.shape[:2]
    return ImageRef(item.path, images.digest(data), len(data), header.format, width, height), image


def table(
    items: Sequence[Labelled], scores: np.ndarray, judged: np.ndarray, limits: Mapping[float, float]
) -> dict[str, Any]:
    """AUROC, AP and TPR with intervals over whole sources; what was made by hand is left out.

    `over` is the share of photographs and of generated images that a scan calls generated, at each rate in `limits`, by the
    scores as they are `judged`.
    """
    real, generated = _split(items, scores)
    found: dict[str, Any] = {}
    of = [Scored(scores[some], [items[index].source for index in some]) for some in (real, generated)]
    for name, one in bootstrap(of[0], {"": of[1]}, _TOLD)[""].items():
        found |= {name: one.value, f"{name}_interval": list(one.interval)}
    over = {
        f"{rate:g}": [float(np.mean(judged[some] > limit)) for some in (real, generated)] for rate, limit in limits.items()
    }
    return found | {"n_real": len(real), "n_generated": len(generated), "over": over}


def by_generator(
    items: Sequence[Labelled],
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


def by_kind(items: Sequence[Labelled], judged: np.ndarray, limits: Mapping[float, float]) -> list[dict[str, Any]]:
    """How many of each kind of picture that is not generated a scan calls so, at each rate."""
    others = [index for index, item in enumerate(items) if not item.generated and not np.isnan(judged[index])]
    return shares.over([items[index].kind for index in others], judged[others], dict(limits))


def _split(items: Sequence[Labelled], scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Photographs and generated images that have a score."""
    usable = np.isfinite(scores)
    generated = np.array([item.generated for item in items], bool)
    handmade = np.array([item.label == HANDMADE for item in items], bool)
    return np.flatnonzero(usable & ~generated & ~handmade), np.flatnonzero(usable & generated)
