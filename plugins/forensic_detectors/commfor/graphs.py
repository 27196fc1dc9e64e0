"""graph.onnx beside model.safetensors: the computation alone, so that ONNX Runtime reads the same tensors as torch does."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from forensic_cli.classifier import Classifier
from forensic_cli.features.networks import GRAPH
from forensic_cli.features.onnx_graph import note, written
from forensic_cli.features.onnx_network import METADATA
from forensic_cli.features.torch_network import Scorer
from forensic_cli.writing import atomic

TENSORS = "model.safetensors"
_TYPES = {"F32": TensorProto.FLOAT, "F16": TensorProto.FLOAT16}
_SMALL = 1024  # bytes that are not worth a reference


def write_graph(folder: Path, scorer: Scorer, classifier: Classifier) -> None:
    """Write the graph of what lies in `folder`; its large tensors point to where they stand in model.safetensors.

    ONNX keeps external data as plain bytes at an offset, which is how safetensors stores a tensor. What is stored as
    float16 is cast to float32 once, when the file is opened.
    """
    graph = written(scorer, classifier.look, folder.name)
    places, stored = _places(folder / TENSORS), load_file(folder / TENSORS)
    casts = []
    for one in graph.graph.initializer:
        name = one.name.removeprefix("body.")
        if one.name == name or name not in places or len(one.raw_data) < _SMALL:
            continue
        if not np.array_equal(numpy_helper.to_array(one), stored[name].astype(np.float32)):
            continue
        casts += _refer(one, *places[name])
    for cast in reversed(casts):
        graph.graph.node.insert(0, cast)
    note(graph, METADATA, json.dumps(classifier.to_json()))
    with atomic(folder / GRAPH) as stream:
        stream.write(graph.SerializeToString())


def _refer(tensor: Any, kind: int, offset: int, length: int) -> list[onnx.NodeProto]:
    """Let `tensor` be read from the other file; returns the cast that is needed, if one is."""
    cast = []
    if kind != tensor.data_type:
        cast = [helper.make_node("Cast", [f"{tensor.name}.stored"], [tensor.name], to=tensor.data_type)]
        tensor.name, tensor.data_type = f"{tensor.name}.stored", kind
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", TENSORS), ("offset", str(offset)), ("length", str(length))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return cast


def _places(file: Path) -> dict[str, tuple[int, int, int]]:
    """ONNX type, offset and length in bytes of each tensor of a safetensors file."""
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    found = {}
    for name, one in header.items():
        if name != "__metadata__" and one["dtype"] in _TYPES:
            start, end = one["data_offsets"]
            found[name] = (int(_TYPES[one["dtype"]]), 8 + length + start, end - start)
    return found
