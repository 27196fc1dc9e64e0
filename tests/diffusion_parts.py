"""Parts of tiny random diffusion models, made by diffusers and transformers and saved in the real format."""

import json
from pathlib import Path

import diffusers
import torch
import transformers

from stirring import stirred

WIDTH = 16  # of a text embedding


def autoencoder(**changes):
    """A KL autoencoder of two levels: a latent is two pixels a side."""
    settings = {
        "block_out_channels": (8, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "latent_channels": 4,
        "norm_num_groups": 4,
        "sample_size": 32,
    }
    return made(diffusers.AutoencoderKL, settings | changes)


def tiny_autoencoder(**changes):
    settings = {
        "encoder_block_out_channels": (8, 8),
        "decoder_block_out_channels": (8, 8),
        "num_encoder_blocks": (1, 1),
        "num_decoder_blocks": (1, 1),
        "latent_channels": 4,
    }
    return made(diffusers.AutoencoderTiny, settings | changes)


def vq_model(**changes):
    settings = {
        "block_out_channels": (8, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "latent_channels": 4,
        "norm_num_groups": 4,
        "num_vq_embeddings": 16,
    }
    return made(diffusers.VQModel, settings | changes)


def text_unet(**changes):
    settings = {
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (8, 8),
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "layers_per_block": 1,
        "cross_attention_dim": WIDTH,
        "attention_head_dim": 4,
        "norm_num_groups": 4,
    }
    return made(diffusers.UNet2DConditionModel, settings | changes)


def pixel_unet(**changes):
    settings = {
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": (8, 8),
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 1,
        "attention_head_dim": 4,
        "norm_num_groups": 4,
    }
    return made(diffusers.UNet2DModel, settings | changes)


def scheduler(**changes):
    """Of Stable Diffusion 1."""
    settings = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "set_alpha_to_one": False}
    return diffusers.DDIMScheduler(clip_sample=False, steps_offset=1, **(settings | changes))


def made(cls, settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return stirred(cls(**settings))


def save_text(folder, number="", width=WIDTH, projected=False):
    """A CLIP text encoder and a tokenizer of a few letters."""
    config = transformers.CLIPTextConfig(
        vocab_size=40, hidden_size=width, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=77, projection_dim=12, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    cls = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    with torch.random.fork_rng():
        torch.manual_seed(1)
        cls(config).save_pretrained(folder / f"text_encoder{number}")
    tokenizer = folder / f"tokenizer{number}"
    tokenizer.mkdir()
    words = ["<|startoftext|>", "<|endoftext|>", *"abcdefghijklmnop", *(f"{letter}</w>" for letter in "abcdefghijklmnop")]
    (tokenizer / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}))
    (tokenizer / "merges.txt").write_text("#version: 0.2\n")
    about = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": words[1], "unk_token": words[1]}
    (tokenizer / "tokenizer_config.json").write_text(json.dumps(about | {"bos_token": words[0], "eos_token": words[1]}))


def save_diffusion(folder: Path, unet=None, vae=None, schedule=None, index=None, text=True) -> Path:
    """A whole model; what is not given is that of a small Stable Diffusion 1."""
    (vae or autoencoder()).save_pretrained(folder / "vae")
    (unet or text_unet()).save_pretrained(folder / "unet")
    (schedule or scheduler()).save_pretrained(folder / "scheduler")
    if text:
        save_text(folder)
    names = {"vae": ["diffusers", "AutoencoderKL"], "unet": ["diffusers", "UNet2DConditionModel"], **(index or {})}
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline", **names}))
    return folder
