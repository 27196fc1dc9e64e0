"""Inside a DINOv2 of transformers: tokens, blocks and the class-token embedding, for those who change one of them."""

from collections.abc import Iterable
from typing import Any, Literal

import torch
import torch.nn.functional as F

from forensic_cli.detector import Batch, Session
from forensic_cli.features.crops import Transform, pixels
from forensic_cli.features.encoders.kinds import Family
from forensic_cli.features.encoders.transformers import network
from forensic_cli.records import Weights

PositionEmbedding = Literal["hub", "size"]
FAMILY: Family = "DINOv2"


def tokens(model: Any, images: torch.Tensor, position: PositionEmbedding) -> torch.Tensor:
    """What enters the first block: class token (and registers), then patches, with position: (N, T, D)."""
    parts = model.embeddings
    patches = parts.patch_embeddings(images)  # (N, P, D)
    height, width = images.shape[-2] // model.config.patch_size, images.shape[-1] // model.config.patch_size
    positions = position_embedding(model, height, width, position).to(patches.dtype)
    first = parts.cls_token.expand(len(images), -1, -1)
    embedded = torch.cat((first, patches), dim=1) + positions
    if hasattr(parts, "register_tokens"):
        registers = parts.register_tokens.expand(len(images), -1, -1)
        embedded = torch.cat((embedded[:, :1], registers, embedded[:, 1:]), dim=1)
    return embedded


def position_embedding(model: Any, height: int, width: int, recipe: PositionEmbedding) -> torch.Tensor:
    """Position embeddings for a grid of height x width patches, (1, 1 + height * width, D).

    "hub": as the official torch.hub models resample them: bicubic by the factor (side + 0.1) / 37 without antialiasing,
    or, with registers, by size with antialiasing. "size": by size without antialiasing, as transformers does.
    """
    parts = model.embeddings
    return resampled(parts.position_embeddings, height, width, recipe, registers=hasattr(parts, "register_tokens"))


def resampled(
    stored: torch.Tensor, height: int, width: int, recipe: PositionEmbedding = "hub", registers: bool = False
) -> torch.Tensor:
    """Position embeddings (1, 1 + P, D) of a class token and a square grid, for a grid of height x width."""
    side = round((stored.shape[1] - 1) ** 0.5)
    if (height, width) == (side, side):
        return stored
    grid = stored[:, 1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if recipe == "size" or registers:
        sharp = F.interpolate(grid, size=(height, width), mode="bicubic", antialias=recipe == "hub")
    else:
        factors = ((height + 0.1) / side, (width + 0.1) / side)
        sharp = F.interpolate(grid, scale_factor=factors, mode="bicubic", recompute_scale_factor=False)
    return torch.cat((stored[:, :1], sharp.permute(0, 2, 3, 1).reshape(1, height * width, -1)), dim=1)


def embed(model: Any, hidden: torch.Tensor, blocks: Iterable[Any] | None = None) -> torch.Tensor:
    """The class token after the last LayerNorm, of unit length, float32: (N, D)."""
    for block in model.encoder.layer if blocks is None else blocks:
        hidden = block(hidden)
    return F.normalize(model.layernorm(hidden)[:, 0].float(), dim=-1)


def clean_tokens(batch: Batch, *, weights: Weights, transform: Transform, position: PositionEmbedding) -> torch.Tensor:
    """Tokens of the images as they are, (N, T, D): what clean and perturbed networks have in common."""
    model = batch.session.once(network, weights=weights, family=FAMILY)
    with half(batch.session):
        return tokens(model, batch.once(pixels, transform=transform), position)


def clean_embedding(batch: Batch, *, weights: Weights, transform: Transform, position: PositionEmbedding) -> torch.Tensor:
    """Unit class-token embedding of the images as they are, (N, D)."""
    model = batch.session.once(network, weights=weights, family=FAMILY)
    hidden = batch.once(clean_tokens, weights=weights, transform=transform, position=position)
    with half(batch.session):
        return embed(model, hidden)


def half(session: Session) -> torch.autocast:
    """Matrix products in the session's number format; the weights themselves stay float32."""
    kind = torch.device(session.device).type
    return torch.autocast(kind, dtype=getattr(torch, session.dtype), enabled=session.dtype != "float32")


def distance(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Squared distance of unit vectors = 2 (1 - cosine), shape (N,), float64 on the CPU (Apple GPUs have none).

    Exact where the cosine would round to one.
    """
    return (one.cpu().double() - other.cpu().double()).square().sum(dim=-1)
