"""Makes safetensors of a checkpoint that was published as a pickle, without running what is in it."""

import argparse
import json
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from forensic_cli import __version__, digests
from forensic_cli.abilities import Converts
from forensic_cli.detector import Detector
from forensic_cli.errors import UsageError, WeightsError
from forensic_cli.options import weights_of
from forensic_cli.records import Weights
from forensic_cli.weights import RECORD, bundle_folder
from forensic_cli.writing import atomic

_WRAPPINGS = ("model", "state_dict", "model_state_dict", "net")  # what trainings call the tensors among what they save
_PREFIXES = ("module.", "_orig_mod.")  # what torch's wrappers put before every name


@dataclass(frozen=True)
class Converted:
    """What was made of a checkpoint. `as_published`: whether it is the authors' own file; None where that is not known."""

    path: Path
    tensors: int
    sha256: str
    origin_sha256: str
    as_published: bool | None


def convert(detector: Detector, file: Path, output: Path | None) -> Converted:
    """Write what is in `file` as the safetensors that `detector` loads, to `output` or where it looks by itself.

    Nothing is written unless every tensor fits. Raises UsageError or WeightsError.
    """
    if not isinstance(detector, Converts):
        raise UsageError(
            f"{detector.name} has no checkpoints that could be converted; see `forensic methods {detector.name}`"
        )
    published = next((weights for weights in weights_of(detector.options) if weights.by_hand), None)
    if output is None and published is None:
        raise UsageError(f"{detector.name} has no place of its own for weights: name a file with -o FILE.safetensors")
    if output is not None and output.suffix != ".safetensors":
        raise UsageError(f"{output}: the name of the new file must end in .safetensors")
    tensors = detector.converted(checkpoint(file), str(file))
    origin = digests.sha256(file)
    facts = {"format": "pt", "method": detector.name, "origin": file.name, "origin_sha256": origin, "forensic": __version__}
    content = save({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, facts)
    path = output or _folder(published) / "model.safetensors"
    with atomic(path) as stream:
        stream.write(content)
    made = digests.sha256(path)
    if output is None and published is not None:
        _sign(published, path, made)
    known = published.pickle_sha256 if published else ""
    return Converted(path, len(tensors), made, origin, origin == known if known else None)


def checkpoint(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a pickle by name, without what a training wraps them in. Raises WeightsError if it holds code."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # the options of a training: names and values
            found = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"{file} cannot be read ({error.strerror or error})") from error
    except pickle.UnpicklingError as error:
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"is a pickle that holds code or objects ({code[1]})" if code else "is no checkpoint of torch, or holds code"
        raise WeightsError(f"{file} {what}: only one with nothing but tensors, words and numbers is opened") from error
    except (RuntimeError, ValueError, EOFError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise WeightsError(f"{file} is no checkpoint of torch, or is damaged") from error
    return _named(found, file)


def _named(found: Any, file: Path) -> dict[str, torch.Tensor]:
    while isinstance(found, dict) and (inner := next((w for w in _WRAPPINGS if isinstance(found.get(w), dict)), None)):
        found = found[inner]
    entries = found.items() if isinstance(found, dict) else ()
    tensors = {name: value for name, value in entries if isinstance(name, str) and isinstance(value, torch.Tensor)}
    if not tensors:
        raise WeightsError(
            f"{file} holds no tensors by name; expected a state dict, as torch.save(model.state_dict()) writes"
        )
    while prefix := next((one for one in _PREFIXES if all(name.startswith(one) for name in tensors)), None):
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _folder(weights: Weights | None) -> Path:
    assert weights is not None
    folder = bundle_folder(weights.source, "converted")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(f"{folder} cannot be made ({error.strerror}): name a file with -o FILE.safetensors") from error
    return folder


def _sign(weights: Weights, path: Path, sha256: str) -> None:
    """Say beside the file whose it is, as `forensic weights unbundle` does, so that the method finds it."""
    files = {path.name: {"sha256": sha256, "size": path.stat().st_size}}
    record = {"source": weights.source, "revision": None, "asked": None, "licence": weights.licence, "single": path.name}
    with atomic(path.with_name(RECORD)) as stream:
        stream.write(json.dumps({**record, "files": files}, indent=1).encode())
