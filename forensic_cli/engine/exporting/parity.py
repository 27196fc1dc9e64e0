"""How far the scores of an exported graph lie from those of the torch module it was made of, on real pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import torch
from scipy.special import expit
from scipy.stats import spearmanr

from forensic_cli.engine.exporting.pictures import Pictures
from forensic_cli.errors import UsageError
from forensic_cli.features.networks import pooled

BATCHES = (1, 2, 7, 32)
_DIGITS = 4  # of a log-odds, that make a difference to its rank
_FEW = 28  # crops at the batch sizes before the last, which gets all of them


@dataclass(frozen=True)
class Agreement:
    """How far one graph is from torch at one batch size."""

    precision: str
    batch: int
    crops: int
    odds_max: float
    """The largest difference in log-odds."""
    odds_mean: float
    probability_max: float
    probability_mean: float
    rank: float | None
    """Spearman's correlation of the scores; None where all of them are equal."""


@dataclass(frozen=True)
class Crossing:
    """What the change of the scores does at one threshold."""

    precision: str
    fpr: float
    threshold: float
    changed: float
    """The share of pictures that were below it and are above it now, or the other way round."""
    same_quantile: float | None
    """The threshold moved as far as the lowest score above it has moved; None where no picture, or every one, is above."""


def by_torch(module: torch.nn.Module, crops: Sequence[np.ndarray]) -> np.ndarray:
    """Log-odds of each crop alone, (M,)."""
    with torch.inference_mode():
        return np.concatenate([module(torch.from_numpy(crop[None]))[0].float().numpy() for crop in crops])


def by_graph(graph: onnx.ModelProto, crops: Sequence[np.ndarray], batch: int) -> np.ndarray:
    """Log-odds of crops in batches of exactly `batch`: where there are too few of one size, they come again."""
    running = runner(graph)
    odds = np.zeros(len(crops), np.float32)
    for indices in _alike(crops):
        for start in range(0, len(indices), batch):
            some = indices[start : start + batch]
            full = np.stack([crops[index] for index in np.resize(some, batch)])
            odds[some] = running.run(["score"], {"crops": full})[0][: len(some)]
    return odds


def runner(graph: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Runs on the CPU and says nothing. Raises UsageError."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others may want the cores
    try:
        return onnxruntime.InferenceSession(graph.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no base
        raise UsageError(f"ONNX Runtime cannot run what was exported: {' '.join(str(error).split())}") from error


def _alike(crops: Sequence[np.ndarray]) -> Iterator[list[int]]:
    """The indices of the crops of each size."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, crop in enumerate(crops):
        groups.setdefault(crop.shape, []).append(index)
    yield from groups.values()


def compare(
    graph: onnx.ModelProto, precision: str, truth: np.ndarray, crops: Sequence[np.ndarray]
) -> tuple[list[Agreement], np.ndarray]:
    """One Agreement for each batch size, and the log-odds of all crops. Raises UsageError for a score that is no number."""
    rows = []
    for batch in BATCHES:
        count = len(crops) if batch == BATCHES[-1] else min(_FEW, len(crops))
        odds = by_graph(graph, crops[:count], batch)
        if not np.isfinite(odds).all():
            raise UsageError(f"as {precision} the network gives scores that are no numbers: choose another --precision")
        rows.append(_agreement(precision, batch, truth[:count].astype(np.float64), odds.astype(np.float64)))
    return rows, odds


def _agreement(precision: str, batch: int, old: np.ndarray, new: np.ndarray) -> Agreement:
    odds = np.abs(new - old)
    chance = np.abs(expit(new) - expit(old))
    return Agreement(
        precision,
        batch,
        len(old),
        odds_max=float(odds.max()),
        odds_mean=float(odds.mean()),
        probability_max=float(chance.max()),
        probability_mean=float(chance.mean()),
        rank=_rank_correlation(old, new),
    )


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Scores that differ by rounding alone share a rank."""
    first, second = one.round(_DIGITS), other.round(_DIGITS)
    return None if min(np.ptp(first), np.ptp(second)) == 0 else float(spearmanr(first, second).statistic)


def crossings(
    precision: str, thresholds: Mapping[float, float], pictures: Pictures, truth: np.ndarray, odds: np.ndarray
) -> list[Crossing]:
    """What becomes of each threshold, with the scores pooled over each picture's crops as a scan does."""
    old, new = (_pictured(pictures, values) for values in (truth, odds))
    found = []
    for rate, limit in thresholds.items():
        over = int((old >= limit).sum())
        same = None if over in (0, len(old)) else float(limit + np.sort(new)[-over] - np.sort(old)[-over])
        changed = float(((old >= limit) != (new >= limit)).mean())
        found.append(Crossing(precision, rate, limit, changed, same))
    return found


def _pictured(pictures: Pictures, odds: np.ndarray) -> np.ndarray:
    ends = np.cumsum([len(several) for several in pictures.windows])
    return np.array([pooled(*pair) for pair in zip(pictures.windows, np.split(odds, ends[:-1]), strict=True)])
