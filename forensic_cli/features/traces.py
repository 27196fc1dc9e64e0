"""Estimates of tr J / d, the mean of a Jacobian's diagonal, from a few products with J: none is ever built.

A draw is v' J v / v' v with a direction v: one coordinate chosen at random, or a random sign in every coordinate
(Hutchinson, Rademacher). Both are tr J / d on average. A coordinate sees one entry of the diagonal, and its draws scatter
as those do; random signs see all of it, exactly, and scatter by what lies off it: the variance of v' J v is
2 sum_{i != j} S_ij^2 with S = (J + J') / 2.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

Field = Callable[[torch.Tensor], torch.Tensor]
"""From points (M, ...) to a vector of the same shape at each of them, point by point."""


@dataclass(frozen=True)
class Estimate:
    """The mean of the draws and its standard error, which one draw alone does not tell."""

    value: float
    error: float | None


def estimate(draws: Sequence[float]) -> Estimate:
    """Of independent draws, one at least."""
    return Estimate(fmean(draws), stdev(draws) / sqrt(len(draws)) if len(draws) > 1 else None)


def coordinate(shape: Sequence[int], seed: int) -> torch.Tensor:
    """A one at a random place, zeros elsewhere: float32 on the CPU."""
    way = torch.zeros(tuple(shape))
    place = torch.randint(way.numel(), (1,), generator=torch.Generator().manual_seed(seed))
    way.view(-1)[place] = 1.0
    return way


def signs(shape: Sequence[int], seed: int) -> torch.Tensor:
    """Plus or minus one in every place: float32 on the CPU."""
    drawn = torch.randint(2, tuple(shape), generator=torch.Generator().manual_seed(seed))
    return drawn.float() * 2 - 1


def differences(field: Field, points: torch.Tensor, ways: torch.Tensor, step: float) -> torch.Tensor:
    """J v at each point by central differences, (M, ...): both ends of all points in one call of `field`."""
    ahead, behind = field(torch.cat((points + step * ways, points - step * ways))).chunk(2)
    return (ahead - behind) / (2 * step)


def derivatives(field: Field, points: torch.Tensor, ways: torch.Tensor) -> torch.Tensor:
    """J v at each point exactly, by forward-mode differentiation, (M, ...).

    Attention takes its plain path meanwhile, for the fast ones have no forward mode: memory grows with the square of the
    number of places. Whatever `field` has to load it must have loaded before.
    """
    with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
        warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)  # torch's own, at first use
        products: torch.Tensor = torch.func.jvp(field, (points,), (ways,))[1]
    return products


def quotients(ways: torch.Tensor, products: torch.Tensor) -> list[float]:
    """v' J v / v' v at each point; added up in float64 on the CPU (Apple GPUs have none)."""
    along = (ways * products).flatten(1).cpu().double().sum(dim=1)
    lengths = ways.flatten(1).cpu().double().square().sum(dim=1)
    numbers: list[float] = (along / lengths).tolist()
    return numbers
