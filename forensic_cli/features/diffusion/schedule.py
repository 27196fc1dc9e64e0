"""How much noise a diffusion model was trained with at each timestep, and what its U-Net predicts."""

from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any, Literal

import diffusers
import torch

from forensic_cli.errors import WeightsError, reason
from forensic_cli.features.diffusion.folder import read_json

Prediction = Literal["epsilon", "v_prediction", "sample"]

_SETTINGS = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "rescale_betas_zero_snr")


@dataclass(frozen=True)
class Schedule:
    """`alpha_bars[t]` is the share of the signal's variance left at training timestep t, counted from 0:
    z_t = sqrt(alpha_bar) z + sqrt(1 - alpha_bar) noise. At t = 0 one step of noise was added."""

    alpha_bars: tuple[float, ...]
    prediction: Prediction
    source: str = field(compare=False)

    def alpha_bar(self, timestep: int) -> float:
        """Raises WeightsError for a timestep that the model does not know."""
        if not 0 <= timestep < len(self.alpha_bars):
            last = len(self.alpha_bars) - 1
            raise WeightsError(f"{self.source} knows no timestep {timestep}: set one from 0 (least noise) to {last}")
        return self.alpha_bars[timestep]

    def noised(self, clean: torch.Tensor, noise: torch.Tensor, timestep: int) -> torch.Tensor:
        """z_t from z and standard normal noise."""
        alpha_bar = self.alpha_bar(timestep)
        return sqrt(alpha_bar) * clean + sqrt(1 - alpha_bar) * noise

    def noise_of(self, noisy: torch.Tensor, predicted: torch.Tensor, timestep: int) -> torch.Tensor:
        """The noise in z_t, from what the U-Net predicted in its own terms (v = sqrt(a) noise - sqrt(1 - a) z, or z)."""
        alpha_bar = self.alpha_bar(timestep)
        if self.prediction == "v_prediction":
            return sqrt(alpha_bar) * predicted + sqrt(1 - alpha_bar) * noisy
        if self.prediction == "sample":
            return (noisy - sqrt(alpha_bar) * predicted) / sqrt(1 - alpha_bar)
        return predicted

    def drift(self, noise: torch.Tensor, predicted: torch.Tensor, timestep: int) -> torch.Tensor:
        """What one step from z_t back to z adds to z: sqrt((1 - a) / a) (noise - predicted).

        Raises WeightsError where nothing of z is left in z_t.
        """
        alpha_bar = self.alpha_bar(timestep)
        if alpha_bar == 0:
            raise WeightsError(f"{self.source} leaves nothing of an image at timestep {timestep}: set a smaller one")
        return sqrt((1 - alpha_bar) / alpha_bar) * (noise - predicted)


def read_schedule(folder: Path, source: str) -> Schedule:
    """From scheduler/scheduler_config.json, or from the top of the folder. Raises WeightsError."""
    config = read_json(folder / "scheduler" / "scheduler_config.json") or read_json(folder / "scheduler_config.json")
    if config is None:
        raise WeightsError(f"{source}: no scheduler/ (scheduler_config.json) beside the U-Net: copy the whole folder")
    kind, prediction = config.get("_class_name"), config.get("prediction_type", "epsilon")
    if "beta_start" not in config and config.get("trained_betas") is None:
        raise WeightsError(f"{source}: its scheduler {kind} has no betas; a model trained as a DDPM is needed")
    if prediction not in ("epsilon", "v_prediction", "sample"):
        raise WeightsError(f"{source}: its U-Net predicts {prediction!r}; epsilon, v_prediction or sample is needed")
    settings: dict[str, Any] = {name: config[name] for name in _SETTINGS if name in config}
    try:
        betas = diffusers.DDPMScheduler(**settings).betas.double()
    except (ValueError, TypeError, NotImplementedError, RuntimeError) as error:
        raise WeightsError(f"{source}: its scheduler's settings make no sense: {reason(error)}") from error
    return Schedule(tuple(torch.cumprod(1 - betas, dim=0).tolist()), prediction, source)
