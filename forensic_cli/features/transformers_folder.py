"""Reads a network from a folder in transformers format: quietly, strictly, and with one line for what is wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError

from forensic_cli.errors import WeightsError, reason

_IDLE = {"embeddings.mask_token"}  # for training alone; a network without it is whole


def pretrained(folder: Path, cls: Any, kinds: Sequence[str], needed: str, source: str) -> Any:
    """A network of the transformers class `cls` with float32 weights, on the CPU, from a folder whose config.json says one
    of `kinds`. Raises WeightsError that says what is `needed`, and names the keys that do not fit."""
    quiet = transformers.utils.logging
    level = quiet.get_verbosity()
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        if config.model_type not in kinds:
            raise WeightsError(f"{source} holds a {config.model_type} network; {needed} is needed")
        model, report = cls.from_pretrained(
            folder,
            config=getattr(config, "vision_config", config),
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told below, by name
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise WeightsError(f"{source} cannot be read as {needed} of transformers: {reason(error)}") from error
    finally:
        quiet.set_verbosity(level)
    missing = sorted(set(report["missing_keys"]) - _IDLE)
    if missing or report["mismatched_keys"]:
        named = ", ".join(missing[:3] or sorted(key for key, *_ in report["mismatched_keys"])[:3])
        raise WeightsError(f"{source} does not fit its own config.json: {named} missing or of another shape")
    return model
