"""The loop is plain AdamW with warm-up, cosine and averaged weights; killed at any moment it goes on bit for bit."""

import copy
import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from torch import nn
from training_pictures import Small, labelled

from forensic_cli.classifier import Classifier, Look
from forensic_cli.errors import TrainingError
from forensic_cli.features.torch_network import Scorer
from forensic_cli.training.feeding import Batches, Crops
from forensic_cli.training.fitting import Fitting, Plan, learning_rate
from forensic_cli.training.sampling import Sampler
from forensic_detectors.commfor.training import entropy

PLAN = Plan(steps=12, lr=0.02, weight_decay=0.1, warmup=0.25, floor=0.1, average=0.8, clip=0.5, keep_every=5)
SMOOTHING = 0.1


pytestmark = pytest.mark.usefixtures("own_accelerator")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def batches(data, seed=3):
    items = labelled(data, count=4)
    return Batches(items, Sampler(items, 6, seed), Crops(24, "native", "wild", 2), seed)


def made(data, folder, plan=PLAN, identity="a", net=None, seed=3):
    net = net or Scorer(Small(), Classifier("small", Look(24)))
    return Fitting(net, entropy(SMOOTHING), plan, batches(data, seed), seed, folder, identity, "cpu")


def silent(*_):
    pass


def everything(fitting):
    """All numbers that a training leaves behind, the optimiser's moments too."""
    kept = torch.load(fitting._file, weights_only=True)
    state = {name: value for name, value in kept["state"].items() if name not in ("seconds", "waited")}
    return kept["model"], kept["averaged"], kept["optimizer"]["state"], state


def identical(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other) and one.dtype == other.dtype
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(identical(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(identical, one, other))
    return one == other


def test_the_learning_rate_rises_in_a_line_and_falls_as_half_a_cosine():
    plan = replace(PLAN, steps=100, warmup=0.2, floor=0.1)
    rates = [learning_rate(step, plan) for step in range(100)]
    assert rates[:20] == pytest.approx([(step + 1) / 20 for step in range(20)])
    assert rates[20] == 1
    assert rates[60] == pytest.approx(0.55)  # half way down to the floor
    assert rates[40] == pytest.approx(0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2)  # a quarter of the way
    assert rates[99] == pytest.approx(0.1, abs=1e-3)
    assert all(one >= other for one, other in pairwise(rates[19:]))


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0.0), (1, 0.9), (2, 0.0), (3, 0.99), (7, 0.5)])
def test_however_short_the_rates_are_sound(steps, warmup):
    rates = [learning_rate(step, replace(PLAN, steps=steps, warmup=warmup)) for step in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)
    assert max(rates) == 1


def plainly(data, plan, seed=3):
    """The same without accelerate: the network and its running average after each step, and the losses."""
    net = Scorer(Small(), Classifier("small", Look(24)))
    matrices = [one for one in net.parameters() if one.ndim > 1]
    vectors = [one for one in net.parameters() if one.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1.0)
    feed, losses = batches(data, seed), []
    mean = copy.deepcopy(net)
    for step in range(plan.steps):
        drawn = feed[step]
        torch.manual_seed(seed * 1_000_003 + step)
        for group in optimizer.param_groups:
            group["lr"] = plan.lr * learning_rate(step, plan)
        optimizer.zero_grad()
        target = torch.where(drawn.targets == 1, 1 - SMOOTHING / 2, SMOOTHING / 2)
        odds = net.train()(drawn.crops)[0]
        chances = torch.sigmoid(odds)
        loss = -(target * chances.log() + (1 - target) * (1 - chances).log()).mean()
        loss.backward()
        if plan.clip:
            norm = torch.cat([one.grad.flatten() for one in net.parameters()]).norm()
            for one in net.parameters():
                one.grad.mul_(min(1, plan.clip / (float(norm) + 1e-6)))
        optimizer.step()
        losses.append(loss.item())
        decay = min(plan.average, (1 + step) / (10 + step)) if plan.average else 0
        for mine, theirs in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
            mine.copy_(decay * mine + (1 - decay) * theirs if mine.is_floating_point() else theirs)
    return net, mean, losses


