"""What lies where in a diffusers folder, which files of it a method needs, and one line for what is wrong with it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from forensic_cli.detector import Session
from forensic_cli.errors import WeightsError
from forensic_cli.records import Weights
from forensic_cli.weights import locate, matching

_TENSORS = "diffusion_pytorch_model"
_SHARDS = (".safetensors", ".safetensors.index.json", "-*-of-*.safetensors")
_WITNESS = {  # a file without which a part is not there
    "text_encoder": "model.safetensors",
    "tokenizer": "tokenizer_config.json",
    "scheduler": "scheduler_config.json",
}
_UNIMPORTANT = {"sample_size", "force_upcast"}  # of a config: the numbers do not depend on them


def _network(*folders: str) -> tuple[str, ...]:
    """The files of one network, whole or in shards, without its half-precision copies."""
    names = ("config.json", *(f"{_TENSORS}{rest}" for rest in _SHARDS))
    return tuple(f"{folder}{name}" for folder in folders for name in names)


def _optional(*names: str) -> tuple[str, ...]:
    """The same names, but not demanded: a pattern that ends in a class of characters is only looked for.

    Which of them a folder has to hold depends on what the others say; `part` tells it better than a list could.
    """
    return tuple(f"{name[:-1]}[{name[-1]}]" if name[-1] != "*" else name for name in names)


AUTOENCODER_FILES = _optional("model_index.json", *_network("vae/", "vqvae/", "movq/", ""))
"""For a `Weights` of a method that only encodes and decodes: the U-Net is not downloaded for it."""

DIFFUSION_FILES = AUTOENCODER_FILES + _optional(
    *_network("unet/"),
    "scheduler/scheduler_config.json",
    "scheduler_config.json",
    *(f"text_encoder{number}/config.json" for number in ("", "_2")),
    *(f"text_encoder{number}/model{rest}" for number in ("", "_2") for rest in _SHARDS),
    "tokenizer/*",
    "tokenizer_2/*",
)
"""For a `Weights` of a method that predicts noise."""

SD14 = Weights(
    "CompVis/stable-diffusion-v1-4",
    revision="133a221b8aa7292a167afc5127cb63fb5005638b",
    licence="CreativeML OpenRAIL-M",
    files=DIFFUSION_FILES,
    bytes=4_270_000_000,  # about
)
"""The usual model of methods that predict noise."""


@dataclass(frozen=True)
class Part:
    """One network of a folder, not loaded. Equal parts have equal tensors and settings, in whatever folder they lie."""

    digest: str
    folder: Path = field(compare=False)
    source: str = field(compare=False)
    config: Mapping[str, Any] = field(compare=False)

    @property
    def kind(self) -> str:
        """The name of its class in diffusers or transformers."""
        return str(self.config.get("_class_name") or next(iter(self.config.get("architectures") or [""])))


def opened(session: Session, weights: Weights, needed: Sequence[str]) -> Path:
    """The folder of these weights. What the folder's own index lists of the parts `needed` and the hub's cache lacks is
    fetched, for another method may have left a part of it there. Raises WeightsError."""
    located = locate(weights, offline=session.offline)
    if located.path.is_file():
        raise WeightsError(f"{weights.source} is a file; a diffusers folder is needed (vae/, unet/, scheduler/)")
    if located.place == "hub":
        listed = read_json(located.path / "model_index.json") or dict.fromkeys(needed)
        witness = {name: _WITNESS.get(name.removesuffix("_2"), f"{_TENSORS}.safetensors") for name in needed}
        files = [Path(name, file) for name, file in witness.items() if name in listed]
        lacking = [file.as_posix() for file in files if not any((located.path / file).parent.glob(f"*{file.suffix}"))]
        if lacking and not (located.path / f"{_TENSORS}.safetensors").is_file():
            located = locate(replace(weights, files=(*weights.files, *lacking)), offline=session.offline)
    return located.path


def part(path: Path, source: str, names: Sequence[str], kinds: Sequence[str], stem: str = _TENSORS) -> Part | None:
    """The network in the first of the sub-folders `names` that there is; "" is the folder itself, which may hold another.

    Raises WeightsError if its class is none of `kinds`, or if it has no safetensors.
    """
    for name in names:
        folder = path / name
        config = read_json(folder / "config.json")
        if config is None:
            if name and folder.is_dir():
                raise WeightsError(f"{source}: no config.json in {name}/: copy the whole folder anew")
            continue
        found = Part("", folder, source, config)
        if found.kind not in kinds:
            if not name:
                continue
            held = found.kind or "no network that says its class"
            raise WeightsError(f"{source}: {name}/ holds {held}; {' or '.join(kinds)} is needed")
        tensors = matching(folder, [f"{stem}.safetensors", f"{stem}-*-of-*.safetensors"])
        if not tensors:
            pickles = sorted(one.name for one in folder.glob("*.bin"))
            beside = f"; {pickles[0]} there is a pickle, which can run code when opened: convert it" if pickles else ""
            raise WeightsError(f"{source}: no {Path(name, stem).as_posix()}.safetensors{beside}")
        return replace(found, digest=_digest(folder, tuple(tensors), config))
    return None


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object, None if there is no such file. Raises WeightsError."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise WeightsError(f"{path} holds no JSON object")
    return value


def _digest(folder: Path, files: tuple[str, ...], config: Mapping[str, Any]) -> str:
    tensors = locate(Weights(str(folder), files=files)).sha256
    said = {key: value for key, value in config.items() if not key.startswith("_") and value is not None}
    settings = {key: value for key, value in said.items() if key not in _UNIMPORTANT}
    facts = [tensors, config.get("_class_name"), settings]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
