"""From labelled images to a model folder: train, look at what was held out now and then, write everything down."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from safetensors.torch import save as serialised
from torch import nn

from forensic_cli import Batch, Detector, Session, options
from forensic_cli.classifier import IMAGENET_MEAN, IMAGENET_STD, Classifier
from forensic_cli.datasets import Labelled
from forensic_cli.datasets.labelled import HANDMADE
from forensic_cli.errors import TrainingError
from forensic_cli.features.architectures import make
from forensic_cli.features.networks import GRAPH, Network, scored
from forensic_cli.features.torch_network import Scorer, TorchNetwork
from forensic_cli.statistics.ranking import auroc
from forensic_cli.training import checking
from forensic_cli.training.curves import draw_curves
from forensic_cli.training.feeding import Batches, Crops
from forensic_cli.training.fitting import Check, Fitting, Loss, Plan, checkpoint
from forensic_cli.training.job import CHECKPOINT, RECORD, TrainingJob
from forensic_cli.training.sampling import Sampler
from forensic_cli.writing import atomic
from forensic_detectors.commfor import building
from forensic_detectors.commfor.graphs import write_graph
from forensic_detectors.commfor.recipes import Recipe

_CHECKED = 300  # held-out images that are looked at now and then during the training
_CHECK_EVERY = 50  # steps between two such looks, at least
_PRECISION = {"float32": "no", "float16": "fp16", "bfloat16": "bf16"}


def train(job: TrainingJob) -> dict[str, str]:
    """Train, or go on with a training that was interrupted, and write the model folder; nothing if that is done already.

    Returns the settings with which a scan uses it.
    """
    recipe: Recipe = replace(job.options, steps=job.steps or job.options.steps, batch=job.batch_size or job.options.batch)
    known, unseen = job.division.known, job.division.unseen
    if _finished(job, recipe):
        return {"weights": str(job.folder)}
    classifier = describe(recipe)
    torch.manual_seed(job.session.seed_for("network"))
    scorer = Scorer(make(classifier), classifier)
    offline = job.session.offline
    origin = building.start(scorer.body, classifier, pretrained=recipe.pretrained, file=recipe.start, offline=offline)
    if recipe.frozen:
        freeze(scorer)
    job.folder.mkdir(parents=True, exist_ok=True)
    fitting = _fitting(job, recipe, scorer, known)
    resumed = fitting.resume()
    share = len(unseen) / (len(known) + len(unseen))
    job.say(f"{len(known):,} images to train on, {len(unseen):,} ({share:.0%}) held out, whole sources and generators")
    done = f"after step {fitting.state.step:,} of {recipe.steps * recipe.members:,}"
    job.say(f"starts from {origin}" if not resumed else f"goes on {done}")
    often = max(_CHECK_EVERY, recipe.steps // 6)
    averaged: Any = fitting.run(job.workers, job.watch, _check(job, classifier, unseen), often)
    if not fitting.main:
        return {"weights": str(job.folder)}
    if recipe.graph:  # which reads the very tensors that are stored, and ONNX Runtime folds anyway
        classifier = building.folded(averaged.body, classifier, recipe.size)
    save(averaged.body, classifier, job.folder, recipe.stored)
    draw_curves(job.folder / "curves.png", fitting.state, recipe.backbone)
    if recipe.graph:
        stored = TorchNetwork.load(job.folder, classifier, make, job.session)
        write_graph(job.folder, stored.scorer, classifier)
    record = job.record(recipe, origin) | asdict(fitting.state)
    record["waiting_share"] = fitting.state.waited / max(fitting.state.seconds, 1e-9)
    _write(job.folder / RECORD, record)
    return {"weights": str(job.folder)}


def _finished(job: TrainingJob, recipe: Recipe) -> bool:
    """Whether the folder holds all that this training leaves behind: its record is written last, with the last state."""
    names = ["model.safetensors", "config.json", "curves.png"]
    here = all((job.folder / name).is_file() for name in names)
    if not here or (job.folder / GRAPH).is_file() != recipe.graph:
        return False
    try:
        record = json.loads((job.folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return False
    kept = checkpoint(job.folder / CHECKPOINT, _identity(job, recipe))
    if kept is None or kept["state"]["step"] != recipe.steps * recipe.members:
        return False
    return isinstance(record, dict) and record.items() >= kept["state"].items()


def _identity(job: TrainingJob, recipe: Recipe) -> str:
    """Everything that a checkpoint must agree with."""
    choices = {name: value for name, value in options.to_json(recipe).items() if name != "graph"}
    facts = [job.method, choices, job.dataset.fingerprint, job.division.held_out, job.session.seed, job.session.dtype]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def describe(recipe: Recipe) -> Classifier:
    """What the trained network will be."""
    look = recipe.look()
    settings: tuple[tuple[str, Any], ...] = building.image_size(recipe.backbone, recipe.size)
    if settings:  # it sees squares of this size and nothing else
        if look.size != recipe.size:
            raise TrainingError(
                f"{recipe.backbone} sees the size that it was trained on alone: leave window={look.size} out"
            )
        look = replace(look, whole=False)
    dropped = {"drop_rate": recipe.dropout, "drop_path_rate": recipe.depth}
    settings += tuple((name, share) for name, share in dropped.items() if share)
    if recipe.folded:
        building.check_fold(recipe.backbone, recipe.size, dict(settings))
        settings += (("folded", True),)
    mean, std = IMAGENET_MEAN, IMAGENET_STD
    if recipe.normalise == "backbone":
        mean, std = building.statistics(recipe.backbone)
    return Classifier(recipe.backbone, look, mean, std, "logit", settings, licence="yours")


def freeze(scorer: Scorer) -> None:
    """Train the last layer alone; what stands before it keeps its statistics, too."""
    scorer.requires_grad_(False)
    scorer.body.get_classifier().requires_grad_(True)  # type: ignore[operator]
    scorer.still = True


def _fitting(job: TrainingJob, recipe: Recipe, scorer: Scorer, known: Sequence[Labelled]) -> Fitting:
    seed = job.session.seed
    plan = Plan(
        steps=recipe.steps,
        lr=recipe.lr,
        weight_decay=recipe.weight_decay,
        warmup=recipe.warmup,
        floor=recipe.floor,
        average=recipe.average,
        clip=recipe.clip,
        precision=_PRECISION[job.session.dtype],
        members=recipe.members,
    )
    weights = {"handmade": recipe.handmade} if any(item.label == HANDMADE for item in known) else {}
    sampler = Sampler(known, recipe.batch, seed, weights=weights)
    crops = Crops(recipe.size, recipe.view, recipe.augment, recipe.repeats)
    several = PartialState(cpu=job.session.device == "cpu")
    batches = Batches(known, sampler, crops, seed, several.process_index, several.num_processes)
    return Fitting(
        scorer, entropy(recipe.smoothing), plan, batches, seed, job.folder, _identity(job, recipe), job.session.device
    )


def entropy(smoothing: float) -> Loss:
    """Cross-entropy of log-odds, the labels drawn that far towards one half."""

    def loss(outputs: tuple[torch.Tensor, ...], targets: torch.Tensor) -> torch.Tensor:
        target = targets * (1 - smoothing) + smoothing / 2
        return nn.functional.binary_cross_entropy_with_logits(outputs[0].float(), target)

    return loss


def _check(job: TrainingJob, classifier: Classifier, unseen: Sequence[Labelled]) -> Check | None:
    """The AUROC on some of the held-out images, photographs and generated ones alike."""
    order = np.random.default_rng(job.session.seed).permutation(len(unseen))
    classes = [[index for index in order if unseen[index].generated == kind] for kind in (False, True)]
    some = [unseen[index] for part in classes for index in part[: _CHECKED // 2] if unseen[index].label != HANDMADE]
    generated = np.array([item.generated for item in some], bool)
    if len(set(generated.tolist())) < 2:
        return None

    def check(net: nn.Module) -> dict[str, float]:
        was = [one.requires_grad for one in net.parameters()]
        network = TorchNetwork(net, classifier, job.session)  # type: ignore[arg-type]
        scores = checking.scores(_Now(job.session, network), some)
        for one, wanted in zip(net.parameters(), was, strict=True):
            one.requires_grad_(wanted)
        fine = np.isfinite(scores)
        if len(set(generated[fine].tolist())) < 2:
            return {}
        return {"auroc": auroc(scores[fine & ~generated], scores[fine & generated])}

    return check


class _Now(Detector):
    """A network in the middle of its training."""

    def __init__(self, session: Session, network: Network) -> None:
        super().__init__(session)
        self._network = network

    def score(self, batch: Batch) -> np.ndarray:
        return scored(self._network, batch.images)


def save(body: nn.Module, classifier: Classifier, folder: Path, stored: str) -> None:
    """model.safetensors and config.json."""
    dtype = getattr(torch, stored)
    tensors = {
        name: tensor.detach().cpu().to(dtype).contiguous() if tensor.is_floating_point() else tensor.detach().cpu()
        for name, tensor in body.state_dict().items()
    }
    (folder / GRAPH).unlink(missing_ok=True)  # of former tensors
    with atomic(folder / "model.safetensors") as stream:
        stream.write(serialised(tensors, metadata={"format": "pt"}))
    _write(folder / "config.json", classifier.to_json())


def _write(file: Path, value: Any) -> None:
    with atomic(file) as stream:
        stream.write(json.dumps(value, indent=1, allow_nan=False, sort_keys=False).encode() + b"\n")
