"""One export: written, made smaller if asked, compared with torch, and only then delivered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch

from forensic_cli import __version__
from forensic_cli.classifier import Classifier
from forensic_cli.engine.exporting.parity import Agreement, Crossing, by_torch, compare, crossings
from forensic_cli.engine.exporting.pictures import Pictures
from forensic_cli.engine.exporting.precision import half, integers
from forensic_cli.errors import UsageError
from forensic_cli.features.onnx_graph import note, written
from forensic_cli.features.onnx_network import METADATA
from forensic_cli.records import Json, MethodUse
from forensic_cli.text import encode
from forensic_cli.writing import atomic

Precision = Literal["fp32", "fp16", "int8"]
SCHEMA = "forensic/parity/1"
_LARGEST = 2_000_000_000
TOLERANCE = 1e-3  # log-odds between torch and the float32 graph


@dataclass(frozen=True)
class Delivered:
    """What was written, and how well it agrees."""

    file: Path
    parity: Path
    bytes: int
    pictures: str
    agreements: list[Agreement]
    crossings: list[Crossing]


def parity_file(target: Path) -> Path:
    """model.parity.json beside model.onnx."""
    return target.with_name(f"{target.stem}.parity.json")


def deliver(
    module: torch.nn.Module,
    classifier: Classifier,
    use: MethodUse,
    pictures: Pictures,
    target: Path,
    precision: Precision = "fp32",
    thresholds: Mapping[float, float] | None = None,
) -> Delivered:
    """Write the module to `target` and its agreement with torch beside it.

    `thresholds`: the scores at which verdicts are drawn, by false-positive rate. For int8 half of
    the pictures give the ranges, the others judge. Raises UsageError, and writes nothing, if the module
    cannot be expressed in ONNX or the float32 graph disagrees with torch.
    """
    module = module.to("cpu").eval()
    if sum(one.numel() * one.element_size() for one in module.parameters()) >= _LARGEST:
        raise UsageError(f"the network of {use.name} is larger than the 2 GB that one ONNX file can hold")
    ranges, judges = pictures.parted() if precision == "int8" else (pictures, pictures)
    crops = judges.crops
    truth = by_torch(module, crops)
    graph = written(module, classifier.look, use.name)
    agreements, odds = compare(graph, "fp32", truth, crops)
    _check(agreements, use.name)
    if precision != "fp32":
        graph = half(graph) if precision == "fp16" else integers(graph, ranges.crops)
        more, odds = compare(graph, precision, truth, crops)
        agreements += more
    moved = crossings(precision, thresholds or {}, judges, truth, odds)
    shift = max(row.odds_max for row in agreements if row.precision == precision)
    words = pictures.words if judges is pictures else f"{len(judges.windows)} of {pictures.words}"
    facts = {
        "method": use.name,
        "forensic": __version__,
        "precision": precision,
        "weights_sha256": _weights_digest(module, use),
        "made_from": _origin(use),
        "largest_shift": {"log_odds": shift, "pictures": words},
    }
    note(graph, METADATA, json.dumps({**classifier.to_json(), **facts}))
    content = graph.SerializeToString()
    proof = {"schema": SCHEMA, "file": target.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    proof |= {**facts, "agreements": _rows(agreements), "thresholds": _rows(moved)}
    beside = parity_file(target)
    with atomic(target) as stream:
        stream.write(content)
    with atomic(beside) as stream:
        stream.write(encode(proof, indent=2) + b"\n")
    return Delivered(target, beside, len(content), words, agreements, moved)


def _check(agreements: Sequence[Agreement], name: str) -> None:
    worst = max(row.odds_max for row in agreements)
    if worst > TOLERANCE:
        raise UsageError(
            f"{name}: its ONNX graph differs from torch by up to {worst:.2g} in log-odds, more than {TOLERANCE:g}; "
            "nothing was written"
        )


def _rows(rows: Sequence[Agreement] | Sequence[Crossing]) -> list[Json]:
    return [asdict(row) for row in rows]


def _origin(use: MethodUse) -> Json:
    """Where the tensors are from: the method's weights, else the distribution that carries them."""
    if use.weights:
        return {name: use.weights[0][name] for name in ("source", "revision", "licence")}
    return {"source": f"{use.distribution} {use.version}", "revision": None, "licence": "unknown"}


def _weights_digest(module: torch.nn.Module, use: MethodUse) -> str:
    """The digest that the run record of a scan has; of tensors without a file, one of names and bytes in order."""
    if use.weights:
        return str(use.weights[0]["sha256"])
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode() + b"\0" + tensor.cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
