"""What a trained classifier does on images it never saw: scores under a few conditions, and tables of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePath
from typing import Any

import numpy as np

from forensic_cli import __version__, images, transforms
from forensic_cli.classifier import Threshold
from forensic_cli.datasets import Labelled, content
from forensic_cli.datasets.labelled import HANDMADE
from forensic_cli.errors import ForensicError, TrainingError
from forensic_cli.features.networks import Network, pooled, run
from forensic_cli.features.windows import cut
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
RATES = (0.001, 0.01, 0.05, 0.1)
_TOLD = (0.01, 0.05)  # FPRs at which TPRs are told
_TOGETHER = 16


@dataclass(frozen=True)
class Measured:
    """What a network did on images from sources it never saw. `scores` are those of the images as they are."""

    thresholds: tuple[Threshold, ...]
    conditions: dict[str, dict[str, Any]]
    generators: list[dict[str, Any]]
    kinds: list[dict[str, Any]]
    zero_pixel: float | None
    items: Sequence[Labelled]
    scores: np.ndarray

    def to_json(self) -> dict[str, Any]:
        return {
            "thresholds": [asdict(one) for one in self.thresholds],
            "zero_pixel_auroc": self.zero_pixel,
            "conditions": self.conditions,
            "generators": self.generators,
            "kinds": self.kinds,
        }

    def profile(self, method: str, command: str, seed: int) -> Profile:
        """The scores of the photographs, from which a scan's verdicts are drawn; to lie beside the weights."""
        real, _ = _split(self.items, self.scores)
        use = MethodUse(method, "forensic-cli", __version__, {}, ())
        sources = sorted({self.items[one].source for one in real})
        return Profile(
            forensic=__version__,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command,
            seed=seed,
            device=None,
            dtype=None,
            photographs=Sample.of(list(_refs([self.items[one] for one in real])), 0, sources),
            generated=None,
            methods={method: Calibrated.of(use, np.round(self.scores[real], 4), beside=True)},
        )


def measure(network: Network, known: Sequence[Labelled], unseen: Sequence[Labelled]) -> Measured:
    """Everything a model card tells. `known` was trained on and serves the zero-pixel control alone.

    Raises TrainingError if no photograph, or no generated image, could be scored.
    """
    scores = {name: score(network, unseen, transform) for name, transform in CONDITIONS.items()}
    native = scores["native"]
    real, generated = _split(unseen, native)
    for some, words in ((real, "photographs"), (generated, "generated images")):
        if not len(some):
            raise TrainingError(f"none of the {words} held out could be read and scored, so nothing can be measured")
    limits = thresholds(native[real])
    control = zero_pixel(_outside(known), _outside([unseen[one] for one in (*real, *generated)]))
    return Measured(
        thresholds=limits,
        conditions={name: table(unseen, some, limits) for name, some in scores.items()},
        generators=by_generator(unseen, native),
        kinds=by_kind(unseen, native, limits),
        zero_pixel=None if np.isnan(control) else control,
        items=unseen,
        scores=native,
    )


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


def score(network: Network, items: Sequence[Labelled], transform: Transform = CONDITIONS["native"]) -> np.ndarray:
    """Log-odds of each image after `transform`, NaN where it cannot be read: (N,)."""
    found = np.full(len(items), np.nan)
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(items), _TOGETHER):
            loaded = list(pool.map(partial(_load, transform=transform), items[start : start + _TOGETHER]))
            several = [cut(image, network.classifier.look) for image in loaded if image is not None]
            odds, _ = run(network, [window.pixels for windows in several for window in windows])
            parts = np.split(odds, np.cumsum([len(windows) for windows in several])[:-1])
            places = [start + index for index, image in enumerate(loaded) if image is not None]
            for place, windows, part in zip(places, several, parts, strict=False):
                found[place] = pooled(windows, part)
    return found


def _load(item: Labelled, transform: Transform) -> np.ndarray | None:
    try:
        data = content(item)
        return transform(images.decode(data, images.probe(data)))
    except (ForensicError, NotAnImage, OSError):
        return None


def thresholds(photographs: np.ndarray) -> tuple[Threshold, ...]:
    """Where a share of the photographs lies above, for each rate that so many can show."""
    count = len(photographs)
    return tuple(Threshold(rate, ranking.threshold_at(photographs, rate), count) for rate in RATES if count * rate >= 1)


def table(items: Sequence[Labelled], scores: np.ndarray, limits: Sequence[Threshold]) -> dict[str, Any]:
    """AUROC, AP and TPR with intervals over whole sources; what was made by hand is left out.

    `over` is the share of photographs and of generated images above each threshold of the native images.
    """
    real, generated = _split(items, scores)
    found: dict[str, Any] = {}
    of = [Scored(scores[some], [items[index].source for index in some]) for some in (real, generated)]
    for name, one in bootstrap(of[0], {"": of[1]}, _TOLD)[""].items():
        found |= {name: one.value, f"{name}_interval": list(one.interval)}
    over = {f"{one.fpr:g}": [float(np.mean(scores[some] > one.score)) for some in (real, generated)] for one in limits}
    return found | {"n_real": len(real), "n_generated": len(generated), "over": over}


def by_generator(items: Sequence[Labelled], scores: np.ndarray) -> list[dict[str, Any]]:
    """AUROC against all photographs, and the share above the photographs' 5 % threshold, for each generator."""
    real, generated = _split(items, scores)
    limit = ranking.threshold_at(scores[real], 0.05)
    rows = []
    for name, some in shares.grouped((items[index].generator or items[index].source, index) for index in generated):
        hits = int((scores[some] > limit).sum())
        rows.append(
            {
                "generator": name,
                "n": len(some),
                "auroc": ranking.auroc(scores[real], scores[some]),
                "tpr_at_fpr_0.05": hits / len(some),
                "tpr_interval": list(clopper_pearson(hits, len(some))),
            }
        )
    return rows


def by_kind(items: Sequence[Labelled], scores: np.ndarray, limits: Sequence[Threshold]) -> list[dict[str, Any]]:
    """How many of each kind of picture that is not generated lie above each threshold."""
    others = [index for index, item in enumerate(items) if not item.generated and np.isfinite(scores[index])]
    return shares.over([items[index].kind for index in others], scores[others], {one.fpr: one.score for one in limits})


def _split(items: Sequence[Labelled], scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Photographs and generated images that have a score."""
    usable = np.isfinite(scores)
    generated = np.array([item.generated for item in items], bool)
    handmade = np.array([item.label == HANDMADE for item in items], bool)
    return np.flatnonzero(usable & ~generated & ~handmade), np.flatnonzero(usable & generated)
