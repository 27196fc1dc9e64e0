"""Reads the networks of a diffusers folder: quietly, strictly, from safetensors alone."""

from typing import Any

import diffusers
import torch
from safetensors import SafetensorError

from forensic_cli.detector import Session
from forensic_cli.errors import WeightsError, out_of_memory, reason
from forensic_cli.features.diffusion.folder import Part


def load(part: Part, session: Session, dtype: torch.dtype) -> Any:
    """The network on the session's device, weights in `dtype`. Raises WeightsError that names the keys that do not fit."""
    cls, where = getattr(diffusers, part.kind), f"{part.source} ({part.folder.name}/)"
    quiet = diffusers.utils.logging
    level = quiet.get_verbosity()
    quiet.set_verbosity(quiet.CRITICAL)
    try:
        with torch.random.fork_rng(devices=()):  # what a network draws before it is filled is nobody else's affair
            model, report = cls.from_pretrained(
                part.folder,
                torch_dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
                low_cpu_mem_usage=False,  # missing tensors would stay without memory
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        if out_of_memory(error):
            raise
        raise WeightsError(f"{where} cannot be read as {part.kind} of diffusers: {reason(error)}") from error
    finally:
        quiet.set_verbosity(level)
    for names, words in ((report["missing_keys"], "lacks"), (report["unexpected_keys"], "has in addition")):
        if names:
            more = f" and {len(names) - 3} more" * (len(names) > 3)
            raise WeightsError(f"{where} does not fit its own config.json: it {words} {', '.join(sorted(names)[:3])}{more}")
    return model.eval().requires_grad_(False).to(session.device)
