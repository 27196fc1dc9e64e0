"""recon and lare against closed forms for denoisers that can be written down, and end to end on tiny random models."""

import json
from math import sqrt
from pathlib import Path
from types import SimpleNamespace

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from forensic_cli import Batch, Session, options
from forensic_cli.cli import run
from forensic_cli.errors import WeightsError
from forensic_cli.features.diffusion import autoencoding, denoiser, diffusion, evidence, latents, noise
from forensic_cli.features.lpips.loading import head_shapes, vgg_shapes
from forensic_cli.features.windows import Window
from forensic_cli.records import ImageRef
from forensic_cli.status import Status
from forensic_detectors.lare import Lare
from forensic_detectors.recon import Recon, ReconLpips, length

pytest_plugins = ("diffusion_models",)
MODELS = ("sd", "sd2", "sdxl", "taesd", "ddpm")


class Linear(nn.Module):
    """noise_theta(z) = slope * (z - centre)."""

    def __init__(self, slope, centre=0.0):
        super().__init__()
        self.slope, self.centre = slope, centre

    def forward(self, noisy, timestep, **told):
        return SimpleNamespace(sample=self.slope * (noisy - self.centre))


def detector(cls, folder, **settings):
    """With a session of its own; settings as a user types them."""
    chosen = {"weights": str(folder), **{name: str(value) for name, value in settings.items()}}
    return cls(Session(), options.build(cls.Options, chosen, cls.__name__))


def given(one, unet):
    """The same detector with another network in place of the U-Net."""
    one.session.once(denoiser, model=one.session.once(diffusion, weights=one.options.weights)).unet = unet
    return one


def batch(one, *images):
    refs = [ImageRef("x", f"{image.sum() + image.size:064x}", 1, "PNG", 1, 1) for image in images]
    return Batch(one.session, refs, images)


def white(height, width, spread=0.25, seed=0):
    """White noise of this standard deviation in [-1, 1]."""
    values = np.random.default_rng(seed + height).normal(127.5, 127.5 * spread, (height, width, 3))
    return values.round().clip(0, 255).astype(np.uint8)


def scene(side):
    """One smooth picture, drawn at any size."""
    y, x = (np.mgrid[0:side, 0:side] + 0.5) / side
    planes = [np.sin(9 * x + 4 * y), np.cos(7 * y - 5 * x), np.sin(11 * x * y)]
    return (127.5 + 100 * np.stack(planes, axis=-1)).round().astype(np.uint8)


def scores(one, *images):
    with torch.inference_mode():
        return [-float(score) for score in one.score(batch(one, *images))]


def share(one):
    """alpha_bar of the linear betas of a DDPM, in float64."""
    return float(np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))[one.options.timestep])


@pytest.mark.parametrize("space", ["latent", "pixel"])
@pytest.mark.parametrize("norm", ["paper", "mean", "spectral"])
def test_every_draw_of_the_error_written_out(ddpm, space, norm):
    """In float64, with the noise that belongs to the image."""
    one = given(detector(Recon, ddpm, size="none", timestep=60, draws=3, space=space, norm=norm), Linear(0.3, 0.1))
    images = (white(20, 34), white(32, 32))
    found = scores(one, *images)
    a = share(one)
    for image, score in zip(images, found, strict=True):
        x = image.astype(np.float64).transpose(2, 0, 1) / 127.5 - 1
        batched, errors = batch(one, image), []
        for draw in range(3):
            (grain,) = noise(batched, [torch.zeros(x.shape)], draw)
            noisy = sqrt(a) * x + sqrt(1 - a) * grain.numpy().astype(np.float64)
            back = (noisy - sqrt(1 - a) * 0.3 * (noisy - 0.1)) / sqrt(a)
            moved = (back.clip(-1, 1) if space == "pixel" else back) - x
            if norm == "spectral":
                largest = [np.linalg.svd(plane, compute_uv=False)[0] for plane in moved]
                errors.append(np.mean(largest) / sqrt(max(image.shape[:2])))
            else:
                errors.append((moved**2).sum() / (1 if norm == "paper" else x.size))
        assert score == pytest.approx(np.mean(errors), rel=1e-4)


