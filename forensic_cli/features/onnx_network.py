"""A classifier run by ONNX Runtime, from one file: uint8 crops in, log-odds out. Needs no torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime

from forensic_cli.classifier import Classifier
from forensic_cli.detector import Session
from forensic_cli.errors import WeightsError
from forensic_cli.features.onnx_runner import OnnxRunner
from forensic_cli.features.seen import Seen

METADATA = "forensic"
"""The entry of the file's metadata that holds the Classifier, as JSON."""


class OnnxNetwork:
    """A file of `forensic export-onnx`, or the graph beside a trained network."""

    def __init__(self, runner: OnnxRunner, classifier: Classifier) -> None:
        self.classifier = classifier
        self.provider = runner.provider
        self._run = runner

    @classmethod
    def load(cls, path: Path, session: Session) -> OnnxNetwork:
        """Raises WeightsError for a file that is not one of ours, and where a GPU is required and not used."""
        runner = OnnxRunner.load(path, session)
        return cls(runner, _described(runner.runner, path))

    def __call__(self, crops: np.ndarray) -> Seen:
        answers = self._run(crops)
        odds, maps = answers[0], answers[1] if len(answers) > 1 else None
        if odds.shape != (len(crops),) or (maps is not None and len(maps) != len(crops)):
            raise WeightsError(f"{self._run.where} gives scores of shape {odds.shape} for {len(crops)} crops")
        return Seen(odds, maps, None)


def _described(runner: onnxruntime.InferenceSession, path: Path) -> Classifier:
    """What the file says it is; raises WeightsError where it says nothing, or its inputs and outputs are others."""
    text = runner.get_modelmeta().custom_metadata_map.get(METADATA)
    if text is None:
        raise WeightsError(f"{path} was not written by `forensic export-onnx`: it has no metadata {METADATA!r}")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: its metadata {METADATA!r} is not JSON ({error})") from error
    classifier = Classifier.from_json(value, str(path))
    inputs = [(one.name, one.type, len(one.shape), one.shape[-1:]) for one in runner.get_inputs()]
    outputs = [(one.name, one.type, len(one.shape)) for one in runner.get_outputs()]
    wanted = [("score", "tensor(float)", 1), ("evidence", "tensor(float)", 3)]
    if inputs != [("crops", "tensor(uint8)", 4, [3])] or outputs not in (wanted[:1], wanted):
        raise WeightsError(f"{path} does not go from uint8 crops (M, H, W, 3) to a score (M): it is none of our files")
    sides = [side for side in runner.get_inputs()[0].shape[1:3] if isinstance(side, int)]
    size = None if classifier.look.whole else classifier.look.size
    if any(side != size for side in sides):
        raise WeightsError(f"{path} takes crops of {' x '.join(map(str, sides))} pixels, but says {size or 'any size'}")
    return classifier
