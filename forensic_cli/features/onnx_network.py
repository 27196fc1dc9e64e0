"""A classifier run by ONNX Runtime, from one file: uint8 crops in, log-odds out. Needs no torch."""

from __future__ import annotations

import json
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

from forensic_cli.classifier import Classifier
from forensic_cli.detector import Session
from forensic_cli.errors import WeightsError, out_of_memory
from forensic_cli.features.drivers import nvidia_driver

METADATA = "forensic"
"""The entry of the file's metadata that holds the Classifier, as JSON."""

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_MOST = 32  # crops in one run
_PIXELS = 1 << 18  # and their pixels on a CPU: what lies between two layers should fit into its caches
_ROOM = 8 << 20  # pixels in all runs of a CPU that go on at once
_NOISE = re.compile(  # how ONNX Runtime introduces what it has to say
    r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from .*? failed:|Fatal error: "
    r"|\w*onnxruntime::.*?\) (?=[A-Z\d])|/\S+\.cc:\d+ "
)
_WORDS = 200  # characters of what ONNX Runtime says


class OnnxNetwork:
    """On the CPU every core runs crops of its own: the cores need not wait for one another at each layer, and
    what a crop scores does not depend on how many there are."""

    def __init__(self, runner: onnxruntime.InferenceSession, classifier: Classifier, where: str) -> None:
        self.classifier = classifier
        self.provider: str = runner.get_providers()[0]
        self._runner = runner
        self._where = where
        self._names = [one.name for one in runner.get_outputs()]
        self._cores = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._cores, thread_name_prefix="forensic-onnx")

    @classmethod
    def load(cls, path: Path, session: Session) -> OnnxNetwork:
        """Raises WeightsError for a file that is not one of ours, and where a GPU is required and not used."""
        runner = _opened(path, _gpu(session.device))
        network = cls(runner, _described(runner, path), str(path))
        if session.require_gpu and network.provider != _CUDA:
            raise WeightsError(
                f"{path}: ONNX Runtime has no CUDA device and would take the CPU (--require-gpu; forensic doctor)"
            )
        return network

    def __call__(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        if self.provider == _CUDA:
            parts = [self._on_gpu(crops[start : start + _MOST]) for start in range(0, len(crops), _MOST)]
        else:
            parts = self._on_cpu(crops)
        answers = [np.concatenate(each) for each in zip(*parts, strict=True)]
        odds, maps = answers[0], answers[1] if len(answers) > 1 else None
        if odds.shape != (len(crops),) or (maps is not None and len(maps) != len(crops)):
            raise WeightsError(f"{self._where} gives scores of shape {odds.shape} for {len(crops)} crops")
        return odds, maps

    def _on_cpu(self, crops: np.ndarray) -> list[list[np.ndarray]]:
        pixels = crops.shape[1] * crops.shape[2]
        step = max(1, min(_MOST, _PIXELS // pixels, -(-len(crops) // self._cores)))
        at_once = max(1, min(self._cores, _ROOM // (step * pixels)))
        starts = range(0, len(crops), step)
        parts: list[list[np.ndarray]] = []
        for first in range(0, len(starts), at_once):
            some = [crops[start : start + step] for start in starts[first : first + at_once]]
            parts += self._pool.map(self._run, some)
        return parts

    def _run(self, crops: np.ndarray) -> list[np.ndarray]:
        try:
            answers: list[np.ndarray] = self._runner.run(self._names, {"crops": np.ascontiguousarray(crops)})
        except Exception as error:  # its exceptions share no base
            raise _failed(self._where, error) from error
        return answers

    def _on_gpu(self, crops: np.ndarray) -> list[np.ndarray]:
        """Input and outputs stay on the device but for one copy each way."""
        index = int(self._runner.get_provider_options()[_CUDA].get("device_id", 0))
        try:
            binding = self._runner.io_binding()
            there = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(crops), "cuda", index)
            binding.bind_ortvalue_input("crops", there)
            for name in self._names:
                binding.bind_output(name, "cuda", index)
            self._runner.run_with_iobinding(binding)
            answers: list[np.ndarray] = binding.copy_outputs_to_cpu()
        except Exception as error:  # its exceptions share no base
            raise _failed(self._where, error) from error
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
    if kind != "cuda" or _CUDA not in onnxruntime.get_available_providers() or not nvidia_driver():
        return None
    if hasattr(onnxruntime, "preload_dlls"):
        with redirect_stdout(StringIO()):  # it prints what it does not find
            onnxruntime.preload_dlls()
    return int(index or 0)


def _opened(path: Path, gpu: int | None) -> onnxruntime.InferenceSession:
    """A session on the GPU, else on the CPU; that it fell back is seen from its providers alone."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.use_deterministic_compute = True
    providers: Sequence[Any] = [_CPU]
    if gpu is not None:
        onnxruntime.set_default_logger_severity(4)
        # TensorFloat-32 would break the promise of equal scores in any batch, and so would a search for the fastest kernel.
        chosen = {"device_id": str(gpu), "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
        providers = [(_CUDA, chosen), _CPU]
    try:
        return onnxruntime.InferenceSession(str(path), settings, providers=providers)
    except Exception as error:  # its exceptions share no base
        raise WeightsError(f"{path} cannot be opened by ONNX Runtime: {_words(error)}") from error


def _described(runner: onnxruntime.InferenceSession, path: Path) -> Classifier:
    """What the file says it is; raises WeightsError where it says nothing, or its inputs and outputs are others."""
    text = runner.get_modelmeta().custom_metadata_map.get(METADATA)
    if text is None:
        raise WeightsError(f"{path} was not written by `forensic export-onnx`: it has no metadata {METADATA!r}")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: its metadata {METADATA!r} is not JSON ({error})") from error
    classifier = Classifier.from_json(value, str(path))
    inputs = [(one.name, one.type, len(one.shape), one.shape[-1:]) for one in runner.get_inputs()]
    outputs = [(one.name, one.type, len(one.shape)) for one in runner.get_outputs()]
    wanted = [("score", "tensor(float)", 1), ("evidence", "tensor(float)", 3)]
    if inputs != [("crops", "tensor(uint8)", 4, [3])] or outputs not in (wanted[:1], wanted):
        raise WeightsError(f"{path} does not go from uint8 crops (M, H, W, 3) to a score (M): it is none of our files")
    sides = [side for side in runner.get_inputs()[0].shape[1:3] if isinstance(side, int)]
    size = None if classifier.look.whole else classifier.look.size
    if any(side != size for side in sides):
        raise WeightsError(f"{path} takes crops of {' x '.join(map(str, sides))} pixels, but says {size or 'any size'}")
    return classifier
