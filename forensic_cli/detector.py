"""What the author of a detector imports: the batch to look at, the session around it, the class to fill in."""

from __future__ import annotations

import copy
import hashlib
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from forensic_cli.errors import PluginError, out_of_memory, reason
from forensic_cli.records import Finding, ImageRef

if TYPE_CHECKING:
    import numpy as np
    import torch

Answer = TypeVar("Answer")


class Once:
    """Calls each function once per set of settings and remembers the answer; the function itself is the key."""

    def __init__(self) -> None:
        self._answers: dict[Any, Any] = {}
        self._failures: dict[Any, Exception] = {}

    def once(self, function: Callable[..., Answer], **settings: Any) -> Answer:
        """`function(self, **settings)`, computed by whoever asks first. Settings are hashable: words, numbers, records.

        A setting that is left out is the function's own default: who leaves it out and who writes it share one answer.

        A failure is remembered too: whoever asks again gets the same exception, without the wait. Running out of memory
        is not, for the next try may find more.
        """
        key = (function, tuple(sorted({**_defaults(function), **settings}.items())))
        if key in self._failures:
            raise _afresh(self._failures[key])
        if key not in self._answers:
            try:
                self._answers[key] = function(self, **settings)
            except Exception as error:
                if not out_of_memory(error):
                    self._failures[key] = _afresh(error)
                raise
        answer: Answer = self._answers[key]
        return answer

    def forget(self) -> None:
        """Let go of everything remembered, to free its memory."""
        self._answers.clear()
        self._failures.clear()


@cache
def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """What its settings are where nobody says otherwise."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some callables written in C do not tell
        return {}
    return {name: one.default for name, one in parameters.items() if one.default is not inspect.Parameter.empty}


def _afresh(error: Exception) -> Exception:
    """The same exception without its traceback, whose frames would keep whole batches alive."""
    try:
        return copy.copy(error)
    except Exception:  # a class of its own mind about its arguments
        return PluginError(reason(error))


class Session(Once):
    """One run: its seed, its device and number format, and what was loaded so far (weights, mostly).

    `device` is a torch device ("cpu", "cuda:0", "mps"), `dtype` a torch dtype ("float32", "bfloat16", "float16");
    `offline` forbids the network; with `require_gpu` whoever would run a network on the CPU raises WeightsError instead.
    `half`: no number format was asked for, so that a network whose answers stand it may use bfloat16 where it is faster.
    """

    def __init__(
        self,
        seed: int = 0,
        device: str = "cpu",
        dtype: str = "float32",
        offline: bool = False,
        require_gpu: bool = False,
        half: bool = False,
    ) -> None:
        super().__init__()
        self.seed = seed
        self.device = device
        self.dtype = dtype
        self.offline = offline
        self.require_gpu = require_gpu
        self.half = half

    def seed_for(self, *words: str | int) -> int:
        """A seed in [0, 2^63) for one purpose, the same on every machine.

        For what is random about an image give its SHA-256, a word, the draw; about a model a word and the draw.
        """
        text = "\x1f".join(str(word) for word in (self.seed, *words))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


class Batch(Once):
    """A few images and the session around them.

    `images`: uint8 RGB arrays (height, width, 3) at native size, upright, read-only; empty for detectors that look at
    the file. `refs`: the matching `ImageRef`s. `contents`: the files' bytes, only for detectors that look at the file.
    Each is a new list at every call: whoever sorts it does so alone.
    """

    def __init__(
        self,
        session: Session,
        refs: Sequence[ImageRef],
        images: Sequence[np.ndarray] = (),
        contents: Sequence[bytes] = (),
    ) -> None:
        super().__init__()
        self._session = session
        self._refs = tuple(refs)
        self._images = tuple(images)
        self._contents = tuple(contents)

    @property
    def session(self) -> Session:
        return self._session

    @property
    def refs(self) -> list[ImageRef]:
        return list(self._refs)

    @property
    def images(self) -> list[np.ndarray]:
        return list(self._images)

    @property
    def contents(self) -> list[bytes]:
        return list(self._contents)

    def __len__(self) -> int:
        return len(self.refs)


class Detector:
    """Base of all detectors. The docstring's first sentence is for a layperson; paper and equations come below it."""

    paper: ClassVar[str] = ""
    """Where it comes from: "arXiv:2405.20112", a DOI or an address."""

    looks_at: ClassVar[Literal["pixels", "file"]] = "pixels"
    """"file": gets `batch.contents` and nothing is decoded for it; "pixels": gets `batch.images`."""

    libraries: ClassVar[tuple[str, ...]] = ()
    """Distributions whose version a score depends on ("torch"): recorded, and a stored score of another is not used."""

    claim_kinds: ClassVar[tuple[str, ...]] = ()
    """Kinds of claims that it makes beside the usual ones (`records.ClaimKind`)."""

    unit: ClassVar[Literal["", "log-odds", "probability"]] = ""
    """What the score is, if it claims more than an order: log-odds or probability of "generated"."""

    light: ClassVar[bool] = False
    """Whether it can do without torch on a CPU: the host then does not import it, which takes seconds."""

    cost: ClassVar[str] = ""
    """What one image costs, in words: "2 forward passes of DINOv2 ViT-L/14"."""

    caution: ClassVar[str] = ""
    """What must be known before use ("weights under CC BY-NC 4.0: not for commercial use"), said before a scan."""

    @dataclass(frozen=True)
    class Options:
        """Settings with their defaults; a field of type `Weights` names a network."""

    name: str = ""
    """What the user types; set by the host."""

    provider: str | None = None
    """What ran its network ("torch cpu", "CUDAExecutionProvider"), set by the detector once it is loaded."""

    def __init__(self, session: Session, options: Any = None) -> None:
        self.session = session
        self.options: Any = self.Options() if options is None else options

    @classmethod
    def facts(cls) -> list[str]:
        """Lines for `forensic methods NAME`, such as what the shipped weights were measured to do."""
        return []

    def lasting(self, finding: Finding) -> bool:
        """Whether a finding may be stored for later scans: not where it depends on more than bytes, options and seed."""
        return True

    def score(self, batch: Batch) -> torch.Tensor | np.ndarray | Sequence[float]:
        """One number per image, shape (N,); higher means more likely generated."""
        raise PluginError(f"{type(self).__name__} defines neither score nor examine")

    def examine(self, batch: Batch) -> list[Finding]:
        """One finding per image, in order. The default asks `score`; override it to make statements instead.

        Raises PluginError if there are not as many scores as images.
        """
        start = perf_counter()
        scores = self.score(batch)
        numbers = [float(number) for number in (scores.tolist() if hasattr(scores, "tolist") else scores)]
        if len(numbers) != len(batch):
            raise PluginError(f"{type(self).__name__} gave {len(numbers)} scores for {len(batch)} images")
        compare = getattr(self, "unlike", None)  # abilities.Compares
        strange = [float(one) for one in compare(batch)] if compare else [None] * len(numbers)
        if len(strange) != len(batch):
            raise PluginError(f"{type(self).__name__} compared {len(strange)} of {len(batch)} images")
        seconds = (perf_counter() - start) / len(batch)
        return [_finding(self, number, seconds, one) for number, one in zip(numbers, strange, strict=True)]


def _finding(detector: Detector, number: float, seconds: float, unlike: float | None) -> Finding:
    if not math.isfinite(number):
        return Finding(detector.name, seconds=seconds, error=f"the score is {number}")
    strange = unlike if unlike is not None and math.isfinite(unlike) else None
    return Finding(detector.name, score=number, verdict="uncalibrated", seconds=seconds, unlike=strange)
