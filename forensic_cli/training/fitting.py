"""The training loop: AdamW, warm-up and cosine, averaged weights, mixed precision, several devices, exact resume."""

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import Dataset

from forensic_cli.errors import TrainingError
from forensic_cli.training.feeding import Drawn, Feed
from forensic_cli.training.job import CHECKPOINT, Watch
from forensic_cli.writing import atomic

_SELDOM = 300.0  # seconds between two checkpoints, at most


@dataclass(frozen=True)
class Plan:
    """How to optimise.

    `warmup` is a share of the steps; `floor` the last learning rate over the highest; `average` the decay of the averaged
    weights per step (0: none); `clip` the largest norm of the gradient; `precision` a word of
    accelerate's ("no", "fp16", "bf16"); `keep_every` the steps between two checkpoints, which are never more than five
    minutes apart. `members`: so many trainings of `steps` each, one after the other, all from the same start and none with
    the batches of another; the result is the mean of their averaged weights.
    """

    steps: int
    lr: float
    weight_decay: float
    warmup: float
    floor: float
    average: float
    clip: float
    precision: str = "no"
    keep_every: int = 100
    members: int = 1

    @property
    def total(self) -> int:
        """Steps of all members together."""
        return self.steps * self.members


@dataclass
class State:
    """Where a training stands: `losses` has [step, mean loss of ten steps, learning rate], `checks` what was measured.

    `recent`: the losses since the last of those means.
    """

    step: int = 0
    recent: list[float] = field(default_factory=list)
    losses: list[list[float]] = field(default_factory=list)
    checks: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    waited: float = 0.0


Loss = Callable[[Any, torch.Tensor], torch.Tensor]
"""From what the network answers to a batch of crops, and the targets of that batch, to one number to be made small."""

Check = Callable[[nn.Module], dict[str, float]]
"""Measures the averaged network on images held out; empty where it cannot."""


def learning_rate(step: int, plan: Plan) -> float:
    """Linear warm-up, then half a cosine down to `floor`, as a share of the highest; anew for each member.

    A function of the step alone, so that resuming needs nothing; LambdaLR would wrap it and keep a state of its own.
    """
    step %= plan.steps
    warm = max(1, round(plan.warmup * plan.steps))
    if step < warm:
        return (step + 1) / warm
    along = (step - warm) / max(1, plan.steps - warm)
    return plan.floor + (1 - plan.floor) * 0.5 * (1 + math.cos(math.pi * along))


def checkpoint(file: Path, identity: str) -> dict[str, Any] | None:
    """What a checkpoint holds; None if there is none. Raises TrainingError if it is of another training."""
    try:
        kept = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except Exception as error:
        raise TrainingError(f"{file} cannot be read; remove it to begin anew ({type(error).__name__})") from error
    if not isinstance(kept, dict) or kept.get("identity") != identity:
        raise TrainingError(f"{file.parent} holds a training with other data, seed or options: name another folder")
    return kept


