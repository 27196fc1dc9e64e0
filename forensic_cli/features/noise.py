"""Random numbers that belong to an image: the same whatever the batch, its order, the path or the machine."""

import torch

from forensic_cli.detector import Batch


def gaussian(batch: Batch, *, shape: tuple[int, ...], purpose: str = "noise", draw: int = 0) -> torch.Tensor:
    """Standard normal noise for each image, (N, *shape), float32 on the session's device."""
    parts = []
    for ref in batch.refs:
        generator = torch.Generator().manual_seed(batch.session.seed_for(ref.sha256, purpose, draw))
        parts.append(torch.randn(shape, generator=generator))
    return torch.stack(parts).to(batch.session.device)
