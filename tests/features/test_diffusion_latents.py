"""What detectors share of a diffusion model, against the networks of diffusers called directly, one image at a time."""

import weakref

import diffusers
import numpy as np
import pytest
import torch
import transformers

from diffusion_parts import autoencoder, pixel_unet, save_diffusion, tiny_autoencoder, vq_model
from forensic_cli import Batch, Session, Weights
from forensic_cli.errors import ImageError, WeightsError
from forensic_cli.features.diffusion import (
    AUTOENCODER_FILES,
    DIFFUSION_FILES,
    autoencoding,
    decode,
    decoded,
    denoiser,
    diffusion,
    encode,
    latent_space,
    latents,
    moments,
    noise,
    pixels,
    predicting,
    predictions,
    prompts,
    views,
)
from forensic_cli.features.noise import gaussian
from forensic_cli.records import ImageRef

pytest_plugins = ("diffusion_models",)
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


def pictures(*shapes):
    return [np.random.default_rng(number).integers(0, 256, (*shape, 3), np.uint8) for number, shape in enumerate(shapes)]


def batch(images, session=None):
    refs = [ImageRef("x", f"{one.sum():064x}", 1, "PNG", one.shape[1], one.shape[0]) for one in images]
    return Batch(session or Session(), refs, images)


def opened(folder, session):
    return session.once(diffusion, weights=Weights(str(folder), files=DIFFUSION_FILES))


