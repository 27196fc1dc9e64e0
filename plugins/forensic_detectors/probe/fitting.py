"""The layers of a probe, fitted to features: logistic regression, a linear SVM, or one hidden layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from torch import nn

from forensic_cli.training.job import Watch
from forensic_detectors.probe.head import Layers, folded
from forensic_detectors.probe.recipes import Recipe

_BATCH = 128
_HAND = 0.5  # weight of the second answer's loss


def fit(
    features: np.ndarray,
    generated: np.ndarray,
    handmade: np.ndarray,
    weights: np.ndarray,
    recipe: Recipe,
    seed: int,
    watch: Watch,
) -> Layers:
    """Layers with two outputs, log-odds of "generated" and of "made by hand", on features as they come.

    `features`: (N, views, D), the first view is the image as it is. `weights`: (N,). Depends on these and the seed alone.
    """
    flat = features.reshape(-1, features.shape[-1])
    mean, std = flat.mean(axis=0, dtype=np.float64), flat.std(axis=0, dtype=np.float64) + 1e-6
    scaled = ((features - mean) / std).astype(np.float32)
    targets = np.stack([generated, handmade], axis=1).astype(np.float32)
    if recipe.head == "mlp":
        members = [_hidden(scaled, targets, weights, recipe, seed + one, watch) for one in range(recipe.members)]
        layers = _side_by_side(members)
        if recipe.linear:
            layers = _joined(layers, _single(scaled[:, :1], targets, weights, recipe), recipe.linear)
    else:
        layers = (_single(scaled, targets, weights, recipe),)
    return folded(layers, mean, std)


def chances(views: int, native: float) -> np.ndarray:
    """How often each view is shown: the first `native` of the time, the others the rest between them."""
    return np.array([native, *[(1 - native) / (views - 1)] * (views - 1)] if views > 1 else [1.0])


def _hidden(
    scaled: np.ndarray, targets: np.ndarray, weights: np.ndarray, recipe: Recipe, seed: int, watch: Watch
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """One training of a hidden layer, AdamW with one cycle of the learning rate, on balanced draws."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed % (1 << 63))
        network = nn.Sequential(
            nn.Dropout(0.1),
            nn.Linear(scaled.shape[-1], recipe.hidden),
            nn.ReLU(),
            nn.Dropout(recipe.dropout),
            nn.Linear(recipe.hidden, 2),
        )
        optimizer = torch.optim.AdamW(network.parameters(), recipe.lr, weight_decay=recipe.decay)
        steps = max(10, recipe.epochs * len(scaled) // (_BATCH // 2))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, total_steps=steps)
        rows, views = torch.from_numpy(weights), torch.from_numpy(chances(scaled.shape[1], recipe.native))
        answers = torch.from_numpy(targets) * (1 - recipe.smoothing) + recipe.smoothing / 2
        pixels = torch.from_numpy(scaled)
        for step in range(steps):
            row = torch.multinomial(rows, _BATCH, replacement=True)
            view = torch.multinomial(views, _BATCH, replacement=True)
            odds = network(pixels[row, view])
            losses = nn.functional.binary_cross_entropy_with_logits(odds, answers[row], reduction="none").mean(dim=0)
            loss = losses[0] + _HAND * losses[1]
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            watch(step + 1, steps, float(loss.detach()), 0.0, ())
    first, last = (
        (layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy())
        for layer in network
        if isinstance(layer, nn.Linear)
    )
    return first, last


def _side_by_side(
    members: Sequence[tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]],
) -> Layers:
    """Several networks of one hidden layer as one, whose answer is the mean of theirs."""
    first = np.concatenate([one[0][0] for one in members]), np.concatenate([one[0][1] for one in members])
    count = len(members)
    last = np.concatenate([one[1][0] for one in members], axis=1) / count, np.mean([one[1][1] for one in members], axis=0)
    return first, last


def _joined(layers: Layers, single: tuple[np.ndarray, np.ndarray], share: float) -> Layers:
    """A hidden layer and a single one as one, whose answer is the weighted mean: x = max(x, 0) - max(-x, 0)."""
    (first, bias), (last, end) = layers
    weight, offset = single
    both = np.eye(len(weight)) * share
    return (
        (np.concatenate([first, weight, -weight]), np.concatenate([bias, offset, -offset])),
        (np.concatenate([(1 - share) * last, both, -both], axis=1), (1 - share) * end),
    )


def _single(scaled: np.ndarray, targets: np.ndarray, weights: np.ndarray, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """A logistic regression or a linear SVM for each answer."""
    count, views, width = scaled.shape
    share = (weights[:, None] * chances(views, recipe.native)).reshape(-1)
    rows = []
    for answer in targets.T:
        if len(set(answer.tolist())) < 2:  # nothing made by hand among the images
            rows.append((np.zeros(width), -10.0))
            continue
        repeated = np.repeat(answer, views)
        model = (
            LinearSVC(C=recipe.strength, max_iter=5000)
            if recipe.head == "svm"
            else LogisticRegression(C=recipe.strength, max_iter=500, tol=1e-3)
        )
        model.fit(scaled.reshape(count * views, width), repeated, sample_weight=share)
        rows.append((model.coef_[0], float(model.intercept_[0])))
    return np.stack([row for row, _ in rows]), np.array([bias for _, bias in rows])
