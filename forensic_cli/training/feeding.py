"""Batches for training, made ahead by worker processes; each is a pure function of the step, so that resuming is exact."""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import torch
from torch.multiprocessing import reductions
from torch.utils.data import DataLoader, Dataset

from forensic_cli import images
from forensic_cli.datasets import Labelled, content
from forensic_cli.errors import ForensicError, TrainingError, reason
from forensic_cli.formats import NotAnImage
from forensic_cli.training.augmentation import Augment, View, crop
from forensic_cli.training.sampling import Sampler

_REMEMBERED = 1 << 30  # bytes of decoded images that each worker keeps
_TRIES = 20


@dataclass(frozen=True)
class Crops:
    """How an image becomes a training crop; see `augmentation.crop`."""

    size: int
    view: View
    augment: Augment
    repeats: int


Target = Callable[[Labelled, np.ndarray], float | Sequence[float] | np.ndarray]
"""What is to be learnt of an image and its crop (size, size, 3): a number, or always the same count of them."""


def generated(item: Labelled, crop: np.ndarray) -> float:
    """1 for what is generated, 0 for all else."""
    return float(item.generated)


@dataclass(frozen=True)
class Drawn:
    """One batch: uint8 crops (B, size, size, 3), what is to be learnt of them, and what could not be read.

    `targets`: float32 (B,) or (B, K). `failure`: why there is no batch; a worker process that raised could only send its
    traceback along.
    """

    crops: torch.Tensor
    targets: torch.Tensor
    problems: tuple[str, ...] = ()
    failure: str = ""


class Batches(Dataset[Drawn]):
    """The batch of each step, its targets by `target`. Of several processes each makes its share (`rank` of `world`)."""

    def __init__(
        self,
        items: Sequence[Labelled],
        sampler: Sampler,
        crops: Crops,
        seed: int,
        rank: int = 0,
        world: int = 1,
        target: Target = generated,
    ) -> None:
        self._items = items
        self._sampler = sampler
        self._crops = crops
        self._seed = seed
        self._rank, self._world = rank, world
        self._target = target
        self._decoded: OrderedDict[int, np.ndarray] = OrderedDict()
        self._held = 0
        self._broken: dict[int, str] = {}

    def __getitem__(self, step: int) -> Drawn:
        try:
            return self._drawn(step)
        except TrainingError as error:
            return Drawn(torch.empty(0), torch.empty(0), failure=str(error))

    def _drawn(self, step: int) -> Drawn:
        known = set(self._broken)
        drawn = list(enumerate(self._sampler.batch(step)))[self._rank :: self._world]
        made = [self._make(step, place, index) for place, index in drawn]
        targets = np.asarray([self._target(self._items[index], pixels) for pixels, index in made], np.float32)
        problems = tuple(words for index, words in self._broken.items() if index not in known)
        return Drawn(torch.from_numpy(np.stack([pixels for pixels, _ in made])), torch.from_numpy(targets), problems)

    def _make(self, step: int, place: int, index: int) -> tuple[np.ndarray, int]:
        """The crop, and which item it shows: another of the same class where this one cannot be read."""
        generated = self._items[index].generated
        for attempt in range(_TRIES):
            pixels = self._pixels(index) if index not in self._broken else None
            if pixels is not None:
                entropy = np.random.SeedSequence([self._seed, step, place, attempt]).generate_state(2)
                seed = int(entropy[0]) << 32 | int(entropy[1])
                how = self._crops
                return crop(pixels, how.size, how.view, how.augment, seed, how.repeats), index
            others = self._sampler.batch(step + (attempt + 1) * 1_000_003)
            index = next((one for one in others if self._items[one].generated == generated), index)
        raise TrainingError(f"too many images cannot be read: {self._broken[index]}")

    def _pixels(self, index: int) -> np.ndarray | None:
        if index in self._decoded:
            self._decoded.move_to_end(index)
            return self._decoded[index]
        item = self._items[index]
        try:
            data = content(item)
            pixels = images.decode(data, images.probe(data))
        except (ForensicError, NotAnImage, OSError) as error:
            self._broken[index] = f"{item.path}: {reason(error)}"
            return None
        self._decoded[index] = pixels
        self._held += pixels.nbytes
        while self._held > _REMEMBERED:
            self._held -= self._decoded.popitem(last=False)[1].nbytes
        return pixels


class Feed:
    """Batches from step `start` on, with the time that the consumer spent waiting for them.

    What cannot be read is told once, whichever of the workers met it. Raises TrainingError where no batch can be made.
    """

    def __init__(self, batches: Dataset[Drawn], start: int, end: int, workers: int) -> None:
        with _as_asked():
            self._loader = DataLoader(
                batches,
                batch_size=None,
                sampler=range(start, end),
                num_workers=workers,
                prefetch_factor=4 if workers else None,
                multiprocessing_context="fork" if workers and not torch.cuda.is_available() else None,
            )
        self._told: set[str] = set()
        self.waited = 0.0

    def __iter__(self) -> Iterator[Drawn]:
        with _as_asked():
            source = iter(self._loader)
        while True:
            began = perf_counter()
            drawn = self._next(source)
            self.waited += perf_counter() - began
            if drawn is None:
                reductions.shared_cache.free_dead_references()  # type: ignore[no-untyped-call]  # torch trips over them at exit
                return
            if drawn.failure:
                raise TrainingError(drawn.failure)
            fresh = tuple(words for words in drawn.problems if words not in self._told)
            self._told.update(fresh)
            yield replace(drawn, problems=fresh)

    def _next(self, source: Iterator[Drawn]) -> Drawn | None:
        try:
            return next(source, None)
        except RuntimeError as error:
            if "DataLoader worker" not in str(error) or "Traceback" in str(error):
                raise
            hint = "it may have run out of memory; try fewer --workers"
            raise TrainingError(f"a process that prepares images died: {hint} ({reason(error)})") from error


@contextmanager
def _as_asked() -> Iterator[None]:
    """More workers than cores are what somebody asked for; torch need not say so."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create")
        yield
