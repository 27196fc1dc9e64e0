"""The scores that the figures show: of one transform, sorted by what the images are."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from forensic_cli.datasets.labelled import GENERATED, HANDMADE, PHOTOGRAPH
from forensic_cli.engine.evaluating.measuring.results import Evaluation
from forensic_cli.engine.evaluating.tables.tables import base, methods

CLASSES = (PHOTOGRAPH, HANDMADE, GENERATED)


class MethodScores(NamedTuple):
    """One method's scores, absent ones left out, and of each image whether it is generated or handmade, and its source."""

    method: str
    unit: str
    scores: np.ndarray
    generated: np.ndarray
    handmade: np.ndarray
    sources: np.ndarray

    @property
    def both(self) -> tuple[np.ndarray, np.ndarray]:
        """Scores of photographs and of generated images; pictures made by hand are in neither class."""
        return self.scores[self.photographs], self.scores[self.generated]

    @property
    def photographs(self) -> np.ndarray:
        return np.asarray(~self.generated & ~self.handmade)

    @property
    def complete(self) -> bool:
        """Whether both classes are there, without which nothing can be compared."""
        return bool(self.generated.any() and self.photographs.any())


def samples(evaluation: Evaluation) -> list[MethodScores]:
    """One per method that has a score at all, on images as they are (or under the first transform, if never so)."""
    labels = np.array([CLASSES.index(image.label) for image in evaluation.images], np.int8)
    sources = np.array([image.source for image in evaluation.images], object)
    return list(_samples(evaluation, labels, sources))


def _samples(evaluation: Evaluation, labels: np.ndarray, sources: np.ndarray) -> Iterator[MethodScores]:
    transform = base(evaluation)
    for name in methods(evaluation):
        scores = evaluation.scores.get((name, transform))
        if scores is None or not np.isfinite(scores).any():
            continue
        there = np.isfinite(scores)
        kept = labels[there]
        unit = evaluation.units.get(name, "")
        generated, handmade = (kept == CLASSES.index(label) for label in (GENERATED, HANDMADE))
        yield MethodScores(name, unit, scores[there], generated, handmade, sources[there])