@pytest.mark.parametrize(("slope", "timestep"), [(0.0, 0), (0.0, 40), (0.3, 40), (0.9, 300)])
def test_the_expected_error_of_a_linear_denoiser(ddpm, slope, timestep):
    """(1 - a) / a E (noise - c z_t)^2 = (1 - a) / a ((1 - c sqrt(1 - a))^2 + c^2 a E z^2)."""
    image = white(32, 32)
    one = given(detector(Recon, ddpm, size="none", timestep=timestep, draws=40), Linear(slope))
    a, power = share(one), np.mean((image / 127.5 - 1) ** 2)
    residue = (1 - slope * sqrt(1 - a)) ** 2 + slope**2 * a * power
    assert scores(one, image) == pytest.approx([(1 - a) / a * residue], rel=0.03)
    other = given(detector(Lare, ddpm, size="none", timestep=timestep, draws=40), Linear(slope))
    assert scores(other, image) == pytest.approx([residue], rel=0.03)


@pytest.mark.parametrize("method", [Recon, Lare])
def test_likelier_images_score_higher(ddpm, method):
    """The best denoiser of N(m, s^2) is noise(z) = sqrt(1 - a) / (a s^2 + 1 - a) (z - sqrt(a) m); its mean is likeliest."""
    one = detector(method, ddpm, size="none", timestep=200, draws=4)
    a, spread, centre = share(one), 0.1, 0.2
    given(one, Linear(sqrt(1 - a) / (a * spread**2 + 1 - a), sqrt(a) * centre))
    middle = np.full((32, 32, 3), round(127.5 * (1 + centre)), np.uint8)
    errors = scores(one, middle, np.clip(middle + 25.0, 0, 255).astype(np.uint8), white(32, 32, 0.6))
    assert errors == sorted(errors)
    assert errors[2] > 2 * errors[0]


def test_the_mean_does_not_know_the_size_and_the_papers_norm_does(ddpm):
    """The same statistics at four sizes; the random U-Net itself, not a formula."""
    sides = (32, 48, 64, 96)
    images = [white(side, side) for side in sides]
    mean = scores(detector(Recon, ddpm, size="none", timestep=100, draws=2), *images)
    assert mean == pytest.approx([np.mean(mean)] * 4, rel=0.05)
    paper = scores(detector(Recon, ddpm, size="none", timestep=100, draws=2, norm="paper"), *images)
    assert paper[3] / paper[0] == pytest.approx(9, rel=0.05)
    lare = scores(detector(Lare, ddpm, size="none", timestep=100, draws=2), *images)
    assert lare == pytest.approx([np.mean(lare)] * 4, rel=0.05)


def test_one_picture_scores_alike_at_every_size(sd):
    """By default all images are brought to one size and the error is a mean."""
    assert (Recon.Options().size, Recon.Options().norm, Lare.Options().size) == (512, "mean", 512)
    images = [scene(side) for side in (64, 96, 160, 333)]
    for method in (Recon, Lare):
        found = scores(detector(method, sd, size=64, draws=8, timestep=100), *images)
        assert found == pytest.approx([np.mean(found)] * 4, rel=0.03)
    paper = scores(detector(Recon, sd, size="none", draws=2, timestep=100, norm="paper"), images[0], images[2])
    assert paper[1] / paper[0] > 4


def test_spectral_norm_of_matrices_whose_singular_values_are_known():
    two = torch.zeros(2, 3, 9, dtype=torch.float64)
    two[0, 0, 0], two[0, 1, 1], two[1, 2, 5] = 3.0, -5.0, 1.0
    assert length(two, "spectral") == pytest.approx((5 + 1) / 2 / 3)
    assert length(two, "paper") == pytest.approx(9 + 25 + 1)
    assert length(two, "mean") == pytest.approx(35 / 54)


def test_lare_is_the_mean_squared_error_of_the_noise(sd):
    one = detector(Lare, sd, size=32, timestep=200, draws=2)
    image = white(40, 50)
    found = scores(one, image)
    model = one.session.once(diffusion, weights=one.options.weights)
    images = batch(one, image)
    with torch.inference_mode():
        (clean,) = images.once(latents, space=model.space, size=32, sample=False)
        network = diffusers.UNet2DConditionModel.from_pretrained(sd / "unet").double()
        errors = []
        for draw in range(2):
            (grain,) = noise(images, [clean], draw)
            noisy = model.schedule.noised(clean, grain, 200)
            guess = one.session.once(denoiser, model=model)(noisy[None], 200)[0]
            told = one.session.once(denoiser, model=model)._session._answers  # the embedding that was computed
            tokens = next(answer.tokens for answer in told.values() if hasattr(answer, "tokens"))
            exact = network(noisy[None].double(), 200, encoder_hidden_states=tokens.double()).sample[0]
            torch.testing.assert_close(guess.double(), exact, rtol=1e-3, atol=1e-4)
            errors.append(float((grain.double() - exact).square().mean()))
    assert found == pytest.approx([np.mean(errors)], rel=1e-3)


