"""100,000 scores to every measure with intervals, against scikit-learn in a loop over the same draws of whole sources.

Both draw the same sources and tell the same measures; scikit-learn's time for all draws is that of a few, multiplied.
`--scores N`, `--draws N` for a quick look.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping

import numpy as np
from common import tell
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score, roc_curve

from forensic_cli.statistics.performance import probabilities, right, squared_errors
from forensic_cli.statistics.resampling import MEASURED_AT, Estimate, Sourced, bootstrap

SOURCES, FEW, ROUNDS = 400, 4, 3


def ours(odds: np.ndarray, labels: np.ndarray, sources: np.ndarray, draws: int) -> Mapping[str, Estimate]:
    sides = []
    for side in (False, True):
        some = odds[labels == side]
        terms = {"accuracy": right(some, 0.0, side), "brier": squared_errors(probabilities(some), side)}
        sides.append(Sourced(some, sources[labels == side], terms))
    return bootstrap(sides[0], {"": sides[1]}, MEASURED_AT, draws)[""]


def theirs(odds: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    share = 1 / (1 + np.exp(-odds))
    fpr, tpr, _ = roc_curve(labels, odds, drop_intermediate=False)
    return {
        "auroc": float(roc_auc_score(labels, odds)),
        "ap": float(average_precision_score(labels, odds)),
        **{f"tpr_at_fpr_{rate:g}": float(tpr[fpr <= rate + 1e-12].max()) for rate in MEASURED_AT},
        "accuracy": float(np.mean((odds > 0) == labels)),
        "brier": float(brier_score_loss(labels, share)),
    }


def in_a_loop(odds: np.ndarray, labels: np.ndarray, sources: np.ndarray, draws: int) -> None:
    generator = np.random.default_rng(0)
    members = [
        [np.flatnonzero((sources == name) & (labels == side)) for name in set(sources[labels == side])] for side in (0, 1)
    ]
    for _ in range(draws):
        drawn = np.concatenate([of[one] for of in members for one in generator.integers(0, len(of), len(of))])
        theirs(odds[drawn], labels[drawn])


parser = argparse.ArgumentParser()
parser.add_argument("--scores", type=int, default=100_000)
parser.add_argument("--draws", type=int, default=1000)
options = parser.parse_args()

draw = np.random.default_rng(0)
labels = np.repeat([0, 1], options.scores // 2)
sources = draw.integers(0, SOURCES // 2, len(labels)) + labels * SOURCES
odds = draw.normal(2 * labels - 1, 1.5) + draw.normal(0, 0.5, 2 * SOURCES)[sources]

difference = max(abs(ours(odds, labels, sources, 1)[name].value - value) for name, value in theirs(odds, labels).items())
seconds, ratios = [], []
for number in range(ROUNDS):
    start = time.perf_counter()
    ours(odds, labels, sources, options.draws)
    seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    in_a_loop(odds, labels, sources, FEW)
    ratios.append((time.perf_counter() - start) / FEW * options.draws / seconds[-1])
    print(f"round {number + 1}: {seconds[-1]:.2f} s, {ratios[-1]:.0f}", file=sys.stderr)
tell(
    "all measures with intervals: scikit-learn in a loop / ours",
    ratio=round(statistics.median(ratios)),
    seconds=round(statistics.median(seconds), 2),
    scores=options.scores,
    draws=options.draws,
    largest_difference=difference,
)
