"""graph.onnx beside model.safetensors: the computation alone, so that ONNX Runtime reads the same tensors as torch does."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from safetensors.numpy import load_file

from forensic_cli.classifier import Classifier
from forensic_cli.features.networks import GRAPH
from forensic_cli.features.onnx_graph import note, written
from forensic_cli.features.onnx_network import METADATA
from forensic_cli.features.stored_tensors import Place, places, refer
from forensic_cli.features.torch_network import Scorer
from forensic_cli.writing import atomic

TENSORS = "model.safetensors"
_SMALL = 1024  # bytes that are not worth a reference


def write_graph(folder: Path, scorer: Scorer, classifier: Classifier) -> None:
    """Write the graph of what lies in `folder`; its large tensors point to where they stand in model.safetensors.

    What is stored as float16 is cast to float32 once, when the file is opened.
    """
    graph = written(scorer, classifier.look, folder.name)
    there, stored = places(folder / TENSORS), load_file(folder / TENSORS)
    casts = []
    for one in graph.graph.initializer:
        name = one.name.removeprefix("body.")
        if one.name == name or name not in there or len(one.raw_data) < _SMALL:
            continue
        if not np.array_equal(numpy_helper.to_array(one), stored[name].astype(np.float32)):
            continue
        casts += _refer(one, there[name])
    for cast in reversed(casts):
        graph.graph.node.insert(0, cast)
    note(graph, METADATA, json.dumps(classifier.to_json()))
    with atomic(folder / GRAPH) as stream:
        stream.write(graph.SerializeToString())


def _refer(tensor: onnx.TensorProto, place: Place) -> list[onnx.NodeProto]:
    """Let `tensor` be read from the other file; returns the cast that is needed, if one is."""
    cast = []
    if place.kind != tensor.data_type:
        cast = [helper.make_node("Cast", [f"{tensor.name}.stored"], [tensor.name], to=tensor.data_type)]
        tensor.name = f"{tensor.name}.stored"
    refer(tensor, place, TENSORS)
    return cast
