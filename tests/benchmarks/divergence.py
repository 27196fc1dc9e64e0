"""The standard error of Hutchinson's estimate of a U-Net's divergence against that of ten random coordinates.

Both call the network twenty times for one estimate, and the errors are those that the estimates really scatter with, at one
latent of a random U-Net with convolutions and attention. `--estimates N`, `--side N` for a quick look.
"""

import argparse
import statistics
import sys
from collections.abc import Callable

import diffusers
import torch
from common import tell

from forensic_cli.features.traces import coordinate, differences, quotients, signs

CALLS, DRAWS, ROUNDS = 20, 10, 3
STEPS = {coordinate: 0.1, signs: 0.01}


def unet(seed: int) -> diffusers.UNet2DConditionModel:
    torch.manual_seed(seed)
    model = diffusers.UNet2DConditionModel(
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=32,
        attention_head_dim=4,
    )
    return model.eval().requires_grad_(False)


parser = argparse.ArgumentParser()
parser.add_argument("--estimates", type=int, default=12)
parser.add_argument("--side", type=int, default=64)
options = parser.parse_args()


class Counted:
    """A random U-Net that counts the latents it sees."""

    def __init__(self, seed: int) -> None:
        self.calls = 0
        self._network = unet(seed)
        self._prompt = torch.randn(1, 77, 32)

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        self.calls += len(points)
        answer: torch.Tensor = self._network(points, 10, self._prompt.expand(len(points), -1, -1)).sample
        return answer


@torch.inference_mode()
def scatter(network: Counted, point: torch.Tensor, make: Callable[..., torch.Tensor]) -> float:
    """The standard deviation of estimates of CALLS calls each."""
    values, before = [], network.calls
    for seed in range(options.estimates):
        ways = torch.stack([make(point.shape[1:], seed * DRAWS + draw) for draw in range(DRAWS)])
        products = differences(network, point.expand(DRAWS, -1, -1, -1), ways, STEPS[make])
        values.append(statistics.fmean(quotients(ways, products)))
    assert network.calls - before == CALLS * options.estimates
    return statistics.stdev(values)


rounds = []
for number in range(ROUNDS):
    network = Counted(number)
    point = torch.randn(1, 4, options.side, options.side)
    rounds.append({make.__name__: scatter(network, point, make) for make in STEPS})
    print(f"round {number + 1}: {rounds[-1]['signs'] / rounds[-1]['coordinate']:.3f}", file=sys.stderr)
tell(
    "standard error of the divergence at equal network calls: Hutchinson / ten coordinates",
    ratio=round(statistics.median(one["signs"] / one["coordinate"] for one in rounds), 4),
    calls=CALLS,
    dimension=4 * options.side**2,
    estimates=options.estimates,
    hutchinson=statistics.median(one["signs"] for one in rounds),
    coordinates=statistics.median(one["coordinate"] for one in rounds),
)
