"""From a score to a likelihood ratio: how many times likelier it is among generated images than among photographs.

All are told as LLRs, in powers of ten. The models are small and hold no score of any single image.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from forensic_cli.records import Json
from forensic_cli.statistics.intervals import Interval

Kind = Literal["logistic", "isotonic", "kde"]
KINDS: tuple[Kind, ...] = ("logistic", "isotonic", "kde")


class Model(Protocol):
    """LLRs without bounds; infinite ones are allowed."""

    def llr10(self, scores: np.ndarray) -> np.ndarray: ...

    def to_json(self) -> Json: ...


@dataclass(frozen=True)
class Logistic:
    """LLR = `slope` x score + `intercept`. The slope is negative where photographs score higher."""

    slope: float
    intercept: float

    def llr10(self, scores: np.ndarray) -> np.ndarray:
        return self.slope * np.asarray(scores, float) + self.intercept

    def to_json(self) -> Json:
        return {"kind": "logistic", "slope": self.slope, "intercept": self.intercept}


@dataclass(frozen=True)
class Isotonic:
    """The probability at equal priors, straight between the knots and level beyond them; it never falls."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def llr10(self, scores: np.ndarray) -> np.ndarray:
        share = np.interp(scores, self.scores, self.probabilities)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log10(share) - np.log10(1 - share))

    def to_json(self) -> Json:
        return {"kind": "isotonic", "scores": list(self.scores), "probabilities": list(self.probabilities)}


@dataclass(frozen=True)
class Density:
    """LLRs at equal steps from the lowest score seen to the highest, straight between them and level beyond.

    The ratio of two densities may fall again where the score rises.
    """

    first: float
    last: float
    llrs: tuple[float, ...]

    def llr10(self, scores: np.ndarray) -> np.ndarray:
        return np.asarray(np.interp(scores, np.linspace(self.first, self.last, len(self.llrs)), self.llrs))

    def to_json(self) -> Json:
        return {"kind": "kde", "first": self.first, "last": self.last, "llrs": list(self.llrs)}


@dataclass(frozen=True)
class Ratios:
    """A model within `bounds`, the lowest and highest LLR that its data support. A score that is NaN keeps NaN."""

    model: Model
    bounds: Interval

    def llr10(self, scores: np.ndarray) -> np.ndarray:
        return np.asarray(np.clip(self.model.llr10(scores), *self.bounds))

    def to_json(self) -> Json:
        return {**self.model.to_json(), "bounds": list(self.bounds)}

    @classmethod
    def from_json(cls, row: Json) -> "Ratios":
        """Raises ValueError, with what is wrong, for anything that `to_json` has not written."""
        try:
            low, high = (float(one) for one in row["bounds"])
            return cls(_model(row), (low, high))
        except (KeyError, TypeError, IndexError) as exc:
            raise ValueError(f"no likelihood ratios: {type(exc).__name__} {exc}") from exc


def _model(row: Json) -> Model:
    match row["kind"]:
        case "logistic":
            return Logistic(float(row["slope"]), float(row["intercept"]))
        case "isotonic":
            return Isotonic(_numbers(row["scores"]), _numbers(row["probabilities"]))
        case "kde":
            return Density(float(row["first"]), float(row["last"]), _numbers(row["llrs"]))
    raise ValueError(f"likelihood ratios are of an unknown kind: {str(row['kind'])[:40]!r}")


def _numbers(values: list[float]) -> tuple[float, ...]:
    if not values:
        raise ValueError("likelihood ratios without a number")
    return tuple(float(one) for one in values)