class Fitting:
    """One network being trained to make `loss` small on the batch of each step.

    `identity` names all that a checkpoint must agree with.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: Loss,
        plan: Plan,
        batches: Dataset[Drawn],
        seed: int,
        folder: Path,
        identity: str,
        device: str,
    ) -> None:
        self.state = State()
        self._last: tuple[int, float] = (0, perf_counter())  # the step of the last checkpoint, and when it was written
        self._loss, self._plan, self._batches, self._seed = loss, plan, batches, seed
        self._file, self._identity = folder / CHECKPOINT, identity
        self._accelerator = Accelerator(mixed_precision=plan.precision, cpu=device == "cpu")
        if plan.precision == "fp16" and self._accelerator.scaler is None:  # it would train in float32 without a word
            raise TrainingError("float16 trains on a GPU alone: use --dtype bfloat16 or float32")
        self._net = net.to(memory_format=torch.channels_last)  # convolutions are twice as fast
        self.averaged = copy.deepcopy(net).requires_grad_(False).to(self._accelerator.device)
        trained = [one for one in net.parameters() if one.requires_grad]
        groups = [
            {"params": [one for one in trained if one.ndim > 1], "weight_decay": plan.weight_decay},
            {"params": [one for one in trained if one.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=plan.lr)
        self._model, self._optimizer = self._accelerator.prepare(net, optimizer)
        self._start = {name: one.clone() for name, one in net.state_dict().items()} if plan.members > 1 else {}
        self._sum: dict[str, torch.Tensor] = {}  # of the averaged weights of the members that are done

    @property
    def main(self) -> bool:
        """Whether this process is the one that writes; with several devices each has a process of its own."""
        return bool(self._accelerator.is_main_process)

    def resume(self) -> bool:
        """Go on from the last checkpoint, if there is one. Raises TrainingError if it is of another training."""
        kept = checkpoint(self._file, self._identity)
        if kept is None:
            return False
        self._net.load_state_dict(kept["model"])
        self.averaged.load_state_dict(kept["averaged"])
        self._optimizer.load_state_dict(kept["optimizer"])
        if self._accelerator.scaler is not None and kept["scaler"]:
            self._accelerator.scaler.load_state_dict(kept["scaler"])
        self._sum = kept["sum"]
        self.state = State(**kept["state"])
        self._last = (self.state.step, perf_counter())
        return True

    def run(self, workers: int, watch: Watch, check: Check | None = None, check_every: int = 0) -> nn.Module:
        """Train to the end and return the averaged network. Raises TrainingError if the loss is no longer a number."""
        plan, state = self._plan, self.state
        feed = Feed(self._batches, state.step, plan.total, workers)
        before, began = (state.seconds, state.waited), perf_counter()
        for drawn in feed:
            if state.step and state.step % plan.steps == 0:
                self._again()
            loss = self._step(drawn.crops, drawn.targets)
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the loss is {loss} at step {state.step + 1}: try a lower learning rate; {self._kept()}"
                )
            state.step += 1
            state.recent.append(loss)
            smooth = sum(state.recent) / len(state.recent)
            last = state.step == plan.total
            if state.step % 10 == 0 or last:
                state.losses.append([state.step, smooth, plan.lr * learning_rate(state.step - 1, plan)])
                state.recent.clear()
            due = last or (check_every and state.step % check_every == 0)
            if check and self.main and due and (found := check(self.averaged)):
                state.checks.append({"step": state.step, **found})
            state.seconds, state.waited = before[0] + perf_counter() - began, before[1] + feed.waited
            late = perf_counter() - self._last[1] >= _SELDOM
            if late or state.step % plan.keep_every == 0 or last:
                self._keep()
            watch(state.step, plan.total, smooth, state.waited / max(state.seconds, 1e-9), drawn.problems)
        return self._mean()

    def _again(self) -> None:
        """The next member begins where the first began."""
        self._sum = self._summed()
        for net in (self._net, self.averaged):
            net.load_state_dict(self._start)
        self._optimizer.state.clear()

    def _summed(self) -> dict[str, torch.Tensor]:
        """The averaged weights of this member and of those before it, added up."""
        own = {name: one.detach().cpu().clone() for name, one in self.averaged.state_dict().items()}
        return {name: one + self._sum[name] if self._sum else one for name, one in own.items()}

    def _mean(self) -> nn.Module:
        if self._plan.members == 1:
            return self.averaged
        mean = copy.deepcopy(self.averaged)
        mean.load_state_dict({name: one / self._plan.members for name, one in self._summed().items()})
        return mean

    def _kept(self) -> str:
        last = self._last[0]
        return f"the last checkpoint is of step {last}" if last else "there is no checkpoint yet"

    def _step(self, crops: torch.Tensor, targets: torch.Tensor) -> float:
        plan, accelerator = self._plan, self._accelerator
        # What the network drops depends on the step alone.
        torch.manual_seed((self._seed * 1_000_003 + self.state.step) % (1 << 63))
        for group in self._optimizer.param_groups:
            group["lr"] = plan.lr * learning_rate(self.state.step, plan)
        self._model.train()
        with accelerator.autocast():
            loss = self._loss(self._model(crops.to(accelerator.device)), targets.to(accelerator.device))
        self._optimizer.zero_grad()
        accelerator.backward(loss)
        if plan.clip:
            accelerator.clip_grad_norm_(self._model.parameters(), plan.clip)
        self._optimizer.step()
        self._average()
        return float(accelerator.reduce(loss.detach(), "mean"))

    @torch.no_grad()
    def _average(self) -> None:
        """The running mean; AveragedModel would have a count of its own, to be kept, and set back for each member."""
        step = self.state.step % self._plan.steps
        decay = min(self._plan.average, (1 + step) / (10 + step)) if self._plan.average else 0.0
        for mine, theirs in (
            (self.averaged.parameters(), self._net.parameters()),
            (self.averaged.buffers(), self._net.buffers()),
        ):
            for one, other in zip(mine, theirs, strict=True):
                if one.is_floating_point():
                    one.lerp_(other.detach().to(one.dtype), 1 - decay)
                else:
                    one.copy_(other)

    def _keep(self) -> None:
        self._last = (self.state.step, perf_counter())
        if not self.main:
            return
        scaler = self._accelerator.scaler
        kept: dict[str, Any] = {
            "identity": self._identity,
            "model": self._net.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else None,
            "sum": self._sum,
            "state": asdict(self.state),
        }
        with atomic(self._file) as stream:
            torch.save(kept, stream)
