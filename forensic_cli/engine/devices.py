"""Where torch runs: from what the user typed to a device and a number format, with what the engine needs of both."""

import gc
import os

import torch

from forensic_cli.engine.examining import Runtime
from forensic_cli.errors import UsageError


def choose_device(word: str, require_gpu: bool = False) -> str:
    """A torch device for "auto", "cpu", "cuda", "cuda:N" or "mps"; raises UsageError if this machine has none."""
    device = _device(word)
    if require_gpu and device == "cpu":
        why = "--device cpu asks for none" if word == "cpu" else "torch sees none on this machine (forensic doctor)"
        raise UsageError(f"--require-gpu needs a GPU, and {why}")
    return device


def _device(word: str) -> str:
    name, _, index = word.partition(":")
    if word == "auto":
        return "cuda:0" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "mps" and not torch.backends.mps.is_available():
        raise UsageError("--device mps: this machine has no Apple GPU that torch can use")
    if name == "cuda" and int(index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise UsageError(f"--device {word}: torch sees {count or 'no'} CUDA device{'s' * (count != 1)} (forensic doctor)")
    return f"cuda:{index or 0}" if name == "cuda" else name


def choose_dtype(word: str) -> str:
    """ "auto" is float32 everywhere: the statistics of some detectors drown in the rounding of half precision."""
    return "float32" if word == "auto" else word


def batch_size(device: str) -> int:
    """How many images a batch holds unless the user says otherwise; out of memory halves it."""
    return 8 if device == "cpu" else 32


def torch_runtime(device: str) -> Runtime:
    """Inference mode without TensorFloat-32, whose ten bits would break the promise of equal scores in any batch."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False

    def free() -> None:
        gc.collect()
        if device.startswith("cuda"):
            torch.cuda.empty_cache()
        elif device == "mps":
            torch.mps.empty_cache()

    return Runtime(torch.inference_mode, free)


def processes(asked: int | None) -> int:
    """Processes that prepare images for a training, unless asked otherwise: one less than cores, at most eight."""
    return asked if asked is not None else max(1, min(8, (os.cpu_count() or 2) - 1))
