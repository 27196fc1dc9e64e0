"""An encoder run by ONNX Runtime. Needs no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from forensic_cli.detector import Session
from forensic_cli.errors import WeightsError
from forensic_cli.features.encoders.kinds import Statistics
from forensic_cli.features.onnx_runner import OnnxRunner


class OnnxEncoder:
    """A graph from uint8 crops to tokens; it normalises by itself."""

    def __init__(self, graph: Path, found: Statistics, session: Session) -> None:
        self.statistics = found
        self._run = OnnxRunner.load(graph, session, singly=True)
        self.provider = self._run.provider
        runner = self._run.runner
        inputs = [(one.name, one.type, len(one.shape)) for one in runner.get_inputs()]
        outputs = [(one.name, one.type, len(one.shape)) for one in runner.get_outputs()]
        if inputs != [("crops", "tensor(uint8)", 4)] or outputs != [("tokens", "tensor(float)", 4)]:
            raise WeightsError(f"{graph} does not go from uint8 crops (M, H, W, 3) to tokens (M, blocks, 2, width)")

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        return self._run(crops)[0]
