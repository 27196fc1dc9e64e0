"""What is read from a diffusers folder before a network is loaded, and what is said of one that will not do."""

import json
import shutil
from fnmatch import fnmatchcase

import diffusers
import numpy as np
import pytest
import torch

from diffusion_parts import (
    pixel_unet,
    save_diffusion,
    save_text,
    scheduler,
    text_unet,
    vq_model,
)
from forensic_cli import Session, Weights
from forensic_cli.errors import WeightsError
from forensic_cli.features.diffusion import AUTOENCODER_FILES, DIFFUSION_FILES, SD14, diffusion, latent_space
from forensic_cli.features.diffusion.loading import load
from forensic_cli.features.diffusion.prompts import conditions
from hubs import Hub, point_at, serving

pytest_plugins = ("diffusion_models",)

_UNET = "unet/diffusion_pytorch_model"
REPOSITORY = [
    *("model_index.json", "README.md", "feature_extractor/preprocessor_config.json"),
    *("safety_checker/config.json", "safety_checker/model.safetensors", "safety_checker/pytorch_model.bin"),
    *("scheduler/scheduler_config.json", "vae_1_0/diffusion_pytorch_model.safetensors"),
    *("text_encoder/config.json", "text_encoder/model.fp16.safetensors", "text_encoder/model.safetensors"),
    *("text_encoder/pytorch_model.bin", "tokenizer/merges.txt", "tokenizer/tokenizer_config.json", "tokenizer/vocab.json"),
    *("unet/config.json", f"{_UNET}.bin", f"{_UNET}.fp16.safetensors", f"{_UNET}.non_ema.safetensors"),
    *(f"{_UNET}.safetensors", f"{_UNET}-00001-of-00002.safetensors", f"{_UNET}.safetensors.index.json"),
    *("vae/config.json", "vae/diffusion_pytorch_model.bin", "vae/diffusion_pytorch_model.fp16.safetensors"),
    "vae/diffusion_pytorch_model.safetensors",
]


def wanted(patterns):
    return {name for name in REPOSITORY if any(fnmatchcase(name, pattern) for pattern in patterns)}


def weights(folder, files=DIFFUSION_FILES):
    return Weights(str(folder), files=files)


def read(folder):
    return Session().once(diffusion, weights=weights(folder))


def refusal(call):
    with pytest.raises(WeightsError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edit(path, **changes):
    value = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: one for key, one in value.items() if one is not None}))


@pytest.fixture
def copied(sd, tmp_path):
    return shutil.copytree(sd, tmp_path / "model")


def test_no_more_is_downloaded_than_a_method_needs():
    assert wanted(AUTOENCODER_FILES) == {"model_index.json", "vae/config.json", "vae/diffusion_pytorch_model.safetensors"}
    shards = {"-00001-of-00002.safetensors", ".safetensors.index.json", ".safetensors"}
    assert wanted(DIFFUSION_FILES) == wanted(AUTOENCODER_FILES) | {
        "scheduler/scheduler_config.json",
        *(f"text_encoder/{name}" for name in ("config.json", "model.safetensors")),
        *(name for name in REPOSITORY if name.startswith("tokenizer/")),
        "unet/config.json",
        *(f"unet/diffusion_pytorch_model{rest}" for rest in shards),
    }
    assert SD14.files == DIFFUSION_FILES


def test_an_autoencoder_at_the_top_of_its_folder(flux_autoencoder):
    names = {"config.json", "diffusion_pytorch_model.safetensors"}
    assert names == {one.name for one in flux_autoencoder.iterdir()}
    assert all(any(fnmatchcase(name, pattern) for pattern in AUTOENCODER_FILES) for name in names)
    space = Session().once(latent_space, weights=weights(flux_autoencoder, AUTOENCODER_FILES))
    assert (space.channels, space.cell, space.factor) == (16, 2, 2)


@pytest.mark.parametrize(
    ("name", "kind", "cell", "channels", "prediction"),
    [
        ("sd", "AutoencoderKL", 2, 4, "epsilon"),
        ("sd2", "AutoencoderKL", 2, 4, "v_prediction"),
        ("sdxl", "AutoencoderKL", 2, 4, "epsilon"),
        ("taesd", "AutoencoderTiny", 2, 4, "epsilon"),
        ("ddpm", None, 2, 3, "epsilon"),
    ],
)
def test_families(request, name, kind, cell, channels, prediction):
    model = read(request.getfixturevalue(name))
    found = model.space.autoencoder and model.space.autoencoder.kind
    assert (found, model.space.cell, model.space.channels) == (kind, cell, channels)
    assert model.schedule.prediction == prediction
    assert model.zeros == (name == "sdxl")


