"""Makes a float32 graph smaller and faster: half precision, or 8-bit integers.

What was measured on the way to the 8-bit recipe (EfficientNet-Lite0 trained as a detector; 743 crops it was not calibrated
on; mean and largest change of the log-odds):
- The first convolution alone in float32: 0.22 and 2.6. The first three: 0.13 and 0.9, for a tenth of the speed; they hold
  the texture that a detector lives on. The first five: no better.
- These three, and rounding balanced (see `rounding`): 0.05 and 0.4, the AUROC unchanged to four digits.
- Ranges by percentile or entropy instead of minimum and maximum: no better, and five times slower to find.
- Activations with ranges found beforehand, never at run time: those would make the score of a crop depend on the others
  in its batch (by 0.04 in a ViT-S), and are no nearer to float32.
- In networks with layer normalisation the residual stream has no range that fits 8 bits: their weight layers alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnxruntime import quantization
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from forensic_cli.engine.exporting.rounding import balanced
from forensic_cli.features.onnx_graph import last_layer, quiet

_KEPT = 3  # convolutions at the beginning that stay in float32
_BETWEEN = ("Add", "Clip", "GlobalAveragePool", "MaxPool", "Relu")


def half(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Weights and computation in float16 up to the last layer; inputs and outputs keep their types."""
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    behind = [node.name for node in list(graph.graph.node)[last_layer(graph) :]]
    with quiet():
        small: onnx.ModelProto = convert_float_to_float16(copy, keep_io_types=True, node_block_list=behind)
        OnnxModel.graph_topological_sort(small.graph)
    onnx.checker.check_model(small, full_check=True)
    return small


def integers(graph: onnx.ModelProto, crops: Sequence[np.ndarray]) -> onnx.ModelProto:
    """Weights as int8, per channel, and activations as uint8 with the ranges that `crops` (H, W, 3) show."""
    with tempfile.TemporaryDirectory(prefix="forensic-export-") as folder, quiet():
        source, target = Path(folder, "float.onnx"), Path(folder, "integers.onnx")
        names = _suitable(graph)
        onnx.save(balanced(graph, names, crops), source)
        quantization.quantize_static(
            source,
            target,
            _Crops(crops),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm", "MatMul", *_BETWEEN],
            nodes_to_quantize=names,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )
        small: onnx.ModelProto = onnx.load(target)
    onnx.checker.check_model(small, full_check=True)
    return small


def _suitable(graph: onnx.ModelProto) -> list[str]:
    """The names of the nodes that may be integers."""
    nodes = list(graph.graph.node)[: last_layer(graph)]
    constants = {one.name for one in graph.graph.initializer}
    between = () if any(node.op_type == "LayerNormalization" for node in nodes) else _BETWEEN
    names, convolutions = [], 0
    for node in nodes:
        convolutions += node.op_type == "Conv"
        weighted = node.op_type in ("Gemm", "MatMul") and node.input[1] in constants
        early = convolutions <= _KEPT
        if weighted or (not early and (node.op_type == "Conv" or node.op_type in between)):
            names.append(node.name)
    return names


class _Crops(quantization.CalibrationDataReader):  # type: ignore[misc]
    """Hands crops to the calibration, one at a time: they may differ in size."""

    def __init__(self, crops: Sequence[np.ndarray]) -> None:
        self._rest: Iterator[np.ndarray] = iter(crops)

    def get_next(self) -> dict[str, np.ndarray] | None:
        crop = next(self._rest, None)
        return None if crop is None else {"crops": crop[None]}
