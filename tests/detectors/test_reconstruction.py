"""aeroblade and hfi: closed cases, an independent computation, and work that is shared."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

from diffusion_parts import autoencoder
from forensic_cli import Batch, Session, Weights
from forensic_cli.errors import ImageError, UsageError, WeightsError
from forensic_cli.features.diffusion import autoencoding, latent_space
from forensic_cli.features.lpips import Lpips, between, total
from forensic_cli.features.lpips.loading import stages
from forensic_cli.options import build
from forensic_cli.records import ImageRef
from forensic_detectors.aeroblade import Aeroblade, shown
from forensic_detectors.hfi import Hfi, low_pass
from forensic_detectors.recon import Recon

pytest_plugins = ("diffusion_models", "lpips_models")


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    """An autoencoder with other tensors, at the top of its folder."""
    folder = tmp_path_factory.mktemp("weights") / "other"
    model = autoencoder()
    with torch.no_grad():
        for one in model.parameters():
            one.mul_(1.5)
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def make(vgg_file, heads_file):
    def made(cls, session, *folders, **settings):
        typed = {"vgg": str(vgg_file), "heads": str(heads_file), "weights": ",".join(map(str, folders)), **settings}
        detector = cls(session, build(cls.Options, typed, cls.__name__.lower()))
        detector.open_weights()
        return detector

    return made


@pytest.fixture
def lpips(vgg_file, heads_file):
    return lambda layer: Lpips(layer, Weights(str(vgg_file)), Weights(str(heads_file)))


def batch(session, *images):
    refs = [ImageRef(f"{n}", f"{n:064x}", 1, "PNG", one.shape[1], one.shape[0]) for n, one in enumerate(images)]
    return Batch(session, refs, images)


def images(*shapes):
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]


def plain(image):
    return torch.from_numpy(image).permute(2, 0, 1).float() / 127.5 - 1


def brought_back(session, folder, picture):
    """What diffusers makes of the mean latent of a picture."""
    network = session.once(autoencoding.network, part=session.once(latent_space, weights=Weights(str(folder))).autoencoder)
    return network.decode(network.encode(picture[None]).latent_dist.mode()).sample[0]


class Identity(torch.nn.Module):
    dtype = torch.float32

    def encode(self, picture):
        return SimpleNamespace(latents=picture)

    def decode(self, latent):
        return SimpleNamespace(sample=latent)


def test_what_comes_back_unchanged_has_no_distance(make, taesd, monkeypatch):
    monkeypatch.setattr(autoencoding, "load", lambda *_: Identity())
    session = Session()
    some = batch(session, *images((32, 32), (40, 34)))
    blade, high = make(Aeroblade, session, taesd), make(Hfi, session, taesd)
    assert blade.score(some) == pytest.approx([0, 0], abs=1e-9)
    assert high.score(some) == pytest.approx([0, 0], abs=1e-9)
    for image, one, other in zip(some.images, blade.heatmaps(some), high.heatmaps(some), strict=True):
        assert one.shape == other.shape
        assert one.shape == (image.shape[0] // 2, image.shape[1] // 2)
        assert np.abs(one).max() < 1e-3
        assert np.abs(other).max() < 1e-3
    assert min(make(Aeroblade, session, taesd, rounding="yes").score(some)) > -1e-3


@pytest.mark.parametrize("settings", [{}, {"layer": "0"}, {"layer": "1", "rounding": "yes"}])
def test_aeroblade_is_the_smallest_distance_of_several(make, lpips, sd, other, settings):
    session = Session()
    some = batch(session, *images((32, 32), (24, 40)))
    detector = make(Aeroblade, session, sd, other, **settings)
    for image, score in zip(some.images, detector.score(some), strict=True):
        picture, found = plain(image), []
        for folder in (sd / "vae", other):
            back = (brought_back(session, folder, picture) / 2 + 0.5).clamp(0, 1)
            if "rounding" in settings:
                back = (back * 255).to(torch.uint8).float() / 255
            (maps,) = between(session, [picture], [back * 2 - 1], lpips=lpips(int(settings.get("layer", 2))))
            found.append(total(maps))
        assert score == pytest.approx(-min(found), rel=1e-4)
        assert found[0] != pytest.approx(found[1], rel=1e-3)


@pytest.mark.parametrize(("kind", "side"), [("gaussian", np.exp([-0.5, 0, -0.5])), ("box", np.ones(3))])
def test_hfi_is_what_the_fine_detail_loses(make, lpips, sd, other, kind, side):
    session = Session()
    some = batch(session, *images((32, 32), (24, 40)))
    kernel = np.outer(side, side) / np.outer(side, side).sum()
    scores = make(Hfi, session, sd, other, lowpass=kind).score(some)
    for image, score in zip(some.images, scores, strict=True):
        sharp = plain(image)
        soft = torch.from_numpy(np.stack([correlate(one, kernel, mode="mirror") for one in sharp.double().numpy()])).float()
        assert low_pass(sharp, kind).numpy() == pytest.approx(soft.numpy(), abs=1e-6)
        losses = []
        for folder in (sd / "vae", other):
            pairs = [sharp, soft], [brought_back(session, folder, one) for one in (sharp, soft)]
            whole, rest = (total(maps) for maps in between(session, *pairs, lpips=lpips(0)))
            losses.append(whole - rest)
        assert score == pytest.approx(-min(losses), rel=1e-3, abs=1e-6)


def test_a_draw_of_the_latent_belongs_to_the_image(make, sd):
    pair = images((32, 32), (32, 32))
    session = Session()
    drawn = make(Aeroblade, session, sd, latent="sampled")
    together = drawn.score(batch(session, *pair))
    assert together != pytest.approx(make(Aeroblade, session, sd).score(batch(session, *pair)), rel=1e-3)
    assert drawn.score(batch(session, pair[0])) == pytest.approx(together[:1], rel=1e-4)
    again = Session(seed=1)
    assert make(Aeroblade, again, sd, latent="sampled").score(batch(again, *pair)) != pytest.approx(together, rel=1e-5)


def test_work_is_shared_and_scores_are_the_same(make, sd, tmp_path, vgg_file):
    copy = shutil.copytree(sd, tmp_path / "copy")
    pair = images((40, 48), (32, 32))

    def scores(*wanted):
        """Of these detectors on one batch, and which networks ran on how many images."""
        session, counts = Session(), {}
        some = batch(session, *pair)
        space = session.once(latent_space, weights=Weights(str(sd)))
        network = session.once(autoencoding.network, part=space.autoencoder)
        parts = {"encoder": network.encoder, "decoder": network.decoder}
        vgg = build(Aeroblade.Options, {"vgg": str(vgg_file)}, "aeroblade").vgg
        parts |= {f"vgg{number}": one for number, one in enumerate(session.once(stages, weights=vgg), 1)}
        for name, part in parts.items():
            part.register_forward_hook(
                lambda _, seen, __, name=name: counts.update({name: counts.get(name, 0) + len(seen[0])})
            )
        found = {}
        for cls in wanted:
            if cls is Recon:
                detector = Recon(session, build(Recon.Options, {"weights": str(sd), "size": "32", "draws": "1"}, "recon"))
            else:
                detector = make(cls, session, sd, copy, size="32")
            found[cls] = detector.score(some)
        return found, counts

    alone, blade = scores(Aeroblade)
    assert blade == {"encoder": 2, "decoder": 2, "vgg1": 4, "vgg2": 4}, "equal autoencoders count as one"
    high, counts = scores(Hfi)
    assert counts == {"encoder": 4, "decoder": 4, **{f"vgg{number}": 8 for number in range(1, 6)}}
    recon, counts = scores(Recon)
    assert counts == {"encoder": 2}
    together, counts = scores(Recon, Aeroblade, Hfi)
    assert counts == {"encoder": 4, "decoder": 4, "vgg1": 10, "vgg2": 10, "vgg3": 8, "vgg4": 8, "vgg5": 8}
    assert together == alone | high | recon
    backwards, _ = scores(Hfi, Aeroblade, Recon)
    assert backwards == together


def test_heatmaps_show_where_the_image_comes_back_better(make, sd):
    """Half of the image is what comes back, the other is noise."""
    session = Session()
    (image,) = images((32, 64))
    back = brought_back(session, sd / "vae", plain(image)).clamp(-1, 1)
    mixed = image.copy()
    mixed[:, :32] = ((back + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()[:, :32]
    some = batch(session, mixed)
    for cls in (Aeroblade, Hfi):
        detector = make(cls, session, sd)
        (heat,) = detector.heatmaps(some)
        assert heat.shape == (16, 32)
        assert np.isfinite(heat).all()
        assert cls.heatmap_scale > 0
    (maps,) = between(session, [plain(mixed)], [brought_back(session, sd / "vae", plain(mixed)).clamp(-1, 1)],
                      lpips=Lpips(2, detector.options.vgg, detector.options.heads))  # fmt: skip
    (heat,) = make(Aeroblade, session, sd).heatmaps(some)
    assert np.corrcoef(heat.ravel(), -np.log(maps[0].numpy()).ravel())[0, 1] == pytest.approx(1, abs=1e-3)


def test_shown_as_eight_bits():
    values = torch.tensor([-1.4, -1, -0.999, 0, 0.9999, 1, 3])
    assert (shown(values, True) * 127.5 + 127.5).tolist() == pytest.approx([0, 0, 0, 127, 254, 255, 255], abs=1e-4)
    assert shown(values, False).tolist() == pytest.approx([-1, -1, -0.999, 0, 0.9999, 1, 1])


def test_options_and_weights_that_will_not_do(make, sd, heads_file, tmp_path):
    session = Session()
    for settings, words in (({"size": "0"}, "size must be"), ({"weights": ","}, "at least one autoencoder")):
        with pytest.raises(UsageError, match=words):
            make(Aeroblade, session, sd, **settings)
    with pytest.raises(WeightsError, match="size 1 is less than one latent cell"):
        make(Hfi, session, sd, size="1")
    with pytest.raises(WeightsError, match="no such folder"):
        make(Hfi, session, sd, tmp_path / "nowhere")
    with pytest.raises(WeightsError, match="is not the VGG-16 of torchvision: it lacks"):
        make(Aeroblade, session, sd, vgg=str(heads_file))
    small = batch(session, *images((12, 30)))
    with pytest.raises(ImageError, match="too few for LPIPS"):
        make(Hfi, session, sd).score(small)
    assert len(make(Aeroblade, session, sd).score(small)) == 1
