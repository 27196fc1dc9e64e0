"""From scores to an evaluation: duplicates out, controls, perhaps matched pairs, tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from forensic_cli.datasets import Dataset
from forensic_cli.datasets.duplicates import duplicates
from forensic_cli.datasets.labelled import HANDMADE
from forensic_cli.engine.evaluating.measuring.by_generator import rows
from forensic_cli.engine.evaluating.measuring.comparing import comparisons, kinds
from forensic_cli.engine.evaluating.measuring.controlling import controlled
from forensic_cli.engine.evaluating.measuring.results import Evaluation, Image
from forensic_cli.engine.evaluating.scoring import Scored
from forensic_cli.errors import UsageError
from forensic_cli.records import Json, Run
from forensic_cli.statistics.controls import Outside
from forensic_cli.statistics.matching import match

_FEWEST = 10  # matched pairs


@dataclass(frozen=True)
class Terms:
    """How to measure. `thresholds`: of accuracy_calibrated, by method, where a profile gives them."""

    units: Mapping[str, str]
    fpr: float = 0.05
    draws: int = 1000
    seed: int = 0
    matched: bool = False
    thresholds: Mapping[str, float] | None = None


def evaluated(
    dataset: Dataset, scored: Scored, run: Run, terms: Terms, recipe: Json | None
) -> tuple[Evaluation, list[str]]:
    """The evaluation, and lines that a person should read before its figures.

    Raises UsageError where a class has no image left.
    """
    doubles = duplicates([image.sha256 for image in scored.images], [image.label for image in scored.images])
    left_out = [*dataset.left_out, *scored.left_out, *doubles.left_out([image.path for image in scored.images])]
    pairs = doubles.paired(dataset.pairs, [image.source for image in scored.images])
    kept = np.array(doubles.kept, int)
    notes = [f"left out: {len(doubles.contradicting):,} images are labelled both photograph and generated"]
    notes = notes if doubles.contradicting else []
    if terms.matched:
        kept, note = _matched(kept, scored, pairs, terms.seed)
        notes.append(note)
    images = [scored.images[row] for row in kept]
    _check(images)
    scores = {pair: column[kept] for pair, column in scored.scores().items()}
    transforms = list(dict.fromkeys(transform for _, transform in scores))
    outsides = [_of_class(scored.outsides[row], images[place]) for place, row in enumerate(kept)]
    control = controlled([one for one in outsides if one], terms.seed)
    settings = {"draws": terms.draws, "seed": terms.seed}
    evaluation = Evaluation(
        run=run,
        images=images,
        transforms=transforms,
        scores=scores,
        units=terms.units,
        left_out=left_out,
        rows=rows(
            images, transforms, scores, terms.units, pairs=pairs, fpr=terms.fpr, thresholds=terms.thresholds, **settings
        ),
        controls=control,
        kinds=kinds(images, transforms, scores),
        comparisons=comparisons(images, transforms, scores, **settings),
        recipe=recipe,
    )
    return evaluation, [*notes, *(row["warning"] for row in control if row["warning"])]


def _matched(kept: np.ndarray, scored: Scored, pairs: Mapping[str, Sequence[str]], seed: int) -> tuple[np.ndarray, str]:
    """Pairs of both classes that are alike from the outside; pictures made by hand are in none.

    Where the data set pairs generators with photographs, both of a pair are of one such group.
    """
    usable = np.array([row for row in kept if scored.images[row].label != HANDMADE], int)
    group = {source: of[0] for of in pairs.values() for source in of}
    own = {generator: of[0] for generator, of in pairs.items() if of}
    images = [scored.images[row] for row in usable]
    groups = [own.get(one.generator, "") if one.generator else group.get(one.source, "") for one in images]
    found = match([scored.outsides[row] for row in usable], seed, groups)
    if len(found.pairs) < _FEWEST:
        raise UsageError(f"--match: {found}; {_FEWEST} pairs at least are needed to measure anything")
    return usable[found.indices], str(found)


def _of_class(outside: Outside, image: Image) -> Outside | None:
    return None if image.label == HANDMADE else outside


def _check(images: Sequence[Image]) -> None:
    labels = {image.label for image in images}
    for label, words in (("photograph", "photographs"), ("generated", "generated images")):
        if label not in labels:
            raise UsageError(f"no {words} are left that could be read and are not duplicates: nothing can be measured")
