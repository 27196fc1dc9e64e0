"""Takes back what the rounding of weights to 8 bits adds to a network on average.

A depthwise convolution has nine weights, so their errors do not cancel; what enters it is never negative, so they add
up. The mean of what each channel sees is measured on pictures, and the bias gives back what rounding makes of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from forensic_cli.engine.exporting.parity import runner

_STEPS = 127  # to either side of zero


def balanced(graph: onnx.ModelProto, names: Collection[str], crops: Sequence[np.ndarray]) -> onnx.ModelProto:
    """A copy whose convolutions of these names, once rounded, give the mean that they gave before."""
    whole = onnx.ModelProto()
    whole.CopyFrom(graph)
    tensors = {one.name: one for one in whole.graph.initializer}
    nodes = [one for one in whole.graph.node if one.op_type == "Conv" and one.name in names and len(one.input) > 2]
    seen = _means(graph, sorted({node.input[0] for node in nodes}), crops)
    for node in nodes:
        weight, bias = (numpy_helper.to_array(tensors[name]) for name in node.input[1:3])
        moved = bias + lost(weight, seen[node.input[0]])
        tensors[node.input[2]].CopyFrom(numpy_helper.from_array(moved.astype(np.float32), node.input[2]))
    return whole


def lost(weight: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """What rounding takes from the mean of each output channel: weights (O, I, h, w), means of the input channels (G * I),
    in groups."""
    largest = np.abs(weight).max(axis=(1, 2, 3), keepdims=True)
    step = np.where(largest == 0, 1, largest) / _STEPS
    error = (weight - np.round(weight / step) * step).sum(axis=(2, 3))  # (O, I)
    groups = seen.reshape(-1, weight.shape[1])  # (G, I)
    answer: np.ndarray = (error * groups.repeat(len(weight) // len(groups), axis=0)).sum(axis=1)
    return answer


def _means(graph: onnx.ModelProto, names: Sequence[str], crops: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The mean of each channel of these tensors (M, C, h, w), over all crops."""
    watched = onnx.ModelProto()
    watched.CopyFrom(graph)
    watched.graph.initializer.append(numpy_helper.from_array(np.array([0, 2, 3], np.int64), "forensic.axes"))
    outputs = [f"{name}.mean" for name in names]
    for name, output in zip(names, outputs, strict=True):
        watched.graph.node.append(helper.make_node("ReduceMean", [name, "forensic.axes"], [output], keepdims=0))
        watched.graph.output.append(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None))
    running = runner(watched)
    answers = [running.run(outputs, {"crops": crop[None]}) for crop in crops]
    return {name: np.mean([answer[place] for answer in answers], axis=0) for place, name in enumerate(names)}
