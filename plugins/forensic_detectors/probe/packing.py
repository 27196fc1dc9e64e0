"""Makes a small encoder folder of a CLIP: its image tower up to some block, with matrices in 8 bits, for torch and ONNX
Runtime.

    python -m forensic_detectors.probe.packing CLIP -o FOLDER --blocks 9

CLIP is a transformers folder, or an ONNX file of its image tower whose matrices were quantised (MatMulInteger).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import torch
import transformers
import typer
from onnx import numpy_helper
from PIL import Image
from safetensors.numpy import save
from sklearn.datasets import load_sample_images
from torch import nn

from forensic_cli import images
from forensic_cli.errors import ForensicError, WeightsError
from forensic_cli.features.encoders.eight_bits import quantised
from forensic_cli.features.encoders.kinds import KINDS, Statistics
from forensic_cli.features.networks import GRAPH
from forensic_cli.features.torch_network import fit
from forensic_cli.features.transformers_folder import pretrained
from forensic_cli.features.windows import cut
from forensic_cli.formats import NotAnImage
from forensic_cli.paths import Candidate, find
from forensic_cli.writing import atomic
from forensic_detectors.probe.graph import TENSORS, write_graph

_PREFIX = "vision_model."
_EVENNESS = {"q_proj": 0.65, "k_proj": 0.65, "v_proj": 0.65, "fc1": 0.65}
"""How much of the spread among inputs goes into the matrix (Xiao et al., SmoothQuant, arXiv:2211.10438, equation 4)."""
_FOLLOWED = 12  # nodes from a matrix to its bias, at most
_PICTURES = 24


def pack(tower: nn.Module, folder: Path, blocks: int, pictures: np.ndarray) -> None:
    """Write config.json, preprocessor_config.json, model.safetensors and graph.onnx of the first `blocks` blocks.

    `tower`: CLIPVisionModel with float32 weights. `pictures`: uint8 (M, size, size, 3), on which the inputs of the matrices
    are measured.
    """
    config: Any = tower.config
    if not 1 <= blocks <= config.num_hidden_layers:
        raise WeightsError(f"--blocks {blocks}: the encoder has {config.num_hidden_layers}")
    kind = KINDS["clip_vision_model"]
    seen = Statistics(config.image_size, kind.mean, kind.std)
    largest = _largest_inputs(tower, seen, pictures)
    state = {name: tensor.numpy() for name, tensor in tower.state_dict().items()}
    state = {name: one for name, one in state.items() if _block_of(name) < blocks}
    stored: dict[str, np.ndarray] = {}
    for name, tensor in state.items():
        if tensor.ndim != 2 or ".layers." not in name:
            stored[name] = tensor.astype(np.float32)
            continue
        even = _even(state, name, largest)
        stored |= {f"{name}{ending}": np.ascontiguousarray(one) for ending, one in quantised(tensor, even).items()}
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / TENSORS) as stream:
        stream.write(save(stored, metadata={"format": "pt"}))
    described = {**config.to_dict(), "num_hidden_layers": blocks}
    _write(folder / "config.json", {key: value for key, value in sorted(described.items()) if value is not None})
    _write(
        folder / "preprocessor_config.json",
        {"image_mean": list(seen.mean), "image_std": list(seen.std), "size": {"shortest_edge": seen.size}},
    )
    prefix = _PREFIX if f"{_PREFIX}pre_layrnorm.weight" in stored else ""
    write_graph(folder / GRAPH, blocks, config.num_attention_heads, seen, prefix)


def _block_of(name: str) -> int:
    """The block a tensor belongs to; -1 for what belongs to none."""
    _, found, rest = name.partition(".layers.")
    return int(rest.partition(".")[0]) if found else -1


def _even(state: Mapping[str, np.ndarray], name: str, largest: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Factors of mean 1 (geometric) by which the inputs of a matrix are divided; one set for those that share inputs."""
    layer = name.removesuffix(".weight")
    parent, _, leaf = layer.rpartition(".")
    share = _EVENNESS.get(leaf)
    if share is None:
        return None
    together = [f"{parent}.{one}_proj" for one in "qkv"] if leaf != "fc1" else [layer]
    matrix = np.max([np.abs(state[f"{one}.weight"]).max(axis=0) for one in together], axis=0)
    factors = np.maximum(largest[layer], 1e-5) ** share / np.maximum(matrix, 1e-5) ** (1 - share)
    return np.asarray(factors / np.exp(np.log(factors).mean()), np.float32)


def _largest_inputs(tower: nn.Module, seen: Statistics, pictures: np.ndarray) -> dict[str, np.ndarray]:
    """The largest absolute value that each input of each linear layer takes on the pictures."""
    found: dict[str, np.ndarray] = {}

    def watch(name: str) -> Any:
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            most = inputs[0].abs().flatten(0, -2).amax(dim=0).numpy()
            found[name] = np.maximum(found.get(name, 0), most)

        return hook

    hooks = [
        module.register_forward_pre_hook(watch(name))
        for name, module in tower.named_modules()
        if isinstance(module, nn.Linear)
    ]
    mean, std = (torch.tensor(one).view(3, 1, 1) for one in (seen.mean, seen.std))
    with torch.inference_mode():
        for picture in pictures:
            tower((torch.tensor(picture).permute(2, 0, 1)[None].float() / 255 - mean) / std)
    for hook in hooks:
        hook.remove()
    return found