def plain(image):
    """(1, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(image.astype(np.float64) / 127.5 - 1).permute(2, 0, 1)[None].float()


def close(one, other):
    torch.testing.assert_close(one, other, **CLOSE)


MIXED = ((32, 32), (20, 44), (33, 35), (32, 32))  # the third loses a row and a column


@pytest.mark.parametrize("name", ["sd", "sdxl", "flux_autoencoder"])
def test_moments_latents_and_their_decoding(request, name):
    folder = request.getfixturevalue(name)
    images = batch(pictures(*MIXED))
    space = images.session.once(latent_space, weights=Weights(str(folder), files=AUTOENCODER_FILES))
    network = diffusers.AutoencoderKL.from_pretrained(folder, subfolder=None if name.startswith("flux") else "vae")
    scale, shift = network.config.scaling_factor, network.config.shift_factor or 0.0
    assert (scale, shift) == {"sd": (0.18215, 0), "sdxl": (0.13025, 0), "flux_autoencoder": (0.3611, 0.1159)}[name]
    found = images.once(moments, space=space, size=None)
    drawn = noise(images, [one.mean for one in found], 0, purpose="latent")
    modes, samples = (images.once(latents, space=space, size=None, sample=sample) for sample in (False, True))
    after = images.once(decoded, space=space, size=None, sample=False)
    for index, image in enumerate(images.images):
        posterior = network.encode(plain(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])).latent_dist
        close(found[index].mean, posterior.mean[0])
        close(found[index].log_variance, posterior.logvar[0])
        close(modes[index], (posterior.mean[0] - shift) * scale)
        close(samples[index], ((posterior.mean + posterior.std * drawn[index])[0] - shift) * scale)
        close(after[index], network.decode(posterior.mean).sample[0])
        assert posterior.std.mean() > 0.05
    close(decode(images.session, space, [one.mean for one in found], scaled=False)[1], after[1])


def test_the_centre_is_cut_at_native_size(sd):
    images = batch(pictures((33, 36)))
    space = opened(sd, images.session).space
    (view,) = images.once(views, space=space, size=None)
    assert view.box == (0, 0, 36, 32)
    assert np.array_equal(view.pixels, images.images[0][:32])
    close(images.once(pixels, space=space, size=None)[0], plain(images.images[0][:32])[0])
    (square,) = images.once(views, space=space, size=25)
    assert square.pixels.shape == (24, 24, 3)
    assert square.box == pytest.approx((2, 0.66, 34.7, 33), abs=1.5)


def test_an_image_smaller_than_one_cell(sd):
    images = batch(pictures((32, 32), (40, 1)))
    space = opened(sd, images.session).space
    with pytest.raises(ImageError, match=r"1 x 40 pixels are less than one latent cell \(2 x 2\)"):
        images.once(views, space=space, size=None)
    with pytest.raises(WeightsError, match="size 1 is less than one latent cell"):
        images.once(views, space=space, size=1)
    assert len(images.once(views, space=space, size=32)) == 2


def test_a_tiny_autoencoder_and_a_vq_model_have_no_variance(taesd, tmp_path):
    images = batch(pictures(*MIXED[:2]))
    space = opened(taesd, images.session).space
    network = diffusers.AutoencoderTiny.from_pretrained(taesd, subfolder="vae")
    for index, found in enumerate(images.once(latents, space=space, size=None, sample=True)):
        close(found, network.encode(plain(images.images[index])).latents[0])
    for number, norm in enumerate(("group", "spatial")):
        folder = tmp_path / norm
        changes = {} if norm == "group" else {"norm_type": "spatial", "vq_embed_dim": 4, "block_out_channels": (32, 32)}
        vq_model(**changes).save_pretrained(folder / "movq")
        space = images.session.once(latent_space, weights=Weights(str(folder), files=AUTOENCODER_FILES))
        network = diffusers.VQModel.from_pretrained(folder / "movq")
        hidden = network.encode(plain(images.images[0])).latents
        close(images.once(latents, space=space, size=None, sample=True)[0], hidden[0] * network.config.scaling_factor)
        after = images.once(decoded, space=space, size=None, sample=False)[0]
        close(after, network.decode(hidden, force_not_quantize=bool(number)).sample[0])
        assert (after - network.decode(hidden, force_not_quantize=not number).sample[0]).abs().max() > 0.01


def test_pixels_are_their_own_latents(ddpm):
    images = batch(pictures(*MIXED))
    space = opened(ddpm, images.session).space
    seen = images.once(pixels, space=space, size=None)
    for key in (latents, decoded):
        for one, other in zip(images.once(key, space=space, size=None, sample=True), seen, strict=True):
            assert torch.equal(one, other)


def test_noise_is_that_of_other_detectors(sd):
    images = batch(pictures((32, 32), (32, 32)))
    like = [torch.zeros(4, 16, 16)] * 2
    for draw in (0, 3):
        assert torch.equal(torch.stack(noise(images, like, draw)), gaussian(images, shape=(4, 16, 16), draw=draw))


def embedding(folder, prompt, number="", hidden=None):
    ids = transformers.CLIPTokenizer.from_pretrained(folder / f"tokenizer{number}")(
        prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
    )
    kind = transformers.CLIPTextModelWithProjection if number else transformers.CLIPTextModel
    answer = kind.from_pretrained(folder / f"text_encoder{number}")(ids.input_ids, output_hidden_states=True)
    return answer.last_hidden_state if hidden is None else answer.hidden_states[hidden], answer


@pytest.mark.parametrize("name", ["sd", "sd2", "sdxl", "taesd", "ddpm"])
@pytest.mark.parametrize("prompt", ["", "a b c"])
def test_predicted_noise(request, name, prompt):
    folder = request.getfixturevalue(name)
    images = batch(pictures(*MIXED))
    model = opened(folder, images.session)
    found = predictions(images, model=model, size=None, timestep=250, draw=2, prompt=prompt)
    clean = images.once(latents, space=model.space, size=None, sample=False)
    grains = noise(images, clean, 2)
    alpha_bar = model.schedule.alpha_bars[250]
    kind = diffusers.UNet2DModel if name == "ddpm" else diffusers.UNet2DConditionModel
    network = kind.from_pretrained(folder, subfolder="unet")
    for index, one in enumerate(clean):
        noisy = (alpha_bar**0.5 * one + (1 - alpha_bar) ** 0.5 * grains[index])[None]
        told = {}
        if name in ("sd", "sd2", "taesd"):
            told["encoder_hidden_states"] = embedding(folder, prompt)[0]
        if name == "sdxl":
            height, width = (2 * side for side in one.shape[1:])
            tokens, pooled = torch.zeros(1, 77, 32), torch.zeros(1, 12)
            if prompt:
                first, (second, answer) = embedding(folder, prompt, hidden=-2)[0], embedding(folder, prompt, "_2", -2)
                tokens, pooled = torch.cat([first, second], dim=-1), answer.text_embeds
            sizes = torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32)
            told = {"encoder_hidden_states": tokens, "added_cond_kwargs": {"text_embeds": pooled, "time_ids": sizes}}
        expected = network(noisy, 250, **told).sample
        if name == "sd2":
            expected = alpha_bar**0.5 * expected + (1 - alpha_bar) ** 0.5 * noisy
        close(found[index], expected[0])


def test_a_learnt_variance_is_left_aside(tmp_path):
    diffusers.DDPMPipeline(pixel_unet(out_channels=6), diffusers.DDPMScheduler()).save_pretrained(tmp_path)
    images = batch(pictures((32, 32)))
    (found,) = predictions(images, model=opened(tmp_path, images.session), size=None, timestep=5, draw=0)
    assert found.shape == (3, 32, 32)


def test_the_text_encoder_is_used_once_and_let_go(sd, monkeypatch):
    made = []
    real = prompts.pretrained

    def spy(*arguments):
        model = real(*arguments)
        made.append(weakref.ref(model))
        return model

    monkeypatch.setattr(prompts, "pretrained", spy)
    session = Session()
    for _ in range(2):
        images = batch(pictures((32, 32)), session)
        predictions(images, model=opened(sd, session), size=32, timestep=5, draw=0)
    assert len(made) == 1
    assert made[0]() is None


class Calls:
    """How often the networks of a session ran."""

    def __init__(self, session, model):
        self.counted = dict.fromkeys(("encoder", "decoder", "unet"), 0)
        network = session.once(autoencoding.network, part=model.space.autoencoder)
        parts = {"encoder": network.encoder, "decoder": network.decoder, "unet": session.once(denoiser, model=model).unet}
        for name, part in parts.items():
            part.register_forward_hook(lambda *_, name=name: self.counted.update({name: self.counted[name] + 1}))


def test_each_network_runs_once_whoever_asks(sd):
    images = batch(pictures(*[(32, 32)] * 4))
    model = opened(sd, images.session)
    calls = Calls(images.session, model)
    for sample in (False, False, True):
        images.once(decoded, space=model.space, size=32, sample=sample)
        images.once(latents, space=model.space, size=32, sample=sample)
        for draw in (0, 1, 0, 1):
            predictions(images, model=model, size=32, timestep=7, draw=draw)
    assert calls.counted == {"encoder": 1, "decoder": 2, "unet": 2}


def test_memory_does_not_grow_with_the_draws(sd, monkeypatch):
    """What is kept has a limit in bytes; what had to go is computed again, to the same numbers."""
    one = 2 * 4 * 16 * 16 * 4  # bytes of one draw of two images
    monkeypatch.setattr(predicting, "_KEPT", 3 * one + 10)
    images = batch(pictures((32, 32), (32, 32)))
    model = opened(sd, images.session)
    calls = Calls(images.session, model)
    first = [one.clone() for one in predictions(images, model=model, size=32, timestep=7, draw=0)]
    held = images.once(predicting.recent)
    for draw in range(1, 12):
        predictions(images, model=model, size=32, timestep=7, draw=draw)
        assert held.bytes <= 3 * one
    assert calls.counted["unet"] == 12
    for draw in (11, 10, 9):
        predictions(images, model=model, size=32, timestep=7, draw=draw)
    assert calls.counted["unet"] == 12
    again = predictions(images, model=model, size=32, timestep=7, draw=0)
    assert calls.counted["unet"] == 13
    assert all(torch.equal(old, new) for old, new in zip(first, again, strict=True))


def test_the_draw_that_was_not_asked_for_the_longest_goes_first():
    kept = predicting.Recent(32)
    for key in "ab":
        kept.put(key, [torch.zeros(4)])
    assert kept.get("a") is not None
    kept.put("c", [torch.zeros(4)])
    assert (kept.get("a") is None, kept.get("b") is None, kept.get("c") is None) == (False, True, False)
    kept.put("large", [torch.zeros(9)])
    assert kept.get("large") is None
    assert kept.bytes == 32


@pytest.mark.parametrize(
    ("dtype", "vae", "unet"), [("float16", "float32", "float16"), ("bfloat16", "bfloat16", "bfloat16")]
)
def test_an_autoencoder_never_runs_in_float16(sd, dtype, vae, unet):
    session = Session(dtype=dtype)
    model = opened(sd, session)
    assert session.once(autoencoding.network, part=model.space.autoencoder).dtype == getattr(torch, vae)
    assert session.once(denoiser, model=model).unet.dtype == getattr(torch, dtype)
    images = batch(pictures((32, 32)), session)
    exact = batch(pictures((32, 32)))
    (found,) = predictions(images, model=model, size=32, timestep=500, draw=0)
    (expected,) = predictions(exact, model=opened(sd, exact.session), size=32, timestep=500, draw=0)
    assert found.dtype == torch.float32
    assert float((found - expected).norm() / expected.norm()) < 0.05


def test_chunks_change_nothing(sd, monkeypatch):
    shapes = [(32, 32)] * 5 + [(16, 48)] * 2
    found = []
    for room in (1 << 20, 2 * 32 * 32, 1):
        monkeypatch.setattr(autoencoding, "_AT_ONCE", room)
        monkeypatch.setattr(predicting, "_AT_ONCE", max(1, room // 4))
        images = batch(pictures(*shapes))
        model = opened(sd, images.session)
        guesses = predictions(images, model=model, size=None, timestep=7, draw=0)
        found.append([*guesses, *images.once(decoded, space=model.space, size=None, sample=False)])
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            close(one, two)


@pytest.mark.parametrize("shape", [(64, 64), (50, 118), (34, 200)])
def test_tiles_of_a_tiny_autoencoder_answer_as_the_whole(tmp_path, monkeypatch, shape):
    tiny_autoencoder().save_pretrained(tmp_path)
    answers = []
    for limit in (1 << 21, 1000):
        monkeypatch.setattr(autoencoding, "_WHOLE", limit)
        monkeypatch.setattr(autoencoding, "_TILE", 24)
        monkeypatch.setattr(autoencoding, "_CONTEXT", 24)
        images = batch(pictures(shape))
        space = images.session.once(latent_space, weights=Weights(str(tmp_path), files=AUTOENCODER_FILES))
        network = images.session.once(autoencoding.network, part=space.autoencoder)
        seen = []
        network.encoder.register_forward_hook(lambda _, given, made, seen=seen: seen.append(given[0].shape[-2:]))
        (found,) = encode(images.session, space, images.once(pixels, space=space, size=None))
        answers.append([found.mean, decode(images.session, space, [found.mean], scaled=False)[0]])
        assert (len(seen) > 1) == (limit == 1000)
        assert all(max(size) <= 24 + 2 * 24 for size in seen) or limit > 1000
    for whole, tiled in zip(*answers, strict=True):
        close(whole, tiled)


def test_tiles_of_other_autoencoders_are_close(tmp_path, monkeypatch):
    autoencoder(mid_block_add_attention=False).save_pretrained(tmp_path)
    answers = []
    for limit in (1 << 21, 1000):
        monkeypatch.setattr(autoencoding, "_WHOLE", limit)
        monkeypatch.setattr(autoencoding, "_TILE", 64)
        images = batch([np.asarray(pictures((128, 128))[0] // 8 + 100)])
        space = images.session.once(latent_space, weights=Weights(str(tmp_path), files=AUTOENCODER_FILES))
        answers.append(images.once(latents, space=space, size=None, sample=False)[0])
    assert answers[0].shape == answers[1].shape
    assert float((answers[0] - answers[1]).norm() / answers[0].norm()) < 0.1


def test_two_repositories_with_one_autoencoder_encode_once(sd, tmp_path):
    other = save_diffusion(tmp_path / "other", text=False)
    images = batch(pictures((32, 32)))
    model = opened(sd, images.session)
    calls = Calls(images.session, model)
    alone = images.session.once(latent_space, weights=Weights(str(other), files=AUTOENCODER_FILES))
    for space in (model.space, alone):
        images.once(latents, space=space, size=32, sample=False)
    assert calls.counted["encoder"] == 1


def test_gradients_pass_through_the_network(sd):
    with torch.inference_mode(False):
        session = Session()
        network = session.once(denoiser, model=opened(sd, session))
        latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
        (slope,) = torch.autograd.grad(network(latent, 10)[0, 0, 0, 0], latent)
        step = torch.zeros_like(latent)
        step[0, 1, 2, 3] = 1e-2
        with torch.no_grad():
            rise = (network(latent + step, 10) - network(latent - step, 10))[0, 0, 0, 0] / 2e-2
    assert float(slope[0, 1, 2, 3]) == pytest.approx(float(rise), rel=0.05, abs=1e-4)