def test_alpha_bar_of_stable_diffusion(sd):
    schedule = read(sd).schedule
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    assert schedule.alpha_bars == pytest.approx(np.cumprod(1 - betas), rel=1e-5)
    assert schedule.alpha_bar(10) == pytest.approx(0.990431, abs=1e-6)


def test_z_t_is_that_of_diffusers(sd, ddpm):
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(1, 4, 5, 6, generator=generator) for _ in range(2))
    for folder, other in ((sd, scheduler()), (ddpm, diffusers.DDPMScheduler())):
        for timestep in (0, 10, 500, 999):
            expected = other.add_noise(clean, noise, torch.tensor([timestep]))
            torch.testing.assert_close(read(folder).schedule.noised(clean, noise, timestep), expected)


def test_v_and_clean_predictions_become_noise(tmp_path, sd2):
    """A U-Net that knows noise and clean latent says v or z; both must come back as the noise."""
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(1, 4, 5, 6, generator=generator) for _ in range(2))
    shutil.copytree(sd2, tmp_path / "z")
    edit(tmp_path / "z" / "scheduler" / "scheduler_config.json", prediction_type="sample")
    velocity = scheduler().get_velocity(clean, noise, torch.tensor([300]))
    for folder, says in ((sd2, velocity), (tmp_path / "z", clean)):
        schedule = read(folder).schedule
        noisy = schedule.noised(clean, noise, 300)
        torch.testing.assert_close(schedule.noise_of(noisy, says, 300), noise)


def test_a_timestep_that_the_model_does_not_know(sd):
    schedule = read(sd).schedule
    for timestep in (-1, 1000):
        assert f"no timestep {timestep}: set one from 0 (least noise) to 999" in refusal(
            lambda t=timestep: schedule.alpha_bar(t)
        )


def test_nothing_is_left_of_an_image_at_zero_signal(copied):
    edit(copied / "scheduler" / "scheduler_config.json", rescale_betas_zero_snr=True)
    schedule = read(copied).schedule
    assert "timestep 999: set a smaller one" in refusal(lambda: schedule.drift(torch.ones(1), torch.ones(1), 999))


def test_equal_networks_are_one_wherever_they_lie(sd, copied):
    space = Session().once(latent_space, weights=weights(sd, AUTOENCODER_FILES))
    assert space == read(sd).space == read(copied).space
    assert read(sd) == read(copied)
    assert len({read(sd), read(copied)}) == 1
    edit(copied / "vae" / "config.json", _diffusers_version="0.1", sample_size=512, force_upcast=False)
    assert read(sd) == read(copied)
    edit(copied / "vae" / "config.json", scaling_factor=0.5)
    assert read(sd).space != read(copied).space
    assert read(sd).unet == read(copied).unet
    text_unet(layers_per_block=2).save_pretrained(copied / "unet")
    assert read(sd).unet != read(copied).unet


def test_shards(copied, sd):
    shutil.rmtree(copied / "unet")
    text_unet().save_pretrained(copied / "unet", max_shard_size="20KB")
    assert len(list((copied / "unet").glob("*.safetensors"))) > 1
    model = read(copied)
    whole, parts = (load(one.unet, Session(), torch.float32).state_dict() for one in (read(sd), model))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("unet", "no unet/ there; only an autoencoder there, and this method predicts noise"),
        ("vae", "no vae/ there: copy the whole folder"),
        ("scheduler", "no scheduler/ (scheduler_config.json) beside the U-Net"),
        ("unet/config.json", "no config.json in unet/"),
        ("vae/diffusion_pytorch_model.safetensors", "no vae/diffusion_pytorch_model.safetensors"),
    ],
)
def test_what_is_missing_is_named(copied, gone, words):
    path = copied / gone
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    assert words in refusal(lambda: read(copied))


@pytest.mark.parametrize("gone", ["text_encoder", "tokenizer"])
def test_a_prompt_needs_its_encoder(copied, gone):
    shutil.rmtree(copied / gone)
    session = Session()
    model = session.once(diffusion, weights=weights(copied))
    assert f"no {gone}/ there" in refusal(lambda: session.once(conditions, model=model, prompt=""))


@pytest.mark.parametrize(
    ("file", "changes", "words"),
    [
        ("unet/config.json", {"_class_name": "FluxTransformer2DModel"}, "unet/ holds FluxTransformer2DModel"),
        ("vae/config.json", {"_class_name": "AutoencoderKLWan"}, "AutoencoderKL or AutoencoderTiny or VQModel is needed"),
        ("unet/config.json", {"in_channels": 9}, "makes 4 channels, its U-Net takes 9 and gives 4"),
        ("unet/config.json", {"in_channels": 16, "out_channels": 16}, "makes 4 channels, its U-Net takes 16"),
        ("unet/config.json", {"addition_embed_type": "image"}, "conditions of kind 'image'"),
        ("unet/config.json", {"num_class_embeds": 10}, "wants to be told a class"),
        ("scheduler/scheduler_config.json", {"beta_start": None}, "DDIMScheduler has no betas"),
        ("scheduler/scheduler_config.json", {"beta_schedule": "steep"}, "settings make no sense"),
        ("scheduler/scheduler_config.json", {"prediction_type": "flow"}, "predicts 'flow'"),
    ],
)
def test_networks_that_will_not_do(copied, file, changes, words):
    edit(copied / file, **changes)
    assert words in refusal(lambda: read(copied))


