"""Tensors of an ONNX graph that are read where they stand inside a safetensors file: one copy on disk serves both.

ONNX keeps external data as plain bytes at an offset, which is how safetensors stores a tensor.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorProto

_TYPES = {"F32": TensorProto.FLOAT, "F16": TensorProto.FLOAT16, "I8": TensorProto.INT8}


@dataclass(frozen=True)
class Place:
    """Where a tensor stands: its ONNX type, its shape, and its bytes from `offset` on."""

    kind: int
    shape: tuple[int, ...]
    offset: int
    length: int


def places(file: Path) -> dict[str, Place]:
    """Every tensor of a safetensors file that ONNX can read there."""
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    found = {}
    for name, one in header.items():
        if name != "__metadata__" and one["dtype"] in _TYPES:
            start, end = one["data_offsets"]
            found[name] = Place(int(_TYPES[one["dtype"]]), tuple(one["shape"]), 8 + length + start, end - start)
    return found


def refer(tensor: onnx.TensorProto, place: Place, file: str) -> None:
    """Let `tensor` be read from the safetensors file called `file`, in the graph's own folder."""
    tensor.ClearField("raw_data")
    tensor.data_type = place.kind
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", file), ("offset", str(place.offset)), ("length", str(place.length))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
