"""What a diffusion model takes for the noise in a noised image: once per timestep and draw, whoever asks."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

import torch

from forensic_cli.detector import Batch, Session
from forensic_cli.features.diffusion.autoencoding import together
from forensic_cli.features.diffusion.latents import latents, noise
from forensic_cli.features.diffusion.loading import load
from forensic_cli.features.diffusion.models import Diffusion
from forensic_cli.features.diffusion.prompts import Conditions, conditions

_AT_ONCE = 1 << 16  # latents in one pass: 16 images of 512 x 512
_KEPT = 256 << 20  # bytes of predictions that a batch keeps


class Denoiser:
    """The U-Net of a model, in the session's number format. Gradients pass through it, if somebody switches them on."""

    def __init__(self, session: Session, model: Diffusion) -> None:
        self.unet: Any = load(model.unet, session, getattr(torch, session.dtype))
        self._dtype = getattr(torch, session.dtype)
        self._session = session
        self._model = model

    def __call__(self, noisy: torch.Tensor, timestep: int, prompt: str = "") -> torch.Tensor:
        """The noise predicted in z_t (M, C, h, w), float32, whatever the network itself predicts; in chunks that fit."""
        told = self._session.once(conditions, model=self._model, prompt=prompt)
        room = max(1, _AT_ONCE // (noisy.shape[-2] * noisy.shape[-1]))
        return torch.cat([self._predict(part, timestep, told) for part in torch.split(noisy, room)])

    def _predict(self, noisy: torch.Tensor, timestep: int, told: Conditions) -> torch.Tensor:
        given: dict[str, Any] = {}
        if told.tokens is not None:
            given["encoder_hidden_states"] = told.tokens.to(self._dtype).expand(len(noisy), -1, -1)
        if told.pooled is not None:
            height, width = (side * self._model.space.factor for side in noisy.shape[-2:])
            sizes = torch.tensor([[height, width, 0, 0, height, width]], device=noisy.device, dtype=self._dtype)
            pooled = told.pooled.to(self._dtype).expand(len(noisy), -1)
            given["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": sizes.expand(len(noisy), -1)}
        answer = self.unet(noisy.to(self._dtype), timestep, **given).sample.float()
        own = answer[:, : noisy.shape[1]]  # what follows is a variance, where it learnt one
        return self._model.schedule.noise_of(noisy, own, timestep)


def denoiser(session: Session, *, model: Diffusion) -> Denoiser:
    """A key of `session.once`: the U-Net, loaded."""
    return Denoiser(session, model)


def predictions(
    batch: Batch, *, model: Diffusion, size: int | None, timestep: int, draw: int, sample: bool = False, prompt: str = ""
) -> list[torch.Tensor]:
    """The noise that the U-Net finds in each image's z_t, made of its latent and its noise of this draw: (C, h, w).

    To be called as it is, not through `batch.once`: the batch keeps the latest predictions up to a number of bytes, so that
    memory does not grow with the draws; what was dropped is computed again.
    """
    kept = batch.once(recent)
    key = (model, size, timestep, draw, sample, prompt)
    found = kept.get(key)
    if found is None:
        found = _predicted(batch, model, size, timestep, draw, sample, prompt)
        kept.put(key, found)
    return found


class Recent:
    """The latest lists of tensors, up to `limit` bytes; the one that was not asked for the longest goes first."""

    def __init__(self, limit: int) -> None:
        self.bytes = 0
        self._limit = limit
        self._held: OrderedDict[Hashable, list[torch.Tensor]] = OrderedDict()

    def get(self, key: Hashable) -> list[torch.Tensor] | None:
        if key in self._held:
            self._held.move_to_end(key)
        return self._held.get(key)

    def put(self, key: Hashable, tensors: list[torch.Tensor]) -> None:
        """Keep them, unless they alone are more than the limit."""
        size = _bytes(tensors)
        if size > self._limit:
            return
        while self.bytes + size > self._limit:
            self.bytes -= _bytes(self._held.popitem(last=False)[1])
        self._held[key] = tensors
        self.bytes += size


def recent(batch: Batch) -> Recent:
    """A key of `batch.once`: the predictions that this batch keeps."""
    return Recent(_KEPT)


def _predicted(
    batch: Batch, model: Diffusion, size: int | None, timestep: int, draw: int, sample: bool, prompt: str
) -> list[torch.Tensor]:
    network = batch.session.once(denoiser, model=model)
    clean = batch.once(latents, space=model.space, size=size, sample=sample)
    grains = noise(batch, clean, draw)
    noisy = [model.schedule.noised(one, grain, timestep) for one, grain in zip(clean, grains, strict=True)]
    answers: dict[int, torch.Tensor] = {}
    for indices, stack in together(noisy):
        answers |= zip(indices, network(stack, timestep, prompt), strict=True)
    return [answers[index] for index in range(len(clean))]


def _bytes(tensors: list[torch.Tensor]) -> int:
    return sum(one.nelement() * one.element_size() for one in tensors)
