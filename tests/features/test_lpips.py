"""LPIPS against a plain second implementation in float64; what is computed, and how often."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from forensic_cli import Batch, Session, Weights
from forensic_cli.engine.converting import convert
from forensic_cli.errors import ImageError, WeightsError
from forensic_cli.features.diffusion import Space, pixels
from forensic_cli.features.lpips import Lpips, between, comparing, distances, joined, tiling, total
from forensic_cli.features.lpips.loading import stages
from forensic_cli.records import ImageRef
from forensic_detectors.aeroblade import Aeroblade

pytest_plugins = ("lpips_models",)

PLAN = [0, 2, "pool", 5, 7, "pool", 10, 12, 14, "pool", 17, 19, 21, "pool", 24, 26, 28]
TAPS = {2: 1, 7: 2, 14: 3, 21: 4, 28: 5}
PLAIN = Space(None, 2, "pixels")


def plain(vgg, heads, one, other, layer):
    """The mean LPIPS map of a layer, step by step in float64."""
    tensors, lines = load_file(vgg), load_file(heads)
    hidden = torch.stack([one, other]).double()
    for channel, (shift, scale) in enumerate(zip((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450), strict=True)):
        hidden[:, channel] = (hidden[:, channel] - shift) / scale
    for step in PLAN:
        if step == "pool":
            hidden = torch.nn.functional.max_pool2d(hidden, 2)
            continue
        weight, bias = (tensors[f"features.{step}.{part}"].double() for part in ("weight", "bias"))
        hidden = torch.nn.functional.conv2d(hidden, weight, bias, padding=1).clamp(min=0)
        if TAPS.get(step) == layer:
            a, b = hidden.numpy()
            a, b = (part / np.sqrt((part**2).sum(axis=0)) for part in (a, b))
            return np.einsum(
                "c,chw->hw", lines[f"lin{layer - 1}.model.1.weight"].double().numpy()[0, :, 0, 0], (a - b) ** 2
            )
    raise AssertionError(layer)


def pictures(*shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(3, *shape, generator=generator) * 2 - 1 for shape in shapes]


def batch(*shapes, session=None):
    generator = np.random.default_rng(1)
    images = [generator.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]
    refs = [ImageRef(f"{n}", f"{n:064x}", 1, "PNG", one.shape[1], one.shape[0]) for n, one in enumerate(images)]
    return Batch(session or Session(), refs, images)


@pytest.fixture
def lpips(vgg_file, heads_file):
    def make(layer):
        return Lpips(layer, Weights(str(vgg_file)), Weights(str(heads_file)))

    return make


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


def test_each_layer_is_that_of_a_plain_implementation(lpips, vgg_file, heads_file):
    ones, others = pictures((32, 40), (34, 50)), pictures((32, 40), (34, 50), seed=1)
    made = between(Session(), ones, others, lpips=lpips(0))
    for one, other, maps in zip(ones, others, made, strict=True):
        for layer, found in enumerate(maps, 1):
            expected = plain(vgg_file, heads_file, one, other, layer)
            assert found.shape == expected.shape
            assert found.numpy() == pytest.approx(expected, rel=1e-3)
        assert total(maps) == pytest.approx(
            sum(plain(vgg_file, heads_file, one, other, n).mean() for n in range(1, 6)), rel=1e-4
        )


def test_a_single_layer_needs_no_more_of_the_network(lpips, vgg_file, heads_file):
    session, (one,), (other,) = Session(), pictures((16, 16)), pictures((16, 16), seed=1)
    network, ran = session.once(stages, weights=lpips(2).vgg), []
    for number, stage in enumerate(network, 1):
        stage.register_forward_hook(lambda *_, number=number: ran.append(number))
    ((found,),) = between(session, [one], [other], lpips=lpips(2))
    assert found.numpy() == pytest.approx(plain(vgg_file, heads_file, one, other, 2), rel=1e-3)
    assert ran == [1, 1, 2, 2]


def test_no_distance_to_itself_and_the_same_both_ways(lpips):
    ones, others = pictures((32, 32)), pictures((32, 32), seed=1)
    session = Session()
    assert total(between(session, ones, ones, lpips=lpips(0))[0]) == 0
    there, back = between(session, ones, others, lpips=lpips(0)), between(session, others, ones, lpips=lpips(0))
    assert total(there[0]) == pytest.approx(total(back[0]), rel=1e-5) != 0


def test_what_vgg_makes_of_the_images_is_made_once(lpips, monkeypatch):
    session = Session()
    some = batch((32, 32), (32, 48), (32, 32), session=session)
    own = some.once(pixels, space=PLAIN, size=None)
    others = [one.flip(-1) for one in own]
    ran = []
    for number, stage in enumerate(session.once(stages, weights=lpips(0).vgg), 1):
        stage.register_forward_hook(lambda _, seen, __, number=number: ran.append((number, len(seen[0]))))

    second = distances(some, others, space=PLAIN, size=None, lpips=lpips(2))
    assert sorted(ran) == sorted([(1, 2), (1, 1), (2, 2), (2, 1)] * 2), "images and others, two of one shape together"
    ran.clear()
    another = Space(None, 2, "another repository")
    distances(some, others, space=another, size=None, lpips=lpips(2))
    assert sorted(ran) == [(1, 1), (1, 2), (2, 1), (2, 2)], "others alone"
    ran.clear()
    whole = distances(some, others, space=PLAIN, size=None, lpips=lpips(0))
    assert [number for number, _ in sorted(ran)] == [1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5]
    for maps, (two,) in zip(whole, second, strict=True):
        assert torch.equal(maps[1], two)
    ran.clear()
    monkeypatch.setattr(comparing, "_KEPT", 1)
    for maps, kept in zip(distances(some, others, space=PLAIN, size=None, lpips=lpips(0)), whole, strict=True):
        assert total(maps) == pytest.approx(total(kept), rel=1e-5), "a large batch is not kept"
    assert len(ran) == 20


@pytest.mark.parametrize("layer", [0, 2])
def test_tiles_answer_as_the_whole(lpips, monkeypatch, layer):
    ones, others = pictures((70, 300)), pictures((70, 300), seed=1)
    session = Session()
    (whole,) = between(session, ones, others, lpips=lpips(layer))
    monkeypatch.setattr(comparing, "_WHOLE", 1)
    monkeypatch.setattr(tiling, "_TILE", 32)
    (tiled,) = between(session, ones, others, lpips=lpips(layer))
    for one, other in zip(tiled, whole, strict=True):
        assert one.shape == other.shape
        assert one.numpy() == pytest.approx(other.numpy(), rel=1e-3, abs=1e-7)


def test_maps_of_all_layers_become_one_with_the_same_mean(lpips):
    (maps,) = between(Session(), pictures((32, 48)), pictures((32, 48), seed=1), lpips=lpips(0))
    assert joined(maps).shape == (16, 24)
    assert joined(maps).mean() == pytest.approx(total(maps), rel=1e-5)
    assert np.array_equal(joined(maps[2:3]), maps[2].numpy())


def test_images_that_are_too_small(lpips):
    small = pictures((20, 15))
    with pytest.raises(ImageError, match="15 x 20 pixels are too few for LPIPS: give this method a size of at least 16"):
        between(Session(), small, small, lpips=lpips(0))
    with pytest.raises(ImageError, match="at least 16"):
        distances(batch((14, 20)), pictures((14, 20)), space=PLAIN, size=None, lpips=lpips(0))
    assert total(between(Session(), small, small, lpips=lpips(2))[0]) == 0


def published(tensors, file):
    torch.save({name: torch.nn.Parameter(tensor) for name, tensor in tensors.items()}, file)
    return file


@pytest.mark.parametrize("kind", ["vgg", "heads"])
def test_published_pickles_become_what_is_read(kind, vgg_file, heads_file, tmp_path):
    tensors = load_file(vgg_file if kind == "vgg" else heads_file)
    classifier = {"classifier.6.weight": torch.zeros(10, 8)} if kind == "vgg" else {}
    detector = Aeroblade(Session())
    detector.name = "aeroblade"
    made = convert(detector, published(tensors | classifier, tmp_path / "one.pth"), tmp_path / "one.safetensors")
    again = load_file(made.path)
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], tensors[name]) for name in tensors)


def test_converted_heads_are_found_by_themselves(heads_file, tmp_path):
    detector = Aeroblade(Session())
    detector.name = "aeroblade"
    convert(detector, published(load_file(heads_file), tmp_path / "vgg.pth"), None)
    found = Session().once(comparing.linear, weights=detector.options.heads)
    assert [tuple(one.shape) for one in found] == [(width, 1, 1) for width in (64, 128, 256, 512, 512)]


def test_files_that_will_not_do(vgg_file, heads_file, tmp_path):
    heads = load_file(heads_file)
    wrong = {
        "lacks features.0.weight, features.0.bias, features.2.weight and 23 more": (heads_file, None),
        "is not the heads of LPIPS for VGG-16: it lacks lin0.model.1.weight": (None, vgg_file),
    }
    for name, changes, words in (
        ("less", {"lin3.model.1.weight": heads["lin3.model.1.weight"][:, :8]}, "has in another shape lin3.model.1.weight"),
        ("minus", {"lin2.model.1.weight": -heads["lin2.model.1.weight"]}, "numbers below 0"),
        ("nan", {"lin2.model.1.weight": heads["lin2.model.1.weight"] * math.nan}, "numbers below 0"),
    ):
        save_file(heads | changes, tmp_path / f"{name}.safetensors")
        wrong[words + " " * len(wrong)] = (None, tmp_path / f"{name}.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    wrong["cannot be read as safetensors"] = (None, tmp_path / "text.safetensors")
    for words, (vgg, file) in wrong.items():
        lpips = Lpips(0, Weights(str(vgg or vgg_file)), Weights(str(file or heads_file)))
        with pytest.raises(WeightsError) as caught:
            lpips.open(Session())
        assert words.strip() in str(caught.value)
        assert "\n" not in str(caught.value)