@pytest.mark.parametrize(
    "plan",
    [PLAN, replace(PLAN, average=0.0, clip=0.0), replace(PLAN, clip=1e-3, steps=6)],
    ids=["all", "bare", "clip"],
)
def test_it_is_adamw_on_smoothed_labels_with_averaged_weights(data, tmp_path, plan):
    fitting = made(data, tmp_path, plan)
    seen = []
    averaged = fitting.run(0, lambda *told: seen.append(told))
    net, mean, losses = plainly(data, plan)
    for name, one in mean.state_dict().items():
        torch.testing.assert_close(averaged.state_dict()[name], one, rtol=1e-4, atol=1e-5)
    for name, one in net.state_dict().items():
        torch.testing.assert_close(fitting._net.state_dict()[name], one, rtol=1e-4, atol=1e-5)
    assert [told[:2] for told in seen] == [(step + 1, plan.steps) for step in range(plan.steps)]
    means = [sum(losses[step // 10 * 10 : step + 1]) / (step % 10 + 1) for step in range(plan.steps)]
    assert [told[2] for told in seen] == pytest.approx(means, rel=1e-3)
    kept = [
        [step, means[step - 1], plan.lr * learning_rate(step - 1, plan)]
        for step in sorted({10, plan.steps})
        if step <= plan.steps
    ]
    assert [row[0] for row in fitting.state.losses] == [row[0] for row in kept]
    assert [row[1:] for row in fitting.state.losses] == [pytest.approx(row[1:], rel=1e-3) for row in kept]


class Two(nn.Module):
    """Log-odds of "generated", and how bright the crop is."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(6, 2)

    def forward(self, crops):
        pixels = crops.float() / 255
        return self.layer(torch.cat([pixels.mean((1, 2)), pixels.std((1, 2))], 1))


def test_loss_and_targets_are_the_trainers(data, tmp_path):
    """Cross-entropy and a regression on what the crop itself tells, together."""

    def loss(outputs, targets):
        entropy = nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], targets[:, 0])
        return entropy + nn.functional.mse_loss(outputs[:, 1], targets[:, 1])

    def target(item, crop):
        return item.generated, crop.mean() / 255

    items = labelled(data, count=4)
    batches = Batches(items, Sampler(items, 6, 3), Crops(24, "native", "wild", 2), 3, target=target)
    assert batches[0].targets.shape == (6, 2)
    assert torch.allclose(batches[0].targets[:, 1], batches[0].crops.float().mean((1, 2, 3)) / 255, rtol=1e-4)
    net, seen = Two(), []
    plan = replace(PLAN, steps=150, lr=0.05, weight_decay=0.0, clip=0.0, average=0.0, keep_every=1000)
    Fitting(net, loss, plan, batches, 3, tmp_path, "a", "cpu").run(0, lambda *told: seen.append(told[2]))
    drawn = batches[1000]
    error = (net(drawn.crops)[:, 1] - drawn.targets[:, 1]).abs().mean()
    assert error < 0.1 * drawn.targets[:, 1].mean()
    assert seen[-1] < seen[0]


def test_a_network_learns(data, tmp_path):
    """Smooth against noisy pictures: a hundred steps tell them apart."""
    plan = replace(PLAN, steps=100, weight_decay=0.0, clip=1.0, keep_every=1000)
    seen = []
    made(data, tmp_path, plan).run(0, lambda *told: seen.append(told[2]))
    assert seen[0] == pytest.approx(math.log(2), abs=0.3)
    assert sum(seen[-10:]) / 10 < 0.4


def test_only_what_wants_a_gradient_is_trained_and_a_still_body_keeps_its_statistics(data, tmp_path):
    scorer = Scorer(Small(), Classifier("small", Look(24))).requires_grad_(False)
    scorer.body.last.requires_grad_(True)
    scorer.still = True
    before = {name: one.clone() for name, one in scorer.state_dict().items()}
    averaged = made(data, tmp_path, net=scorer).run(0, silent)
    for after in (scorer.state_dict(), averaged.state_dict()):
        changed = {name for name, one in before.items() if not torch.allclose(one, after[name], rtol=0, atol=1e-7)}
        assert changed == {"body.last.weight", "body.last.bias"}


ALONE = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_fitting as tests

def watch(done, *_):
    if done == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)

fitting = tests.made(Path(sys.argv[2]), Path(sys.argv[3]))
fitting.resume()
fitting.run(1, watch)
"""


def test_killed_in_the_middle_and_resumed_it_ends_with_the_same_tensors_bit_for_bit(data, tmp_path):
    straight = made(data, tmp_path / "straight")
    (tmp_path / "straight").mkdir()
    (tmp_path / "killed").mkdir()
    straight.run(0, silent)
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", ALONE, here, str(data), str(tmp_path / "killed"), "8"]
    done = subprocess.run(command, timeout=120, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    resumed = made(data, tmp_path / "killed", net=Scorer(Small(seed=9), Classifier("small", Look(24))))
    assert resumed.resume()
    assert resumed.state.step == 5  # the last checkpoint before it was killed
    seen = []
    resumed.run(2, lambda *told: seen.append(told[0]))
    assert seen == list(range(6, 13))
    assert identical(everything(resumed), everything(straight))
    assert resumed.state.step == 12
    assert len(resumed.state.losses) == 2


@pytest.mark.parametrize("keep_every", [1, 3, 7])
def test_so_it_does_from_whichever_checkpoint(data, tmp_path, keep_every):
    plan = replace(PLAN, keep_every=keep_every)
    for name in ("straight", "cut"):
        (tmp_path / name).mkdir()
    straight = made(data, tmp_path / "straight", plan)
    straight.run(0, silent)

    class Cut(Exception):
        pass

    def watch(done, *_):
        if done == 10:
            raise Cut

    with pytest.raises(Cut):
        made(data, tmp_path / "cut", plan).run(0, watch)
    again = made(data, tmp_path / "cut", plan)
    assert again.resume()
    assert again.state.step == 10 // keep_every * keep_every
    again.run(0, silent)
    assert identical(everything(again), everything(straight))


def test_a_slow_training_is_kept_every_few_minutes(data, tmp_path, monkeypatch):
    """Each look at the clock is a minute later: after six, or ten, or so many steps there is a checkpoint."""
    clock = iter(range(0, 10**6, 60))
    monkeypatch.setattr("forensic_cli.training.fitting.perf_counter", lambda: float(next(clock)))
    plan = replace(PLAN, keep_every=1000, steps=12)
    kept = []
    fitting = made(data, tmp_path, plan)
    monkeypatch.setattr(fitting, "_file", tmp_path / "x.pt")

    def watch(done, *_):
        if fitting._last[0] == done:
            kept.append(done)

    fitting.run(0, watch)
    assert kept[0] <= 5
    assert all(one < other <= one + 5 for one, other in pairwise(kept))
    assert kept[-1] == 12


def test_a_finished_training_has_nothing_left_to_do(data, tmp_path):
    first = made(data, tmp_path)
    expected = first.run(0, silent).state_dict()
    again = made(data, tmp_path)
    assert again.resume()
    found = again.run(0, lambda *_: pytest.fail("it trained on")).state_dict()
    assert identical(dict(found), dict(expected))


def test_without_a_checkpoint_it_begins(data, tmp_path):
    fitting = made(data, tmp_path)
    assert not fitting.resume()
    assert fitting.state.step == 0


def refusal(function, *arguments):
    with pytest.raises(TrainingError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_other_data_or_options_are_refused(data, tmp_path):
    made(data, tmp_path, replace(PLAN, steps=5)).run(0, silent)
    line = refusal(made(data, tmp_path, identity="b").resume)
    assert line == f"{tmp_path} holds a training with other data, seed or options: name another folder"


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 torn"])
def test_a_checkpoint_that_cannot_be_read(data, tmp_path, content):
    (tmp_path / "checkpoint.pt").write_bytes(content)
    line = refusal(made(data, tmp_path).resume)
    assert line.startswith(f"{tmp_path / 'checkpoint.pt'} cannot be read; remove it to begin anew (")


@pytest.mark.parametrize("foreign", [{"state_dict": {}}, [1, 2], torch.zeros(3)], ids=["dict", "list", "tensor"])
def test_a_checkpoint_of_somebody_else(data, tmp_path, foreign):
    torch.save(foreign, tmp_path / "checkpoint.pt")
    assert refusal(made(data, tmp_path).resume).startswith(f"{tmp_path} holds a training with other data")


def test_a_checkpoint_cannot_run_code(data, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    torch.save({"identity": "a", "model": Trap()}, tmp_path / "checkpoint.pt")
    assert "cannot be read" in refusal(made(data, tmp_path).resume)
    assert not (tmp_path / "trapped").exists()


class Diverging(Small):
    """From the seventh step on its answer is no number."""

    def __init__(self, value):
        super().__init__()
        self.value, self.count = value, 0

    def forward(self, x):
        self.count += 1
        return super().forward(x) * (self.value if self.count > 6 else 1)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(
    ("keep_every", "kept"), [(5, "the last checkpoint is of step 5"), (50, "there is no checkpoint yet")]
)
def test_a_diverging_loss_is_one_line_that_names_the_step(data, tmp_path, value, keep_every, kept):
    net = Scorer(Diverging(value), Classifier("small", Look(24)))
    line = refusal(made(data, tmp_path, replace(PLAN, keep_every=keep_every), net=net).run, 0, silent)
    assert line in (f"the loss is {word} at step 7: try a lower learning rate; {kept}" for word in ("nan", "inf"))
    good = [tmp_path / "checkpoint.pt"] if keep_every == 5 else []
    assert list(tmp_path.iterdir()) == good
    for file in good:
        kept_state = torch.load(file, weights_only=True)
        assert kept_state["state"]["step"] == 5
        assert all(one.isfinite().all() for one in kept_state["model"].values())


def test_what_was_measured_on_the_way_is_kept(data, tmp_path):
    seen = []

    def check(net):
        seen.append({name: one.clone() for name, one in net.state_dict().items()})
        return {"auroc": len(seen) / 10} if len(seen) != 2 else {}

    fitting = made(data, tmp_path)
    averaged = fitting.run(0, silent, check, 4)
    assert fitting.state.checks == [{"step": 4, "auroc": 0.1}, {"step": 12, "auroc": 0.3}]
    assert identical(seen[-1], dict(averaged.state_dict()))
    json.dumps(fitting.state.checks)
    other = made(data, tmp_path / "x")
    (tmp_path / "x").mkdir()
    other.run(0, silent, check)
    assert [row["step"] for row in other.state.checks] == [12]


def test_measuring_on_the_way_changes_nothing(data, tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one, other = made(data, tmp_path / "one"), made(data, tmp_path / "other")

    def check(net):
        torch.rand(3)
        net.eval()
        return {"auroc": 0.5}

    one.run(0, silent)
    other.run(0, silent, check, 2)
    assert identical(everything(one)[:3], everything(other)[:3])


def test_problems_are_told_to_whoever_watches(tmp_path):
    fitting = made(tmp_path / "own", tmp_path)
    Path(fitting._batches._items[0].path).write_bytes(b"broken")
    told = []
    fitting.run(0, lambda *one: told.extend(one[4]))
    assert len(told) == 1
    assert told[0].startswith(fitting._batches._items[0].path)


def test_the_share_of_waiting_lies_between_none_and_all(data, tmp_path):
    shares = []
    fitting = made(data, tmp_path)
    fitting.run(0, lambda *told: shares.append(told[3]))
    assert all(0 <= share <= 1 for share in shares)
    assert 0 < fitting.state.waited < fitting.state.seconds


def test_bfloat16_trains_too_and_keeps_float32(data, tmp_path):
    plan = replace(PLAN, precision="bf16")
    averaged = made(data, tmp_path, plan).run(0, silent)
    assert {one.dtype for one in averaged.parameters()} == {torch.float32}
    AcceleratorState._reset_state(reset_partial_state=True)
    (tmp_path / "full").mkdir()
    full = made(data, tmp_path / "full").run(0, silent)
    gap = max(float((a - b).abs().max()) for a, b in zip(averaged.parameters(), full.parameters(), strict=True))
    assert 0 < gap < 0.5


def test_float16_without_a_gpu_is_one_line(data, tmp_path):
    line = refusal(made, data, tmp_path, replace(PLAN, precision="fp16"))
    assert line == "float16 trains on a GPU alone: use --dtype bfloat16 or float32"


def test_a_seed_of_any_size(data, tmp_path):
    made(data, tmp_path, replace(PLAN, steps=2), seed=10**25).run(0, silent)


def test_a_frozen_copy_is_returned(data, tmp_path):
    averaged = made(data, tmp_path, replace(PLAN, steps=2)).run(0, silent)
    assert isinstance(averaged, nn.Module)
    assert not any(one.requires_grad for one in averaged.parameters())
