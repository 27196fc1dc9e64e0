"""One way to run a classifier, whatever runs it: torch on a folder of safetensors, or ONNX Runtime on a file."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from forensic_cli.classifier import Classifier
from forensic_cli.detector import Batch, Session
from forensic_cli.errors import WeightsError
from forensic_cli.features.seen import Seen
from forensic_cli.features.windows import Window, cut, windows
from forensic_cli.records import Weights
from forensic_cli.weights import locate

GRAPH = "graph.onnx"  # beside model.safetensors: the same network for ONNX Runtime, which is faster on a CPU

Build = Callable[[Classifier], Any]
"""Makes an untrained torch module of what a Classifier describes: (M, 3, H, W) normalised float32 to (M, 1) or (M, 2)."""


class Network(Protocol):
    """A classifier ready to run. `provider` says what runs it: "torch cpu", "CUDAExecutionProvider"."""

    classifier: Classifier
    provider: str

    def __call__(self, crops: np.ndarray) -> Seen:
        """What it makes of uint8 crops (M, H, W, 3)."""
        ...


def network(session: Session, *, weights: Weights, published: Classifier, build: Build) -> Network:
    """The network in a local folder, a file, or the hub, for the life of the session.

    `published` describes tensors that stand without a config.json of ours. Raises WeightsError.
    """
    path = locate(weights, offline=session.offline).path
    graph = path / GRAPH
    if graph.is_file() and session.dtype == "float32" and session.device == "cpu":
        path = graph
    if path.suffix == ".onnx":
        from forensic_cli.features.onnx_network import OnnxNetwork

        return OnnxNetwork.load(path, session)
    return session.once(by_torch, weights=weights, published=published, build=build)


def by_torch(session: Session, *, weights: Weights, published: Classifier, build: Build) -> Network:
    """The same run by torch, whatever graph lies beside the tensors. Raises WeightsError."""
    from forensic_cli.features.torch_network import TorchNetwork

    path = locate(weights, offline=session.offline).path
    return TorchNetwork.load(path, describe(path, published), build, session)


def describe(path: Path, published: Classifier) -> Classifier:
    """What config.json beside the tensors says, if it is one of ours, else `published`. Raises WeightsError."""
    config = (path if path.is_dir() else path.parent) / "config.json"
    try:
        value = json.loads(config.read_bytes())
    except OSError:
        return published
    except ValueError as error:
        raise WeightsError(f"{config} is not JSON: {error}") from error
    ours = isinstance(value, dict) and "schema" in value
    return Classifier.from_json(value, str(config)) if ours else published


def outputs(
    batch: Batch, *, weights: Weights, published: Classifier, build: Build, open: Callable[..., Network] = network
) -> list[tuple[list[Window], Seen]]:
    """For each image its crops, and what the network that `open` gives makes of them."""
    runner = batch.session.once(open, weights=weights, published=published, build=build)
    crops = batch.once(windows, look=runner.classifier.look)
    seen = run(runner, [window.pixels for several in crops for window in several])
    found, start = [], 0
    for several in crops:
        found.append((several, seen.part(slice(start, start + len(several)))))
        start += len(several)
    return found


def scores(batch: Batch, *, weights: Weights, published: Classifier, build: Build) -> np.ndarray:
    """Log-odds of "generated", the mean over an image's crops weighted by their area: (N,), float64."""
    found = batch.once(outputs, weights=weights, published=published, build=build)
    return np.array([pooled(several, seen.odds) for several, seen in found])


def embedded(batch: Batch, *, weights: Weights, published: Classifier, build: Build) -> np.ndarray:
    """What the last layer reads, the mean over an image's crops weighted by their area: (N, D), float32.

    From the pass that scores; but a graph gives log-odds alone, and torch runs the tensors beside it. Raises WeightsError
    where there are none, or the network does not end in one linear layer.
    """
    asked: dict[str, Any] = {"weights": weights, "published": published, "build": build}
    found = batch.once(outputs, **asked)
    if found[0][1].features is None:
        found = batch.once(outputs, **asked, open=by_torch)
    rows = []
    for several, seen in found:
        if seen.features is None:
            raise WeightsError(f"{weights.source}: a network that does not end in one linear layer has no features")
        rows.append(np.average(seen.features, axis=0, weights=[one.area for one in several]))
    return np.stack(rows).astype(np.float32)


def scored(runner: Network, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """The same for images (height, width, 3) that are no batch of a scan."""
    crops = [cut(picture, runner.classifier.look) for picture in pictures]
    odds = run(runner, [window.pixels for several in crops for window in several]).odds
    parts = np.split(odds, np.cumsum([len(several) for several in crops])[:-1])
    return np.array([pooled(several, part) for several, part in zip(crops, parts, strict=True)])


def pooled(several: Sequence[Window], odds: np.ndarray) -> float:
    """The mean over an image's crops, weighted by their area."""
    return float(np.average(odds.astype(np.float64), weights=[one.area for one in several]))


def run(runner: Network, crops: Sequence[np.ndarray]) -> Seen:
    """All crops through the network; those of one shape go together."""
    shapes: dict[tuple[int, ...], list[int]] = {}
    for index, crop in enumerate(crops):
        shapes.setdefault(crop.shape, []).append(index)
    odds = np.zeros(len(crops), np.float32)
    maps: dict[int, np.ndarray] = {}
    features: dict[int, np.ndarray] = {}
    for indices in shapes.values():
        seen = runner(np.stack([crops[index] for index in indices]))
        odds[indices] = seen.odds
        if seen.maps is not None:
            maps.update(zip(indices, seen.maps, strict=True))
        if seen.features is not None:
            features.update(zip(indices, seen.features, strict=True))
    every = range(len(crops))
    ordered = [maps[one] for one in every] if maps else None
    return Seen(odds, ordered, np.stack([features[one] for one in every]) if features else None)
