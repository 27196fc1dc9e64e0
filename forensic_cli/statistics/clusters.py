"""How many independent photographs a calibration is worth whose photographs come in sources.

Photographs of one camera, site or photographer resemble each other, so that 500 of 40 sources tell less of a 41st than 500
of 500. Sample surveys count so (Kish 1965; Korn and Graubard 1998): n photographs are worth n / deff independent ones, with
deff = 1 + (m - 1) rho, m the mean size of a photograph's source and rho the correlation within sources. Intervals are then
those of Clopper and Pearson with as many.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_HIGHEST = (0.2, 0.1)
"""Shares of the highest scores at which the correlation of "is among them" is taken. Nearer to the thresholds too few
photographs lie above to tell; there the correlation is smaller rather than larger."""


def worth(scores: np.ndarray, sources: Sequence[object]) -> float:
    """Independent photographs for each of these, in (0, 1]: 1 where sources do not matter, or where there is one alone.

    `scores` and `sources` in the same order. Raises ValueError if they differ in number.
    """
    values = np.asarray(scores, float)
    if len(values) != len(sources):
        raise ValueError(f"{len(values)} scores have {len(sources)} sources")
    _, place = np.unique([str(one) for one in sources], return_inverse=True) if len(values) else (None, np.zeros(0, int))
    sizes = np.bincount(place)
    if len(sizes) < 2 or sizes.max() < 2:
        return 1.0
    limits = np.quantile(values, [1 - share for share in _HIGHEST])
    within = max(0.0, float(np.mean([correlation(values > limit, place) for limit in limits])))
    mean_size = float((sizes**2).sum() / sizes.sum())
    return 1 / (1 + (mean_size - 1) * within)


def correlation(values: np.ndarray, place: np.ndarray) -> float:
    """Intraclass correlation of `values` in the groups that `place` numbers from 0: the estimate by analysis of variance.

    0 where nothing varies. Donner (1986), for groups of different sizes.
    """
    numbers = np.asarray(values, float)
    sizes = np.bincount(place)
    total, groups = len(numbers), len(sizes)
    if groups < 2 or total <= groups or np.ptp(numbers) == 0:
        return 0.0
    means = np.bincount(place, numbers) / sizes
    between = float((sizes * (means - numbers.mean()) ** 2).sum() / (groups - 1))
    inside = float(((numbers - means[place]) ** 2).sum() / (total - groups))
    size = (total - (sizes**2).sum() / total) / (groups - 1)
    whole = between + (size - 1) * inside
    return (between - inside) / whole if whole > 0 else 0.0
