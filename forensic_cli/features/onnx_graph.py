"""Writes a torch module as an ONNX graph: uint8 crops in, log-odds and perhaps evidence out.

The resize stays outside, with the crops: ONNX's Resize antialiases in floating point, Pillow in 8 bits and two passes, and
a detector of fine texture sees the difference.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import onnx
import onnxslim
import torch

from forensic_cli.classifier import Look
from forensic_cli.errors import UsageError, reason

OPSET = 20
_SIDE = 256  # of the example that a network for crops of any size is traced with


def free(look: Look) -> bool:
    """Whether crops may have any size."""
    return look.size is None or look.whole


def written(module: torch.nn.Module, look: Look, name: str) -> onnx.ModelProto:
    """The module as one graph, checked and simplified; `name` is for the error. Raises UsageError if it cannot be."""
    side = look.size or _SIDE
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    anything = torch.export.Dim.DYNAMIC
    shape = {0: anything, 1: anything, 2: anything} if free(look) else {0: anything}
    try:
        with quiet(), torch.inference_mode():
            count = len(module(example))
        with quiet():
            program = torch.onnx.export(
                _of_any_size(module) if free(look) else module,
                (example,),
                dynamo=True,
                input_names=["crops"],
                output_names=["score", "evidence"][:count],
                dynamic_shapes=(shape,),
                opset_version=OPSET,
                verbose=False,
            )
            assert program is not None
            graph = program.model_proto
            onnx.checker.check_model(graph, full_check=True)
            slim: onnx.ModelProto = onnxslim.slim(graph)
            onnx.checker.check_model(slim, full_check=True)
    except Exception as error:  # the exporter runs the network's own code and raises what that raises
        raise UsageError(f"the network of {name} cannot be written as ONNX: {reason(error)}") from error
    return slim


class _SameConv(torch.nn.Module):
    """TensorFlow's padding, which depends on the size of the image, in ONNX's own words: written out for a size that is
    not known, it takes the exporter many minutes and ONNX Runtime a copy of each image."""

    def __init__(self, conv: torch.nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self.attributes: dict[str, Any] = {
            "auto_pad": "SAME_UPPER",
            "dilations": list(conv.dilation),
            "group": conv.groups,
            "strides": list(conv.stride),
        }

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        down, across = self.attributes["strides"]
        height, width = pixels.shape[2:]
        shape = (pixels.shape[0], self.weight.shape[0], (height + down - 1) // down, (width + across - 1) // across)
        inputs = [pixels, self.weight, *([] if self.bias is None else [self.bias])]
        return torch.onnx.ops.symbolic("Conv", inputs, attrs=self.attributes, dtype=pixels.dtype, shape=shape)


def _of_any_size(module: torch.nn.Module) -> torch.nn.Module:
    """A copy, for the exporter alone, in which timm's convolutions with TensorFlow's padding are ONNX's."""
    whole = copy.deepcopy(module)
    for name, part in list(whole.named_modules()):
        if type(part).__name__ == "Conv2dSame" and isinstance(part, torch.nn.Conv2d):
            parent, _, leaf = name.rpartition(".")
            setattr(whole.get_submodule(parent), leaf, _SameConv(part))
    return whole


def last_layer(graph: onnx.ModelProto) -> int:
    """Where in the graph the last layer of weights stands: it and all behind it stay in float32."""
    layers = ("Conv", "Einsum", "Gemm", "MatMul")
    return max((index for index, node in enumerate(graph.graph.node) if node.op_type in layers), default=0)


def note(graph: onnx.ModelProto, key: str, value: str) -> None:
    """Add to the metadata of the file."""
    entry: Any = graph.metadata_props.add()
    entry.key, entry.value = key, value


@contextmanager
def quiet() -> Iterator[None]:
    """Exporters and quantisers talk a lot; what matters of it is raised."""
    logging.disable(logging.ERROR)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
