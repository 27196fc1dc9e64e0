"""Tiny random diffusion models as fixtures: pytest_plugins = ("diffusion_models",). Their parts are in diffusion_parts."""

from pathlib import Path

import diffusers
import pytest

from diffusion_parts import (
    WIDTH,
    autoencoder,
    pixel_unet,
    save_diffusion,
    save_text,
    scheduler,
    text_unet,
    tiny_autoencoder,
)


@pytest.fixture(scope="session")
def sd(tmp_path_factory) -> Path:
    return save_diffusion(tmp_path_factory.mktemp("weights") / "sd")


@pytest.fixture(scope="session")
def sd2(tmp_path_factory) -> Path:
    """The same networks, but what the U-Net says is v."""
    return save_diffusion(tmp_path_factory.mktemp("weights") / "sd2", schedule=scheduler(prediction_type="v_prediction"))


@pytest.fixture(scope="session")
def sdxl(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / "sdxl"
    unet = text_unet(
        addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=12 + 6 * 8,
        cross_attention_dim=2 * WIDTH,
    )  # fmt: skip
    saved = save_diffusion(folder, unet, autoencoder(scaling_factor=0.13025), text=False)
    save_text(folder)
    save_text(folder, "_2", projected=True)
    return saved


@pytest.fixture(scope="session")
def flux_autoencoder(tmp_path_factory) -> Path:
    """Sixteen channels, a shift, and nothing else: an autoencoder at the top of its folder."""
    folder = tmp_path_factory.mktemp("weights") / "flux"
    changes = {"latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159}
    autoencoder(use_quant_conv=False, use_post_quant_conv=False, **changes).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def taesd(tmp_path_factory) -> Path:
    """A small model with a tiny autoencoder."""
    return save_diffusion(tmp_path_factory.mktemp("weights") / "taesd", vae=tiny_autoencoder())


@pytest.fixture(scope="session")
def ddpm(tmp_path_factory) -> Path:
    """Pixels, linear betas, no autoencoder."""
    folder = tmp_path_factory.mktemp("weights") / "ddpm"
    diffusers.DDPMPipeline(pixel_unet(), diffusers.DDPMScheduler()).save_pretrained(folder)
    return folder
