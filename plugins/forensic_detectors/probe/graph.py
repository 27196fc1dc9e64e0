"""A vision transformer of CLIP's shape as an ONNX graph in which matrices are multiplied in 8 bits.

Each token is brought to 8 bits by its own largest number, so that what an image gives does not depend on its neighbours.
What enters the second matrix of a block's two-layer network is never below the minimum of x sigmoid(1.702 x), and is
counted from there. The int8 matrices are read out of model.safetensors (features.encoders.eight_bits).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from forensic_cli.features.encoders.eight_bits import EVEN, SCALE
from forensic_cli.features.encoders.kinds import Statistics
from forensic_cli.features.stored_tensors import Place, places, refer

TENSORS = "model.safetensors"
_LOWEST = -0.16362  # of x sigmoid(1.702 x), at x = -0.751
_OPSET, _IR = 20, 10
_CONTRIBUTED = "com.microsoft"  # ONNX Runtime's own operators


@dataclass
class _Graph:
    """Nodes and constants, added one by one."""

    tensors: Mapping[str, np.ndarray]
    there: Mapping[str, Place]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def op(self, kind: str, *inputs: str, domain: str = "", **settings: object) -> str:
        (output,) = self.several(kind, 1, *inputs, domain=domain, **settings)
        return output

    def several(self, kind: str, count: int, *inputs: str, domain: str = "", **settings: object) -> list[str]:
        outputs = [f"{kind.lower()}_{len(self.nodes)}_{number}" for number in range(count)]
        self.nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **settings))
        return outputs

    def constant(self, name: str, value: object, kind: type = np.float32) -> str:
        self.constants[name] = numpy_helper.from_array(np.asarray(value, kind), name)
        return name

    def stored(self, name: str) -> str:
        """A tensor of the safetensors file, read there."""
        place = self.there[name]
        tensor = TensorProto(name=name, dims=place.shape)
        refer(tensor, place, TENSORS)
        self.constants[name] = tensor
        return name

    def plain(self, name: str, over: np.ndarray | float = 1.0) -> str:
        """A small float32 tensor, divided by `over`."""
        return self.constant(f"{name}.here", self.tensors[name] / over)

    def normalised(self, tokens: str, name: str, over: np.ndarray | float = 1.0) -> str:
        gain, bias = self.plain(f"{name}.weight", over), self.plain(f"{name}.bias", over)
        return self.op("LayerNormalization", tokens, gain, bias, axis=-1, epsilon=1e-5)

    def rounded(self, tokens: str) -> tuple[str, str]:
        """Tokens in 8 bits around 128, and the largest number of each."""
        most = self.op("ReduceMax", self.op("Abs", tokens), "last", keepdims=1)
        most = self.op("Max", most, "tiny")
        scaled = self.op("Mul", tokens, self.op("Div", "127", most))
        return self.op("QuantizeLinear", scaled, "1", "128"), most

    def from_lowest(self, tokens: str) -> tuple[str, str]:
        """Tokens that are nowhere below the minimum, in 8 bits from there, and how far each goes."""
        above = self.op("Sub", tokens, "lowest")
        most = self.op("ReduceMax", above, "last", keepdims=1)
        scaled = self.op("Mul", above, self.op("Div", "255", most))
        return self.op("QuantizeLinear", scaled, "1", "0"), most

    def matrix(
        self, rounded: tuple[str, str], names: Sequence[str], zero: str, steps: int, shift: float | np.ndarray = 0.0
    ) -> str:
        """The product with one or more matrices side by side, plus their biases and `shift`."""
        numbers, most = rounded
        turned = [self.op("Transpose", self.stored(f"{name}.weight"), perm=[1, 0]) for name in names]
        weight = self.op("Concat", *turned, axis=1) if len(turned) > 1 else turned[0]
        scale = np.concatenate([self.tensors[f"{name}.weight{SCALE}"] for name in names]) / steps
        bias = np.concatenate([self.tensors[f"{name}.bias"] for name in names]) + shift
        product = self.op("Cast", self.op("MatMulInteger", numbers, weight, zero), to=TensorProto.FLOAT)
        scaled = self.op("Mul", self.op("Mul", product, most), self.constant(f"{names[0]}.scale", scale))
        return self.op("Add", scaled, self.constant(f"{names[0]}.shifted", bias))


def write_graph(file: Path, blocks: int, heads: int, seen: Statistics, prefix: str = "") -> None:
    """Write the graph of the model.safetensors beside `file`: uint8 crops (M, H, W, 3) to tokens (M, blocks, 2, width)."""
    tensors = load_file(file.parent / TENSORS)
    graph = _Graph(tensors, places(file.parent / TENSORS))
    for name, value, kind in (("127", 127, np.float32), ("255", 255, np.float32), ("tiny", 1e-12, np.float32)):
        graph.constant(name, value, kind)
    for name, value in (("128", 128), ("0", 0)):
        graph.constant(name, value, np.uint8)
    graph.constant("1", 1)
    graph.constant("last", [-1], np.int64)
    graph.constant("lowest", _LOWEST)
    for name, place in (("rows", 0), ("second", 1), ("end", 1 << 30), ("across", 1)):
        graph.constant(name, [place], np.int64)
    width = len(tensors[f"{prefix}embeddings.class_embedding"])
    graph.constant("by heads", [0, -1, heads, width // heads], np.int64)
    graph.constant("joined", [0, -1, width], np.int64)
    graph.constant("root", (width // heads) ** -0.5)
    hidden = _embedded(graph, seen, prefix, width)
    kept = []
    for block in range(blocks):
        hidden = _block(graph, hidden, f"{prefix}encoder.layers.{block}.")
        kept += [graph.op("Slice", hidden, "rows", "second", "across")]
        kept += [graph.op("ReduceMean", graph.op("Slice", hidden, "second", "end", "across"), "across", keepdims=1)]
    every = graph.op("Concat", *kept, axis=1)
    split = graph.constant("by blocks", [0, blocks, 2, width], np.int64)
    graph.nodes.append(helper.make_node("Reshape", [every, split], ["tokens"]))
    crops = helper.make_tensor_value_info("crops", TensorProto.UINT8, ["M", seen.size, seen.size, 3])
    found = helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["M", blocks, 2, width])
    whole = helper.make_graph(graph.nodes, "encoder", [crops], [found], list(graph.constants.values()))
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_CONTRIBUTED, 1)]
    file.write_bytes(helper.make_model(whole, opset_imports=opsets, ir_version=_IR).SerializeToString())


def _embedded(graph: _Graph, seen: Statistics, prefix: str, width: int) -> str:
    """Crops to tokens: the class token, then the patches, with position."""
    std, mean = np.array(seen.std), np.array(seen.mean)
    pixels = graph.op("Mul", graph.op("Cast", "crops", to=TensorProto.FLOAT), graph.constant("gain", 1 / (255 * std)))
    pixels = graph.op("Transpose", graph.op("Add", pixels, graph.constant("offset", -mean / std)), perm=[0, 3, 1, 2])
    weight = f"{prefix}embeddings.patch_embedding.weight"
    side = graph.tensors[weight].shape[-1]
    patches = graph.op("Conv", pixels, graph.stored(weight), strides=[side, side])
    patches = graph.op("Reshape", patches, graph.constant("in a row", [0, width, -1], np.int64))
    patches = graph.op("Transpose", patches, perm=[0, 2, 1])
    positions = f"{prefix}embeddings.position_embedding.weight"
    patches = graph.op("Add", patches, graph.op("Slice", graph.stored(positions), "second", "end", "rows"))
    token = graph.tensors[f"{prefix}embeddings.class_embedding"] + graph.tensors[positions][0]
    shape = graph.op("Concat", graph.op("Shape", "crops", end=1), graph.constant("token", [1, width], np.int64), axis=0)
    first = graph.op("Expand", graph.constant("class", token[None, None]), shape)
    return graph.normalised(graph.op("Concat", first, patches, axis=1), f"{prefix}pre_layrnorm")


def _block(graph: _Graph, hidden: str, name: str) -> str:
    attention, mlp = f"{name}self_attn.", f"{name}mlp."
    tokens = graph.normalised(hidden, f"{name}layer_norm1", graph.tensors[f"{attention}q_proj.weight{EVEN}"])
    names = [f"{attention}{which}_proj" for which in "qkv"]
    every = graph.matrix(graph.rounded(tokens), names, "128", 127)
    turns = ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
    parts = graph.several("Split", 3, every, axis=-1, num_outputs=3)
    query, key, value = (
        graph.op("Transpose", graph.op("Reshape", part, "by heads"), perm=turn)
        for part, turn in zip(parts, turns, strict=True)
    )
    weights = graph.op("Softmax", graph.op("Mul", graph.op("MatMul", query, key), "root"), axis=-1)
    looked = graph.op("Transpose", graph.op("MatMul", weights, value), perm=[0, 2, 1, 3])
    together = graph.rounded(graph.op("Reshape", looked, "joined"))
    hidden = graph.op("Add", hidden, graph.matrix(together, [f"{attention}out_proj"], "128", 127))
    tokens = graph.normalised(hidden, f"{name}layer_norm2", graph.tensors[f"{mlp}fc1.weight{EVEN}"])
    inner = graph.matrix(graph.rounded(tokens), [f"{mlp}fc1"], "128", 127)
    inner = graph.op("QuickGelu", inner, domain=_CONTRIBUTED, alpha=1.702)
    last = f"{mlp}fc2"
    whole = graph.tensors[f"{last}.weight"].astype(np.float64) * graph.tensors[f"{last}.weight{SCALE}"][:, None]
    outer = graph.matrix(graph.from_lowest(inner), [last], "0", 255, _LOWEST * whole.sum(axis=1))
    return graph.op("Add", hidden, outer)