def test_recon_and_lare_share_the_network(sd):
    """One encoding and one U-Net pass per draw for both, and no decoding at all."""
    session = Session()
    made = [
        cls(session, options.build(cls.Options, {"weights": str(sd), "size": "32", "draws": "3", "timestep": "9"}, "x"))
        for cls in (Recon, Lare)
    ]
    model = session.once(diffusion, weights=made[0].options.weights)
    network = session.once(autoencoding.network, part=model.space.autoencoder)
    counted = {"encoder": 0, "decoder": 0, "unet": 0}
    for name, part in (
        ("encoder", network.encoder),
        ("decoder", network.decoder),
        ("unet", session.once(denoiser, model=model).unet),
    ):
        part.register_forward_hook(lambda *_, name=name: counted.update({name: counted[name] + 1}))
    images = batch(made[0], white(32, 32), white(48, 60))
    with torch.inference_mode():
        for one in made:
            one.score(images)
            one.heatmaps(images)
    assert counted == {"encoder": 1, "decoder": 0, "unet": 3}


def test_heatmaps_are_laid_where_the_error_is(ddpm):
    """A picture that the denoiser knows, but for one corner: blue there, a little orange elsewhere, hatched outside."""
    one = given(detector(Recon, ddpm, size=32, timestep=100, draws=4), Linear(1.0))
    image = np.full((32, 48, 3), 128, np.uint8)
    image[:8, 8:16] = 255
    with torch.inference_mode():
        (found,) = one.heatmaps(batch(one, image))
    assert found.shape == (32, 48)
    assert np.isnan(found[:, :8]).all()
    assert np.isnan(found[:, 40:]).all()
    assert np.median(found[:8, 8:16]) < -0.5
    assert np.median(found[10:, 8:40]) > 0.1
    assert found.dtype == np.float32


def test_an_image_all_of_whose_error_is_equal_has_a_map_of_zeros(ddpm):
    image = white(16, 16)
    view = Window(image, (0, 0, 16, 16))
    for level in (0.0, 0.25):
        (found,) = evidence(batch(detector(Lare, ddpm), image), [view], [np.full((8, 8), level, np.float32)])
        assert np.abs(found).max() < 1e-6


