"""Latent diffusion models read from diffusers folders, and what detectors share of them: nothing is computed twice.

    AUTOENCODER_FILES, DIFFUSION_FILES                      # `files` of a method's own Weights; or SD14, the usual ones
    space = session.once(latent_space, weights=weights)     # Space: an autoencoder alone is enough
    model = session.once(diffusion, weights=weights)        # Diffusion: space, U-Net, schedule; checked, nothing loaded yet

Both raise WeightsError in one line; a detector's `open_weights` calls them, and `model.schedule.alpha_bar(timestep)` and
`side(space, size)`, so that what cannot be done is said before the first image.
What a batch shares is a list with one answer per image, in order, float32 on the session's device; images of one shape go
through a network together. Settings of a key are always all given (`sample=False` too), or the work is done twice:

    batch.once(views, space=space, size=512)                # Window: uint8 pixels and the box they show, for heatmaps
    batch.once(pixels, space=space, size=512)               # (3, H, W) in [-1, 1]; size None is native, cut to cells
    batch.once(moments, space=space, size=512)              # Moments: mean, log_variance, unscaled
    batch.once(latents, space=space, size=512, sample=False)    # (C, h, w), shifted and scaled as the U-Net sees them
    batch.once(decoded, space=space, size=512, sample=False)    # (3, H, W), not clamped

    predictions(batch, model=model, size=512, timestep=10, draw=0)  # noise found in z_t; its own bounded memory, no `once`
    noise(batch, latents, draw)                             # the noise that was put into z_t for it
    encode(session, space, pictures), decode(session, space, latents, scaled=True)  # of tensors of one's own
    session.once(denoiser, model=model)(z_t, timestep, prompt)      # of latents (M, C, h, w) of one's own
    model.schedule.alpha_bar(t), .noised(z, noise, t), .drift(noise, predicted, t)  # t counts from 0, least noise
    evidence(batch, views, maps)                            # error maps to heatmaps; `heatmap_scale = SCALE`

Spaces and models are equal where their tensors and settings are, so that two repositories with one autoencoder share it.
"""

from forensic_cli.features.diffusion.autoencoding import Moments, decode, encode, scaled, together, unscaled
from forensic_cli.features.diffusion.folder import AUTOENCODER_FILES, DIFFUSION_FILES, SD14, Part
from forensic_cli.features.diffusion.latents import decoded, latents, moments, noise
from forensic_cli.features.diffusion.maps import SCALE, evidence
from forensic_cli.features.diffusion.models import Diffusion, Space, diffusion, latent_space
from forensic_cli.features.diffusion.pictures import opened, pixels, side, tensor, views
from forensic_cli.features.diffusion.predicting import Denoiser, denoiser, predictions
from forensic_cli.features.diffusion.schedule import Schedule

__all__ = [
    "AUTOENCODER_FILES",
    "DIFFUSION_FILES",
    "SCALE",
    "SD14",
    "Denoiser",
    "Diffusion",
    "Moments",
    "Part",
    "Schedule",
    "Space",
    "decode",
    "decoded",
    "denoiser",
    "diffusion",
    "encode",
    "evidence",
    "latent_space",
    "latents",
    "moments",
    "noise",
    "opened",
    "pixels",
    "predictions",
    "scaled",
    "side",
    "tensor",
    "together",
    "unscaled",
    "views",
]
