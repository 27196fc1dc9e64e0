"""A graph run by ONNX Runtime: uint8 crops in, arrays out, on a GPU or on all cores of a CPU. Needs no torch."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from forensic_cli.detector import Session
from forensic_cli.errors import WeightsError, out_of_memory
from forensic_cli.features.drivers import nvidia_driver

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_MOST = 32  # crops in one run
_PIXELS = 1 << 18  # and their pixels on a CPU: what lies between two layers should fit into its caches
_ROOM = 8 << 20  # pixels in all runs of a CPU that go on at once
_NOISE = re.compile(  # how ONNX Runtime introduces what it has to say
    r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from .*? failed:|Fatal error: "
    r"|\w*onnxruntime::.*?\) (?=[A-Z\d])|/\S+\.cc:\d+ "
)
_WORDS = 200  # characters of what ONNX Runtime says


class OnnxRunner:
    """On the CPU every core runs crops of its own: the cores need not wait for one another at each layer, and
    what a crop gives does not depend on how many there are.

    `singly`: one crop a run, for networks in which the last bit of a sum decides how a number is rounded to 8 bits.
    """

    def __init__(self, runner: onnxruntime.InferenceSession, where: str, singly: bool = False) -> None:
        self.runner = runner
        self.provider: str = runner.get_providers()[0]
        self.where = where
        self._names = [one.name for one in runner.get_outputs()]
        self._most = 1 if singly else _MOST
        self._cores = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._cores, thread_name_prefix="forensic-onnx")

    @classmethod
    def load(cls, path: Path, session: Session, singly: bool = False) -> OnnxRunner:
        """Raises WeightsError for a file that is none, and where a GPU is required and not used."""
        made = cls(_opened(path, _gpu(session.device)), str(path), singly)
        if session.require_gpu and made.provider != CUDA:
            raise WeightsError(
                f"{path}: ONNX Runtime has no CUDA device and would take the CPU (--require-gpu; forensic doctor)"
            )
        return made

    def __call__(self, crops: np.ndarray) -> list[np.ndarray]:
        """Every output for all crops (M, H, W, 3), one after the other along the first axis."""
        if self.provider == CUDA:
            parts = [self._on_gpu(crops[start : start + _MOST]) for start in range(0, len(crops), _MOST)]
        else:
            parts = self._on_cpu(crops)
        return [np.concatenate(each) for each in zip(*parts, strict=True)]

    def _on_cpu(self, crops: np.ndarray) -> list[list[np.ndarray]]:
        pixels = crops.shape[1] * crops.shape[2]
        step = max(1, min(self._most, _PIXELS // pixels, -(-len(crops) // self._cores)))
        at_once = max(1, min(self._cores, _ROOM // (step * pixels)))
        starts = range(0, len(crops), step)
        parts: list[list[np.ndarray]] = []
        for first in range(0, len(starts), at_once):
            some = [crops[start : start + step] for start in starts[first : first + at_once]]
            parts += self._pool.map(self._run, some)
        return parts

    def _run(self, crops: np.ndarray) -> list[np.ndarray]:
        try:
            answers: list[np.ndarray] = self.runner.run(self._names, {"crops": np.ascontiguousarray(crops)})
        except Exception as error:  # its exceptions share no base
            raise _failed(self.where, error) from error
        return answers

    def _on_gpu(self, crops: np.ndarray) -> list[np.ndarray]:
        """Input and outputs stay on the device but for one copy each way."""
        index = int(self.runner.get_provider_options()[CUDA].get("device_id", 0))
        try:
            binding = self.runner.io_binding()
            there = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(crops), "cuda", index)
            binding.bind_ortvalue_input("crops", there)
            for name in self._names:
                binding.bind_output(name, "cuda", index)
            self.runner.run_with_iobinding(binding)
            answers: list[np.ndarray] = binding.copy_outputs_to_cpu()
        except Exception as error:  # its exceptions share no base
            raise _failed(self.where, error) from error
        return answers


def _failed(where: str, error: Exception) -> Exception:
    """Out of memory keeps its name, so that the engine tries a smaller batch."""
    if out_of_memory(error) or "Failed to allocate memory" in str(error):
        return MemoryError("out of memory in ONNX Runtime")
    return WeightsError(f"{where} fails in ONNX Runtime: {_words(error)}")


def _words(error: Exception) -> str:
    """What ONNX Runtime says, without its own function names."""
    text = _NOISE.sub("", " ".join(str(error).split())) or type(error).__name__
    return text if len(text) <= _WORDS else text[: _WORDS - 3] + "..."


def _gpu(device: str) -> int | None:
    """The CUDA device to ask for, if one was chosen and there is a driver: without it ONNX Runtime only complains."""
    kind, _, index = device.partition(":")
    if kind != "cuda" or CUDA not in onnxruntime.get_available_providers() or not nvidia_driver():
        return None
    if hasattr(onnxruntime, "preload_dlls"):
        with redirect_stdout(StringIO()):  # it prints what it does not find
            onnxruntime.preload_dlls()
    return int(index or 0)


def _opened(path: Path, gpu: int | None) -> onnxruntime.InferenceSession:
    """A session on the GPU, else on the CPU; that it fell back is seen from its providers alone."""
    settings = onnxruntime.SessionOptions()
    # 8-bit products would be cut off at 16 bits by processors without VNNI, and scores differ from machine to machine
    settings.add_session_config_entry("session.x64quantprecision", "1")
    settings.log_severity_level = 4
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.use_deterministic_compute = True
    providers: Sequence[Any] = [CPU]
    if gpu is not None:
        onnxruntime.set_default_logger_severity(4)
        # TensorFloat-32 would break the promise of equal scores in any batch, and so would a search for the fastest kernel.
        chosen = {"device_id": str(gpu), "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
        providers = [(CUDA, chosen), CPU]
    try:
        return onnxruntime.InferenceSession(str(path), settings, providers=providers)
    except Exception as error:  # its exceptions share no base
        raise WeightsError(f"{path} cannot be opened by ONNX Runtime: {_words(error)}") from error
