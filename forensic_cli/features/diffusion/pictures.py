"""The pixels that a diffusion model sees of each image: a square of one size, or all that its latent cells cover."""

from functools import partial

import numpy as np
import torch

from forensic_cli.classifier import Look
from forensic_cli.detector import Batch, Session
from forensic_cli.errors import ImageError, WeightsError
from forensic_cli.features.diffusion.models import Diffusion, Space, diffusion
from forensic_cli.features.windows import Window, cut, threads
from forensic_cli.records import Weights


def views(batch: Batch, *, space: Space, size: int | None) -> list[Window]:
    """One window of each image, whose sides are multiples of `space.cell`; its box says what it shows.

    `size`: the short side is brought to it (bicubic, antialiased) and the centre square cut out. None: the centre at native
    size, less than a cell is lost. Raises ImageError for an image smaller than one cell.
    """
    if size is None:
        return [_native(image, space.cell) for image in batch.images]
    look = Look(side(space, size), resize=size, kernel="bicubic")
    return [window for (window,) in batch.session.once(threads).map(partial(cut, look=look), batch.images)]


def side(space: Space, size: int) -> int:
    """The side of the square that `size` leaves, a multiple of `space.cell`. Raises WeightsError if there is none."""
    cells = size // space.cell
    if not cells:
        raise WeightsError(f"size {size} is less than one latent cell of {space.source}: set at least {space.cell}")
    return cells * space.cell


def opened(session: Session, weights: Weights, timestep: int, size: int | None) -> Diffusion:
    """The model, which has this timestep and room for pictures of `size`. Raises WeightsError where it has not."""
    model = session.once(diffusion, weights=weights)
    model.schedule.alpha_bar(timestep)
    if size is not None:
        side(model.space, size)
    return model


def pixels(batch: Batch, *, space: Space, size: int | None) -> list[torch.Tensor]:
    """The same windows as float32 in [-1, 1] on the session's device, (3, H, W) each."""
    return [tensor(view.pixels, batch.session.device) for view in batch.once(views, space=space, size=size)]


def tensor(image: np.ndarray, device: str) -> torch.Tensor:
    """uint8 (H, W, 3) to float32 in [-1, 1], (3, H, W)."""
    whole = torch.from_numpy(np.array(image)).to(device)
    return whole.permute(2, 0, 1).float() / 127.5 - 1


def _native(image: np.ndarray, cell: int) -> Window:
    height, width = image.shape[:2]
    tall, wide = height // cell * cell, width // cell * cell
    if not tall or not wide:
        raise ImageError(
            f"{width} x {height} pixels are less than one latent cell ({cell} x {cell}): give this method a size, and the "
            "image is enlarged"
        )
    top, left = (height - tall) // 2, (width - wide) // 2
    return Window(image[top : top + tall, left : left + wide], (left, top, left + wide, top + tall))
