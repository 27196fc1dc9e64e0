"""Methods against each other on the images that both scored, and who is wrongly flagged."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from forensic_cli.datasets.labelled import GENERATED
from forensic_cli.engine.evaluating.measuring.cast import Cast, judge
from forensic_cli.engine.evaluating.measuring.results import Image
from forensic_cli.records import Json
from forensic_cli.statistics import delong, shares
from forensic_cli.statistics.intervals import percentiles
from forensic_cli.statistics.ranking import threshold_at
from forensic_cli.statistics.resampling import Sourced, bootstrap

Scores = Mapping[tuple[str, str], np.ndarray]


def comparisons(
    images: Sequence[Image], transforms: Sequence[str], scores: Scores, *, draws: int = 1000, seed: int = 0
) -> list[Json]:
    """Every pair of methods under each transform: AUROCs of all generated images against all photographs.

    "difference" is `method` less `other`; its "interval" and "p_value" are DeLong's, which take images as independent;
    "interval_sources" draws whole sources anew, the same for both. None where they cannot be told. A pair without an
    image of each class that both scored has no row.
    """
    cast = Cast(images)
    found = []
    for transform in transforms:
        drawn: dict[tuple[str, bytes], np.ndarray] = {}
        for pair in combinations(dict.fromkeys(name for name, _ in scores if (name, transform) in scores), 2):
            values = [scores[name, transform] for name in pair]
            usable = ~np.isnan(values[0] + values[1])
            sides = [some[usable[some]] for some in (cast.real, cast.generated)]
            if not all(map(len, sides)):
                continue
            for name, some in zip(pair, values, strict=True):
                if (name, usable.tobytes()) not in drawn:
                    drawn[name, usable.tobytes()] = _drawn(cast, some, sides, draws, seed)
            first, second = ((some[sides[0]], some[sides[1]]) for some in values)
            one = delong.compare(first, second)
            differences = drawn[pair[0], usable.tobytes()] - drawn[pair[1], usable.tobytes()]
            found.append(
                {
                    **{"transform": transform, "method": pair[0], "other": pair[1]},
                    **{"n_real": len(sides[0]), "n_generated": len(sides[1])},
                    **{"auroc": one.first, "auroc_other": one.second, "difference": one.value},
                    "interval": list(one.interval) if one.interval else None,
                    "p_value": one.p_value,
                    "interval_sources": list(percentiles(differences)) if np.ptp(differences) > 1e-12 else None,
                }
            )
    return found


def _drawn(cast: Cast, scores: np.ndarray, sides: Sequence[np.ndarray], draws: int, seed: int) -> np.ndarray:
    real, generated = (Sourced(scores[some], cast.sources[some]) for some in sides)
    return bootstrap(real, {"": generated}, (), draws, seed)[""]["auroc"].drawn


def kinds(
    images: Sequence[Image],
    transforms: Sequence[str],
    scores: Scores,
    *,
    thresholds: Mapping[str, Mapping[float, float]] | None = None,
    rates: Sequence[float] = (0.01, 0.05),
) -> list[Json]:
    """How often each kind of picture that is not generated lies above the thresholds, with exact intervals.

    Keys: "method", "transform", and those of `shares.over`. `thresholds`: by method and rate; else those of all
    photographs as they are, so that the kinds share what their rate allows. A rate that so few photographs cannot show
    is left out.
    """
    real = Cast(images).real
    others = np.array([index for index, one in enumerate(images) if one.label != GENERATED], int)
    found = []
    for method, transform in ((name, one) for name in dict.fromkeys(name for name, _ in scores) for one in transforms):
        if (method, transform) not in scores:
            continue
        values = scores[method, transform]
        some = others[~np.isnan(values[others])]
        limits = (thresholds or {}).get(method) or _limits(judge(scores, method, transform)[real], rates)
        for row in shares.over([images[index].kind for index in some.tolist()], values[some], limits):
            found.append({"method": method, "transform": transform, **row})
    return found


def _limits(photographs: np.ndarray, rates: Sequence[float]) -> dict[float, float]:
    known = photographs[~np.isnan(photographs)]
    return {rate: threshold_at(known, rate) for rate in rates if len(known) * rate >= 1}
