"""A small network that learns two things at once: what is generated, and how bright the picture is."""

import json
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from forensic_cli import Batch, Detector, Session, Weights
from forensic_cli.training.feeding import Batches, Crops
from forensic_cli.training.fitting import Fitting, Plan
from forensic_cli.training.job import RECORD
from forensic_cli.training.sampling import Sampler
from forensic_cli.weights import locate


class Network(nn.Module):
    """From crops (N, height, width, 3) to log-odds and brightness, (N, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        pixels = crops.float() / 255
        return self.layer(torch.cat([pixels.mean((1, 2)), pixels.std((1, 2))], dim=1))


def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    entropy = nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], targets[:, 0])
    return entropy + nn.functional.mse_loss(outputs[:, 1], targets[:, 1])


def opened(session: Session, *, weights: Weights) -> Network:
    net = Network()
    net.load_state_dict(load_file(locate(weights, offline=session.offline).path / "model.safetensors"))
    return net.eval()


class Learnt(Detector):
    """Colours and their spread, through one layer: made up, to show a training with a loss of its own."""

    paper = "arXiv:0000.00000"
    cost = "nothing to speak of"
    photographs_alone = True

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[Weights, "a folder that forensic train zoo.learnt wrote"] = Weights("zoo", licence="yours")

    @dataclass(frozen=True)
    class Training:
        rate: Annotated[float, "learning rate"] = 0.05

    def score(self, batch: Batch) -> np.ndarray:
        net = batch.session.once(opened, weights=self.options.weights)
        return np.array([float(net(torch.tensor(image)[None])[0, 0]) for image in batch.images])

    @classmethod
    def train(cls, job) -> dict[str, str]:
        known, seed, steps = job.division.known, job.session.seed, job.steps or 100
        torch.manual_seed(seed)
        batches = Batches(
            known,
            Sampler(known, job.batch_size or 8, seed, photographs_alone=not any(item.generated for item in known)),
            Crops(32, "native", "none", 1),
            seed,
            target=lambda item, crop: (item.generated, crop.mean() / 255),
        )
        plan = Plan(steps, job.options.rate, weight_decay=0.0, warmup=0.0, floor=0.1, average=0.0, clip=1.0)
        fitting = Fitting(Network(), loss, plan, batches, seed, job.folder, f"{steps} {job.options}", job.session.device)
        fitting.resume()
        save_file(fitting.run(job.workers, job.watch).state_dict(), job.folder / "model.safetensors")
        (job.folder / RECORD).write_text(json.dumps(job.record(job.options, "nothing")))
        return {"weights": str(job.folder)}
