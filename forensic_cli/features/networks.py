"""One way to run a classifier, whatever runs it: torch on a folder of safetensors, or ONNX Runtime on a file."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from forensic_cli.classifier import Classifier
from forensic_cli.detector import Batch, Session
from forensic_cli.errors import WeightsError
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

    def __call__(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Log-odds (M,) of uint8 crops (M, H, W, 3), and where it has them evidence maps (M, h, w); float32.

        The mean of an evidence map is the log-odds less the bias.
        """
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
    from forensic_cli.features.torch_network import TorchNetwork

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
    batch: Batch, *, weights: Weights, published: Classifier, build: Build
) -> list[tuple[list[Window], np.ndarray, list[np.ndarray] | None]]:
    """For each image its crops, their log-odds (K,) and the evidence map (h, w) of each."""
    runner = batch.session.once(network, weights=weights, published=published, build=build)
    crops = batch.once(windows, look=runner.classifier.look)
    flat = [window.pixels for several in crops for window in several]
    odds, maps = run(runner, flat)
    found, start = [], 0
    for several in crops:
        end = start + len(several)
        found.append((several, odds[start:end], None if maps is None else maps[start:end]))
        start = end
    return found


def scores(batch: Batch, *, weights: Weights, published: Classifier, build: Build) -> np.ndarray:
    """Log-odds of "generated", the mean over an image's crops weighted by their area: (N,), float64."""
    found = batch.once(outputs, weights=weights, published=published, build=build)
    return np.array([pooled(several, odds) for several, odds, _ in found])


def scored(runner: Network, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """The same for images (height, width, 3) that are no batch of a scan."""
    crops = [cut(picture, runner.classifier.look) for picture in pictures]
    odds, _ = run(runner, [window.pixels for several in crops for window in several])
    parts = np.split(odds, np.cumsum([len(several) for several in crops])[:-1])
    return np.array([pooled(several, part) for several, part in zip(crops, parts, strict=True)])


def pooled(several: Sequence[Window], odds: np.ndarray) -> float:
    """The mean over an image's crops, weighted by their area."""
    return float(np.average(odds.astype(np.float64), weights=[one.area for one in several]))


def run(runner: Network, crops: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray] | None]:
    """All crops through the network; those of one shape go together."""
    shapes: dict[tuple[int, ...], list[int]] = {}
    for index, crop in enumerate(crops):
        shapes.setdefault(crop.shape, []).append(index)
    odds = np.zeros(len(crops), np.float32)
    maps: dict[int, np.ndarray] = {}
    for indices in shapes.values():
        some, evidence = runner(np.stack([crops[index] for index in indices]))
        odds[indices] = some
        if evidence is not None:
            maps.update(zip(indices, evidence, strict=True))
    return odds, [maps[index] for index in range(len(crops))] if maps else None