def unquantised(file: Path) -> dict[str, np.ndarray]:
    """The float32 tensors that the matrices of an ONNX file stand for, by the names of transformers. Raises WeightsError.

    A matrix has lost its name in such a file: it is found again by the bias that is added to its product.
    """
    try:
        graph = onnx.load(file).graph
    except Exception as error:  # protobuf's own
        raise WeightsError(f"{file} cannot be read as ONNX: {error}") from error
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    after: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            after.setdefault(name, []).append(node)
    found = {name: value for name, value in constants.items() if value.dtype == np.float32 and name.startswith(_PREFIX)}
    for node in graph.node:
        if node.op_type == "MatMulInteger" and node.input[1] in constants:
            name = _named(node.output[0], after, constants)
            stem = node.input[1].removesuffix("_quantized")
            zero, scale = constants[f"{stem}_zero_point"], constants[f"{stem}_scale"]
            matrix = (constants[node.input[1]].astype(np.float32) - zero.astype(np.float32)) * scale
            found |= {f"{name}.weight": np.ascontiguousarray(matrix.T)} if name else {}
    return found


def _named(output: str, after: Mapping[str, list[onnx.NodeProto]], constants: Mapping[str, np.ndarray]) -> str | None:
    for _ in range(_FOLLOWED):
        node = next(iter(after.get(output, ())), None)
        if node is None:
            return None
        if node.op_type == "Add":
            biases = [name for name in node.input if name in constants and name.endswith(".bias")]
            return biases[0].removesuffix(".bias") if biases else None
        output = node.output[0]
    return None


def tower_of(source: Path) -> nn.Module:
    """The image tower with float32 weights. Raises WeightsError."""
    if source.suffix != ".onnx":
        return pretrained(source, transformers.CLIPVisionModel, ("clip", "clip_vision_model"), "a CLIP", str(source)).eval()  # type: ignore[no-any-return]
    tensors = unquantised(source)
    layers = 1 + max((_block_of(name) for name in tensors), default=-1)
    try:
        width = tensors[f"{_PREFIX}embeddings.class_embedding"].size
        patch = tensors[f"{_PREFIX}embeddings.patch_embedding.weight"].shape[-1]
        side = round((len(tensors[f"{_PREFIX}embeddings.position_embedding.weight"]) - 1) ** 0.5)
        inner = len(tensors[f"{_PREFIX}encoder.layers.0.mlp.fc1.bias"])
    except KeyError as error:
        raise WeightsError(f"{source} is not the image tower of a CLIP: it has no {error.args[0]}") from error
    config = transformers.CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        image_size=side * patch,
        patch_size=patch,
        hidden_act="quick_gelu",
    )
    tower: nn.Module = transformers.CLIPVisionModel(config).eval()
    plain = not next(iter(tower.state_dict())).startswith(_PREFIX)
    wanted = {
        name.removeprefix(_PREFIX) if plain else name: one for name, one in tensors.items() if name.startswith(_PREFIX)
    }
    fit(tower, {name: torch.from_numpy(one.copy()) for name, one in wanted.items()}, str(source))
    return tower


def pictures_of(places: list[str], size: int) -> np.ndarray:
    """At most 24 pictures below `places`, else parts of scikit-learn's two photographs, as the encoder sees them."""
    look = Statistics(size, (0, 0, 0), (1, 1, 1)).look
    if not places:
        pixels = [
            image[top : top + 240, left : left + 240]
            for image in load_sample_images().images
            for top in (0, 90, 187)
            for left in (0, 130, 260, 400)
        ]
    else:
        found = [one.path for one in find(places) if isinstance(one, Candidate)]
        chosen = found[:: max(1, len(found) // _PICTURES)][:_PICTURES]
        pixels = [one for one in map(_read, chosen) if one is not None]
    if not pixels:
        raise WeightsError(f"no picture below {', '.join(places)}")
    return np.stack([cut(np.asarray(Image.fromarray(one)), look)[0].pixels for one in pixels])


def _read(path: str) -> np.ndarray | None:
    try:
        data = images.read(path)[0]
        return images.decode(data, images.probe(data))
    except (ForensicError, NotAnImage):
        return None


def _write(file: Path, value: dict[str, Any]) -> None:
    with atomic(file) as stream:
        stream.write(json.dumps(value, indent=1, sort_keys=True).encode() + b"\n")


def main(
    source: Annotated[Path, typer.Argument(help="A CLIP in transformers format, or an ONNX file of its image tower.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder that is written.")],
    blocks: Annotated[int, typer.Option(help="How many blocks are kept.")] = 9,
    pictures: Annotated[list[str] | None, typer.Option(help="Pictures to measure on. [two photographs]")] = None,
) -> None:
    """Write an encoder folder with matrices in 8 bits."""
    try:
        tower: Any = tower_of(source)
        pack(tower, output, blocks, pictures_of(pictures or [], tower.config.image_size))
    except (ForensicError, ImportError) as error:
        typer.echo(f"packing: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"written: {output}", err=True)


if __name__ == "__main__":
    typer.run(main)
