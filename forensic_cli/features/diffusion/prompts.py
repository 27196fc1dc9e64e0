"""What a U-Net is told besides the noisy latent: the embedding of a prompt, computed once, its text encoder let go."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from forensic_cli.detector import Session
from forensic_cli.errors import WeightsError, out_of_memory, reason
from forensic_cli.features.diffusion.folder import Part
from forensic_cli.features.diffusion.models import Diffusion
from forensic_cli.features.transformers_folder import pretrained


@dataclass(frozen=True)
class Conditions:
    """Token embeddings (1, T, D) and, for SDXL, the pooled embedding (1, P); both None for a U-Net that takes no text."""

    tokens: torch.Tensor | None = None
    pooled: torch.Tensor | None = None


def conditions(session: Session, *, model: Diffusion, prompt: str) -> Conditions:
    """A key of `session.once`. The text encoder runs on the CPU in float32 and is not kept.

    Raises WeightsError if there is none, or if what it makes does not fit the U-Net.
    """
    config = model.unet.config
    if model.unet.kind == "UNet2DModel":
        return Conditions()
    if model.zeros and not prompt:
        return _zeros(session, config)
    twofold = config.get("addition_embed_type") == "text_time"
    if len(model.encoders) < 1 + twofold:
        missing = "text_encoder_2" if model.encoders and twofold else "text_encoder"
        raise WeightsError(f"{model.source}: no {missing}/ there, which the prompt needs: copy the whole folder")
    parts = [_encoded(one, prompt, twofold) for one in model.encoders[: 1 + twofold]]
    tokens = torch.cat([hidden for hidden, _ in parts], dim=-1)
    wanted = _width(config)
    if tokens.shape[-1] != wanted:
        raise WeightsError(
            f"{model.source}: its text encoder makes {tokens.shape[-1]} numbers per token and its U-Net takes {wanted}: "
            "they do not fit"
        )
    return Conditions(tokens.to(session.device), parts[-1][1].to(session.device) if twofold else None)


def _zeros(session: Session, config: Any) -> Conditions:
    pooled = config["projection_class_embeddings_input_dim"] - 6 * config["addition_time_embed_dim"]
    tokens = torch.zeros(1, 77, _width(config), device=session.device)
    return Conditions(tokens, torch.zeros(1, pooled, device=session.device))


def _width(config: Any) -> int:
    width = config.get("cross_attention_dim", 1280)
    return int(width if isinstance(width, int) else width[0])


def _encoded(part: Part, prompt: str, twofold: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Token embeddings: the last layer's, or the last but one's of SDXL; and the pooled embedding."""
    cls = transformers.CLIPTextModelWithProjection if part.kind.endswith("Projection") else transformers.CLIPTextModel
    with torch.random.fork_rng(devices=()):
        encoder = pretrained(part.folder, cls, ("clip_text_model",), "a text encoder of CLIP", part.source).eval()
    ids = _tokens(part, prompt)
    limit, known = encoder.config.max_position_embeddings, encoder.config.vocab_size
    if ids.shape[1] > limit or int(ids.max()) >= known:
        raise WeightsError(f"{part.source}: its tokenizer does not fit its text encoder ({limit} tokens of {known} kinds)")
    with torch.no_grad():
        answer = encoder(ids, output_hidden_states=twofold)
    pooled = answer.text_embeds if hasattr(answer, "text_embeds") else answer.pooler_output
    return (answer.hidden_states[-2] if twofold else answer.last_hidden_state), pooled


def _tokens(part: Part, prompt: str) -> torch.Tensor:
    """The prompt as padded token numbers, (1, T)."""
    folder = Path(part.folder.parent, part.folder.name.replace("text_encoder", "tokenizer"))
    if not folder.is_dir():
        raise WeightsError(f"{part.source}: no {folder.name}/ there, which the prompt needs: copy the whole folder")
    try:
        tokenizer = transformers.CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        length = min(tokenizer.model_max_length, 77)
        asked = tokenizer(prompt, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    except Exception as error:  # of Rust code, which has no narrower ones
        if out_of_memory(error):
            raise
        raise WeightsError(f"{part.source}: {folder.name}/ cannot be read as CLIP's: {reason(error)}") from error
    ids: torch.Tensor = asked["input_ids"]
    return ids
