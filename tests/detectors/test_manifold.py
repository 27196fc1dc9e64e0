"""The criterion written out with diffusers' and transformers' own networks and processor, and from the command line."""

import json
import sys
from math import sqrt

import diffusers
import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from diffusion_parts import scheduler
from forensic_cli import Batch, Session, options
from forensic_cli.cli import run
from forensic_cli.contract import check
from forensic_cli.features.diffusion import diffusion as read
from forensic_cli.features.diffusion import latents, noise
from forensic_cli.features.diffusion.prompts import conditions
from forensic_cli.records import ImageRef
from forensic_detectors.manifold import Manifold, spherical
from installing import install
from stirring import stirred

pytest_plugins = ("diffusion_models",)

SIDE = 28  # of what CLIP sees
PLUGIN = """from forensic_detectors.manifold import Manifold, hookimpl


@hookimpl
def register_detectors(register):
    register("given", Manifold)
"""


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights") / "clip"
    vision = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    text = {**vision, "vocab_size": 50}
    vision |= {"image_size": SIDE, "patch_size": 14, "projection_dim": 24}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=24)
        stirred(transformers.CLIPModel(config)).save_pretrained(folder)
    return folder


def made(sd, clip, session, **settings):
    words = {"weights": str(sd), "clip": str(clip), "size": "32", **settings}
    return Manifold(session, options.build(Manifold.Options, words, "manifold"))


def batch(photographs, session):
    parts = [photographs[0].crop((0, 0, 40, 40)), photographs[1].crop((200, 100, 264, 148))]
    refs = [ImageRef("x", f"{index:064x}", 1, "PNG", *image.size) for index, image in enumerate(parts)]
    return Batch(session, refs, [np.asarray(image) for image in parts])


@torch.inference_mode()
@pytest.mark.parametrize("constant", ["512", "768"])
def test_the_criterion(sd, clip, photographs, constant):
    session = Session()
    images = batch(photographs, session)
    scores = made(sd, clip, session, draws="2", constant=constant).score(images)
    vae = diffusers.AutoencoderKL.from_pretrained(sd / "vae").eval()
    unet = diffusers.UNet2DConditionModel.from_pretrained(sd / "unet").eval()
    model = transformers.CLIPModel.from_pretrained(clip).eval()
    sides = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    processor = transformers.CLIPImageProcessorPil(**sides)

    def embed(picture):
        pixels = processor(images=Image.fromarray(picture), return_tensors="pt").pixel_values
        return model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)[0]

    def paint(latent):
        decoded = vae.decode(latent[None]).sample[0]
        return (((decoded + 1) / 2).clamp(0, 1) * 255).round().permute(1, 2, 0).numpy().astype(np.uint8)

    known = session.once(read, weights=made(sd, clip, session).options.weights)
    tokens = session.once(conditions, model=known, prompt="").tokens
    clean = images.once(latents, space=known.space, size=32, sample=True)
    for index, (image, z) in enumerate(zip(images.images, clean, strict=True)):
        parts = []
        for draw in range(2):
            grain = noise(images, clean, draw)[index]
            delta = sqrt(grain.numel()) * grain / grain.norm()
            noisy = scheduler().add_noise(z, delta, torch.tensor([10]))
            predicted = unet(noisy[None], 10, tokens).sample[0]
            a, b, c = embed(image), embed(paint(predicted / 0.18215)), embed(paint(delta))
            parts.append([torch.cosine_similarity(a, b, dim=0), b.norm(), torch.cosine_similarity(b, c, dim=0)])
        bias, length, kappa = np.mean(parts, axis=0)
        root = sqrt(float(constant))
        assert scores[index] == pytest.approx(1 + (root * bias - length + kappa) / (root + 2), rel=1e-3)


def test_noise_of_one_length():
    grain = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(0))
    assert float(spherical(grain).square().sum()) == pytest.approx(120)
    assert float(torch.cosine_similarity(spherical(grain).flatten(), grain.flatten(), dim=0)) == pytest.approx(1)


@pytest.mark.parametrize("name", ["sd", "ddpm"])
def test_it_keeps_its_promises(request, clip, name):
    check(Manifold, weights=request.getfixturevalue(name), clip=clip, size="16", draws="1")


def test_options_that_make_no_sense():
    for settings in ({"draws": 0}, {"size": 0}, {"constant": -1.0}):
        with pytest.raises(ValueError, match="must"):
            Manifold.Options(**settings)


def test_from_the_command_line(sd, clip, photographs, tmp_path, monkeypatch, capsys):
    site = tmp_path / "site"
    site.mkdir()
    install(site, "given", PLUGIN)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("FORENSIC_PLUGINS", "given")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, (width, height) in enumerate([(32, 32), (32, 32), (24, 40)]):
        photographs[index % 2].crop((100, 100, 100 + width, 100 + height)).save(folder / f"{index}.png")
    command = ["scan", str(folder), "-m", "given", "--weights", f"given={sd}", "--no-store"]
    command += ["--set", "given.size=none", "--set", "given.draws=2"]
    reports = []
    for size in ("1", "3"):
        report = tmp_path / f"{size}.json"
        more = ["--set", f"given.clip={clip}", "-o", str(report), "--batch-size", size]
        assert run([*command, *more]) == 0
        files = json.loads(report.read_text())["files"]
        reports.append([file["findings"][0]["score"] for file in sorted(files, key=lambda file: file["path"])])
    assert len(set(reports[0])) == 3
    assert reports[0] == pytest.approx(reports[1], rel=1e-4)
    assert run([*command, "--set", f"given.clip={sd / 'text_encoder'}"]) != 0
    assert "a CLIP" in capsys.readouterr().err
    sys.modules.pop("given", None)