def test_tensors_that_do_not_fit_are_named(copied):
    edit(copied / "unet" / "config.json", layers_per_block=2)
    said = refusal(lambda: load(read(copied).unet, Session(), torch.float32))
    assert "does not fit its own config.json: it lacks " in said
    edit(copied / "vae" / "config.json", block_out_channels=[8, 16])
    assert "(vae/) cannot be read as AutoencoderKL" in refusal(
        lambda: load(read(copied).space.autoencoder, Session(), torch.float32)
    )
    (copied / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"no tensors")
    assert "cannot be read" in refusal(lambda: load(read(copied).space.autoencoder, Session(), torch.float32))


def test_a_text_encoder_of_another_width(copied):
    shutil.rmtree(copied / "text_encoder")
    shutil.rmtree(copied / "tokenizer")
    save_text(copied, width=24)
    session = Session()
    model = session.once(diffusion, weights=weights(copied))
    said = refusal(lambda: session.once(conditions, model=model, prompt=""))
    assert "makes 24 numbers per token and its U-Net takes 16" in said


def test_a_pickle_is_not_opened(copied):
    (copied / "vae" / "diffusion_pytorch_model.safetensors").rename(copied / "vae" / "diffusion_pytorch_model.bin")
    assert "is a pickle, which can run code when opened" in refusal(lambda: read(copied))


def test_what_is_no_diffusers_folder(tmp_path, tiny_dinov2):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"")
    for path in (tmp_path, tiny_dinov2, file):
        for key in (diffusion, latent_space):
            said = refusal(lambda path=path, key=key: Session().once(key, weights=weights(path)))
            assert "a diffusers folder is needed (vae/, unet/, scheduler/)" in said


def test_json_that_is_none(copied):
    (copied / "unet" / "config.json").write_text("{")
    assert "cannot be read as JSON" in refusal(lambda: read(copied))


def test_a_latent_model_without_text_and_its_cells(tmp_path):
    """Latent diffusion of 2022: a VQ autoencoder, and a U-Net that halves the latent, so that cells are larger."""
    (tmp_path / "old").mkdir()
    unet = pixel_unet(in_channels=4, out_channels=4)
    save_diffusion(tmp_path / "old", unet, vq_model(), text=False)
    (tmp_path / "old" / "vae").rename(tmp_path / "old" / "vqvae")
    edit(tmp_path / "old" / "model_index.json", vae=None, vqvae=["diffusers", "VQModel"])
    model = read(tmp_path / "old")
    assert (model.space.autoencoder.kind, model.space.factor, model.space.cell) == ("VQModel", 2, 4)
    shutil.rmtree(tmp_path / "old" / "vqvae")
    assert "no vqvae/ there" in refusal(lambda: read(tmp_path / "old"))


def test_pixel_models_at_the_top_of_their_folder(tmp_path, ddpm):
    """As the first of them were published."""
    pixel_unet().save_pretrained(tmp_path)
    diffusers.DDPMScheduler().save_pretrained(tmp_path)
    assert (tmp_path / "scheduler_config.json").is_file()
    assert read(tmp_path) == read(ddpm)


def test_half_a_model_in_the_cache_is_not_taken_for_the_whole(sd, tmp_path, monkeypatch):
    """Another method may have left the autoencoder there; this one must ask for the rest."""
    files = {path.relative_to(sd).as_posix(): path.read_bytes() for path in sd.rglob("*") if path.is_file()}
    files["safety_checker/model.safetensors"] = b"large"
    half, whole = Weights("some/model", files=AUTOENCODER_FILES), Weights("some/model", files=DIFFUSION_FILES)
    with serving(Hub({"some/model": files})) as server:
        point_at(monkeypatch, tmp_path, server.endpoint, offline=False)
        space = Session().once(latent_space, weights=half)
        assert not any("unet" in asked for asked in server.asked)
        point_at(monkeypatch, tmp_path)
        said = refusal(lambda: Session(offline=True).once(diffusion, weights=whole))
        assert "not (or not whole) in the caches of this machine" in said
        point_at(monkeypatch, tmp_path, server.endpoint, offline=False)
        model = Session().once(diffusion, weights=whole)
        assert not any("safety_checker" in asked for asked in server.asked)
    assert model == read(sd)
    assert model.space == space
