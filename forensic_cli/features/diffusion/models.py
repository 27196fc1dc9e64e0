"""What a diffusers folder holds, as records that are known before any network is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forensic_cli.detector import Session
from forensic_cli.errors import WeightsError
from forensic_cli.features.diffusion.folder import Part, opened, part, read_json
from forensic_cli.features.diffusion.schedule import Schedule, read_schedule
from forensic_cli.records import Weights

_AUTOENCODERS = ("AutoencoderKL", "AutoencoderTiny", "VQModel")
_UNETS = ("UNet2DConditionModel", "UNet2DModel")
_CLIP = ("CLIPTextModel", "CLIPTextModelWithProjection")
_PLACES = ("vae", "vqvae", "movq", "")
_PARTS = ("vae", "vqvae", "unet", "scheduler", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
_CHANNELS = {"AutoencoderKL": 4, "AutoencoderTiny": 4, "VQModel": 3}  # unless its config says otherwise


@dataclass(frozen=True)
class Space:
    """Where latents live. Without an autoencoder they are the pixels themselves, in [-1, 1].

    `cell`: heights and widths in pixels have to be multiples of it: one latent, or the few that a U-Net halves.
    """

    autoencoder: Part | None
    cell: int
    source: str = field(compare=False)

    @property
    def factor(self) -> int:
        """Pixels along the side of one latent."""
        return _factor(self.autoencoder.config) if self.autoencoder else 1

    @property
    def channels(self) -> int:
        return _channels(self.autoencoder)


@dataclass(frozen=True)
class Diffusion:
    """A diffusion model: equal where networks and schedule are, wherever they lie. `zeros`: it was trained with zeros for
    "no prompt" (SDXL), so that the text encoders are not asked for it."""

    space: Space
    unet: Part
    schedule: Schedule
    encoders: tuple[Part, ...]
    zeros: bool

    @property
    def source(self) -> str:
        return self.unet.source


def latent_space(session: Session, *, weights: Weights) -> Space:
    """A key of `session.once`. An autoencoder alone is enough: in vae/ (vqvae/, movq/) or at the top of the folder.

    Raises WeightsError if there is none.
    """
    source = weights.source
    path = opened(session, weights, ("vae",))
    found = part(path, source, _PLACES, _AUTOENCODERS)
    if found is None:
        raise WeightsError(f"{source}: no vae/ there, and no autoencoder at its top{_instead(path)}; {_NEEDED}")
    return Space(found, _factor(found.config), source)


def diffusion(session: Session, *, weights: Weights) -> Diffusion:
    """A key of `session.once`. Reads and checks what the folder says of itself; no network is loaded.

    Raises WeightsError: no diffusers folder, a sub-folder that is missing, networks that do not fit each other.
    """
    source = weights.source
    path = opened(session, weights, _PARTS)
    index = read_json(path / "model_index.json") or {}
    unet = part(path, source, ("unet", ""), _UNETS)
    autoencoder = part(path, source, _PLACES, _AUTOENCODERS)
    if unet is None:
        also = "only an autoencoder there, and this method predicts noise" if autoencoder else f"{_NEEDED}"
        raise WeightsError(f"{source}: no unet/ there{_instead(path)}; {also}")
    listed = next((name for name in _PLACES[:3] if name in index), None)
    if autoencoder is None and (listed or unet.kind == "UNet2DConditionModel"):
        raise WeightsError(f"{source}: no {listed or 'vae'}/ there: copy the whole folder")
    _check_channels(autoencoder, unet)
    _check_conditions(unet)
    halved = 2 ** (len(unet.config.get("block_out_channels", ())) - 1) if unet.kind == "UNet2DModel" else 1
    space = Space(autoencoder, halved * (_factor(autoencoder.config) if autoencoder else 1), source)
    encoders = _encoders(path, source, unet)
    zeros = bool(unet.config.get("addition_embed_type")) and bool(index.get("force_zeros_for_empty_prompt", True))
    return Diffusion(space, unet, read_schedule(path, source), encoders, zeros)


_NEEDED = "a diffusers folder is needed (vae/, unet/, scheduler/)"


def _instead(path: Path) -> str:
    """What the top of the folder holds, if that is a network of a class that is not known."""
    kind = (read_json(path / "config.json") or {}).get("_class_name")
    return f" (it is a folder of {kind})" if kind and kind not in _AUTOENCODERS + _UNETS else ""


def _factor(config: Mapping[str, Any]) -> int:
    blocks = config.get("block_out_channels") or config.get("encoder_block_out_channels") or ()
    return int(2 ** max(0, len(blocks) - 1))


def _channels(autoencoder: Part | None) -> int:
    if autoencoder is None:
        return 3
    return int(autoencoder.config.get("latent_channels") or _CHANNELS[autoencoder.kind])


def _check_channels(autoencoder: Part | None, unet: Part) -> None:
    """Raises WeightsError where latents do not fit into the U-Net."""
    latents = _channels(autoencoder)
    takes, gives = unet.config.get("in_channels"), unet.config.get("out_channels")
    if takes == latents and gives in (latents, 2 * latents):
        return
    made = f"its autoencoder makes {latents} channels" if autoencoder else "an image has 3 channels"
    cure = "a text-to-image model is needed, not one for inpainting" if takes == 2 * latents + 1 else "they do not fit"
    raise WeightsError(f"{unet.source}: {made}, its U-Net takes {takes} and gives {gives}: {cure}")


def _check_conditions(unet: Part) -> None:
    """Raises WeightsError where the U-Net wants to be told more than a prompt."""
    wants = unet.config.get("addition_embed_type")
    if wants not in (None, "text_time"):
        raise WeightsError(f"{unet.source}: its U-Net wants conditions of kind {wants!r}; text or text_time is needed")
    if unet.config.get("class_embed_type") or unet.config.get("num_class_embeds"):
        raise WeightsError(f"{unet.source}: its U-Net wants to be told a class, which an image of unknown origin has not")


def _encoders(path: Path, source: str, unet: Part) -> tuple[Part, ...]:
    """The text encoders that the folder has, in order; for a U-Net that takes text."""
    if unet.kind == "UNet2DModel":
        return ()
    found = [part(path, source, (name,), _CLIP, stem="model") for name in ("text_encoder", "text_encoder_2")]
    return tuple(one for one in found if one)