@pytest.mark.parametrize("cls", [Recon, Lare])
def test_what_cannot_be_done_is_said_before_the_first_image(sd, tmp_path, cls):
    for settings, words in (({"timestep": 5000}, "no timestep 5000"), ({"size": 1}, "less than one latent cell")):
        with pytest.raises(WeightsError, match=words):
            detector(cls, sd, **settings).open_weights()
    with pytest.raises(WeightsError, match="a diffusers folder is needed"):
        detector(cls, tmp_path).open_weights()
    for settings in ({"draws": 0}, {"size": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            cls.Options(**settings)


def scan(folder, report, model, *more, methods="recon,lare", size=32):
    settings = [
        f"--set={one}.{name}={value}" for one in methods.split(",") for name, value in (("draws", 2), ("size", size))
    ]
    given = [f"--weights={one}={model}" for one in methods.split(",")]
    status = run(["scan", str(folder), "-m", methods, *given, *settings, "-o", str(report), "--no-store", *more])
    return status, json.loads(Path(report).read_text())


def table(report):
    return {(Path(row["path"]).name, one["method"]): one["score"] for row in report["files"] for one in row["findings"]}


@pytest.mark.parametrize("name", MODELS)
def test_a_scan_whatever_the_batch(request, photo_folder, tmp_path, name):
    folder = request.getfixturevalue(name)
    found = []
    for number, batch_size in enumerate((8, 1, 4)):
        more = ["--batch-size", str(batch_size), *(["--heatmaps", str(tmp_path / "maps")] if not number else [])]
        status, report = scan(photo_folder, tmp_path / f"{number}.json", folder, *more)
        assert status == Status.DONE
        assert report["summary"]["scanned"] == 6
        found.append(table(report))
    assert len(found[0]) == 12
    assert all(score < 0 for score in found[0].values())
    assert len(set(found[0].values())) == 12
    for other in found[1:]:
        assert other == pytest.approx(found[0], rel=1e-4, abs=1e-6)
    assert len(list((tmp_path / "maps").glob("*.png"))) == 12
    _, report = scan(photo_folder / "photo_0.jpg", tmp_path / "alone.json", folder, methods="recon")
    alone = table(report)
    assert alone["photo_0.jpg", "recon"] == pytest.approx(found[0]["photo_0.jpg", "recon"], rel=1e-4)


def test_native_sizes_and_one_image_that_is_too_small(photo_folder, tmp_path, sd):
    Image.new("RGB", (1, 40)).save(photo_folder / "thin.png")
    for one in photo_folder.rglob("*.jpg"):
        with Image.open(one) as picture:
            picture.resize((picture.width // 8, picture.height // 8)).save(one)
    status, report = scan(photo_folder, tmp_path / "r.json", sd, size="none")
    assert status == Status.FAILURES
    errors = {Path(row["path"]).name: {one["error"] for one in row["findings"]} for row in report["files"]}
    (said,) = errors.pop("thin.png")
    assert said.startswith("1 x 40 pixels are less than one latent cell (2 x 2)")
    assert all(found == {None} for found in errors.values())


def test_a_folder_that_will_not_do_leaves_other_methods_alone(photo_folder, tmp_path, sd, capsys):
    status = run(["scan", str(photo_folder), "-m", "recon,lare", f"--weights=recon={tmp_path}", f"--weights=lare={sd}",
                  "--set=lare.size=32", "--set=lare.draws=1", "-o", str(tmp_path / "r.json"), "--no-store"])  # fmt: skip
    assert status == Status.FAILURES
    found = table(json.loads((tmp_path / "r.json").read_text()))
    assert {method for (_, method), score in found.items() if score is not None} == {"lare"}
    assert "a diffusers folder is needed (vae/, unet/, scheduler/)" in capsys.readouterr().err


def test_lpips_of_the_cleaned_image(sd, tmp_path):
    """Against the equation with networks of its own: each layer's unit vectors, weighed squared differences, their mean."""
    generator = torch.Generator().manual_seed(0)
    vgg = {name: torch.randn(shape, generator=generator) * (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1
           else torch.zeros(shape) for name, shape in vgg_shapes().items()}  # fmt: skip
    heads = {name: torch.rand(shape, generator=generator) for name, shape in head_shapes().items()}
    files = {}
    for name, tensors in (("vgg", vgg), ("heads", heads)):
        (tmp_path / name).mkdir()
        save_file(tensors, tmp_path / name / "model.safetensors")
        files[name] = tmp_path / name
    one = detector(ReconLpips, sd, size=32, draws=2, timestep=50, **files)
    one.open_weights()
    image = white(32, 32)
    found = scores(one, image)
    model = one.session.once(diffusion, weights=one.options.weights)
    images, expected = batch(one, image), []
    with torch.inference_mode():
        (clean,) = images.once(latents, space=model.space, size=32, sample=False)
        network = diffusers.AutoencoderKL.from_pretrained(sd / "vae")
        before = torch.from_numpy(image / 127.5 - 1).permute(2, 0, 1)[None]
        for draw in range(2):
            (grain,) = noise(images, [clean], draw)
            a = model.schedule.alpha_bars[50]
            noisy = sqrt(a) * clean + sqrt(1 - a) * grain
            guess = one.session.once(denoiser, model=model)(noisy[None], 50)[0]
            back = (noisy - sqrt(1 - a) * guess) / sqrt(a)
            after = network.decode(back[None] / network.config.scaling_factor).sample.clamp(-1, 1)
            expected.append(lpips(before, after.double(), vgg, list(heads.values())))
    assert found == pytest.approx([np.mean(expected)], rel=1e-3)
    with torch.inference_mode():
        (shown,) = one.heatmaps(images)
    assert np.isfinite(shown).all()


def lpips(one, other, vgg, heads):
    shift, scale = (torch.tensor(values).reshape(3, 1, 1) for values in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)))
    hidden, layer, whole = (torch.cat([one, other]) - shift) / scale, 0, 0.0
    weights = iter(vgg.values())
    for convolutions in (2, 2, 3, 3, 3):
        for _ in range(convolutions):
            hidden = torch.conv2d(hidden, next(weights).double(), next(weights).double(), padding=1).relu()
        unit = hidden / (hidden.norm(dim=1, keepdim=True) + 1e-10)
        whole += float(((unit[0] - unit[1]).square() * heads[layer][0].double()).sum(dim=0).mean())
        hidden, layer = torch.max_pool2d(hidden, 2), layer + 1
    return whole
