"""Who is measured against whom: photographs and generated images of an evaluation, by generator."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from forensic_cli.datasets.labelled import GENERATED, PHOTOGRAPH
from forensic_cli.engine.evaluating.measuring.results import NONE, Image
from forensic_cli.statistics.ranking import threshold_at
from forensic_cli.statistics.splitting import folds


@dataclass(frozen=True)
class Group:
    """One row's images: indices of photographs and of generated images.

    `partners`: the sources of these photographs, alike for all groups that share them; none means that they are all.
    """

    name: str
    real: np.ndarray
    generated: np.ndarray
    partners: tuple[str, ...] = ()


class Cast:
    """The images of an evaluation as arrays. Pictures made by hand are in neither class.

    `pairs`: of a generator the sources of its photographs, where the data set says so (`Dataset.pairs`).
    """

    def __init__(self, images: Sequence[Image], pairs: Mapping[str, Sequence[str]] | None = None) -> None:
        labels = np.array([one.label for one in images], object)
        self.real = np.flatnonzero(labels == PHOTOGRAPH)
        self.generated = np.flatnonzero(labels == GENERATED)
        _, self.sources = np.unique([one.source for one in images] or [""], return_inverse=True)  # numbers for names
        self._parts = [
            folds([images[index].source for index in self.real.tolist()], 2),
            folds([images[index].sha256 for index in self.real.tolist()], 2),
        ]
        self.groups = list(self._grouped(images, pairs or {}))

    def _grouped(self, images: Sequence[Image], pairs: Mapping[str, Sequence[str]]) -> Iterator[Group]:
        """One for each generator, by name."""
        photographs: dict[str, list[int]] = {}
        for index in self.real.tolist():
            photographs.setdefault(images[index].source, []).append(index)
        names: dict[str, list[int]] = {}
        for index in self.generated.tolist():
            names.setdefault(images[index].generator or images[index].source, []).append(index)
        for name, some in sorted(names.items()):
            partners = tuple(one for one in sorted({*pairs.get(name, (name,))}) if one in photographs)
            own = [index for one in partners for index in photographs[one]]
            yield Group(name, np.array(sorted(own)) if own else self.real, np.array(some), partners)

    def flagged(self, scores: np.ndarray, judge: np.ndarray, fpr: float) -> np.ndarray | None:
        """How often each image lies above a threshold at `fpr` set on photographs of which it is none: (N,).

        `judge` holds the scores by which thresholds are set, on each of two halves of the photographs that share no
        source; a photograph is judged by the other half's, all else counts with the mean of both. Where a half by source
        would hold too few photographs for the rate, the photographs are halved one by one, by digest; where that is too
        few as well, there is no answer.
        """
        for parts in self._parts:
            halves = [judge[self.real[parts == part]] for part in (0, 1)]
            halves = [half[np.isfinite(half)] for half in halves]
            if all(len(half) * fpr >= 1 for half in halves):
                above = np.stack([scores > threshold_at(half, fpr) for half in halves]).astype(float)
                found = above.mean(axis=0)
                found[self.real] = above[1 - parts, self.real]
                return np.asarray(found, float)
        return None


def judge(scores: Mapping[tuple[str, str], np.ndarray], method: str, transform: str) -> np.ndarray:
    """The scores by which thresholds are set: those of the images as they are, else those of this transform."""
    return scores.get((method, NONE), scores[method, transform])
