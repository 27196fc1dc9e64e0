"""Against Eq. 3 with a whole perturbed copy of transformers' own network, in float64."""

import copy

import numpy as np
import pytest
import torch
import transformers

from forensic_cli import Batch, Session, Weights, options
from forensic_cli.features.crops import pixels
from forensic_cli.features.encoders.transformers import network
from forensic_cli.records import ImageRef
from forensic_detectors.wepe import Wepe, _sample, _std, perturbed


def batch(photographs, seed=0):
    refs = [ImageRef("x", f"{index:064x}", 1, "PNG", *image.size) for index, image in enumerate(photographs)]
    return Batch(Session(seed), refs, [np.asarray(image) for image in photographs])


def made(folder, **settings):
    return options.build(Wepe.Options, {"weights": str(folder), "position": "size", **settings}, "wepe")


@pytest.mark.parametrize("draws", [1, 2])
def test_mean_squared_distance_to_perturbed_networks(photographs, tiny_dinov2, draws):
    chosen = made(tiny_dinov2, blocks="2", ratio="0.5", draws=str(draws))
    images = batch(photographs)
    crops = pixels(images, transform="shared").double()
    clean = transformers.AutoModel.from_pretrained(tiny_dinov2).eval().double()
    expected = torch.zeros(2, dtype=torch.float64)
    for draw in range(draws):
        noisy = copy.deepcopy(clean)
        generator = torch.Generator().manual_seed(images.session.seed_for("wepe weights", draw))
        for layer in noisy.encoder.layer[:2]:
            for weight in layer.parameters():
                noise = torch.randn(weight.shape, generator=generator, dtype=torch.float32).double()
                weight.data += 0.5 * weight.data.abs().mean() * noise
        with torch.inference_mode():
            expected += 2 - 2 * torch.cosine_similarity(clean(crops).pooler_output, noisy(crops).pooler_output)
    with torch.inference_mode():
        scores = Wepe(images.session, chosen).score(images)
    assert scores.numpy() == pytest.approx((expected / draws).numpy(), rel=1e-3)


def test_the_network_itself_stays_as_it_was(photographs, tiny_dinov2):
    images = batch(photographs)
    chosen = made(tiny_dinov2)
    Wepe(images.session, chosen).score(images)
    model = images.session.once(network, weights=chosen.weights, family="DINOv2")
    for name, weight in transformers.AutoModel.from_pretrained(tiny_dinov2).named_parameters():
        assert torch.equal(model.get_parameter(name), weight), name


def test_19_of_24_blocks_unless_told_otherwise(tiny_dinov2):
    session = Session()
    chosen = made(tiny_dinov2)
    clean = session.once(network, weights=chosen.weights, family="DINOv2").encoder.layer
    layers = perturbed(session, options=chosen, draw=0)
    assert [new is old for new, old in zip(layers, clean, strict=True)] == [False, False, False, True]
    assert round(24 * 19 / 24) == 19


def test_seed_and_draw_make_other_noise(tiny_dinov2):
    def first(seed, draw):
        return next(perturbed(Session(seed), options=made(tiny_dinov2), draw=draw)[0].parameters())

    assert torch.equal(first(0, 0), first(0, 0))
    assert not torch.equal(first(0, 0), first(1, 0))
    assert not torch.equal(first(0, 0), first(0, 1))


def test_the_readings_of_the_noise_scale():
    weights = torch.tensor([3.0, -1.0, 2.0, 0.0])
    level = {
        rule: _std(weights, Wepe.Options(ratio=0.1, rule=rule)) for rule in ("std-abs", "var-abs", "var-mean", "std-std")
    }
    assert level["std-abs"] == pytest.approx(0.15)
    assert level["var-abs"] == pytest.approx(0.15**0.5)
    assert level["var-mean"] == pytest.approx(0.1**0.5)
    assert level["std-std"] == pytest.approx(0.1 * 2.5**0.5)


@pytest.mark.parametrize(("family", "kurtosis"), [("gaussian", 3.0), ("uniform", 1.8), ("laplace", 6.0)])
def test_families_have_mean_zero_and_variance_one(family, kurtosis):
    sample = _sample(family, torch.Size([400_000]), torch.Generator().manual_seed(0)).double()
    assert float(sample.mean()) == pytest.approx(0, abs=0.01)
    assert float(sample.var()) == pytest.approx(1, abs=0.02)
    assert float((sample**4).mean()) == pytest.approx(kurtosis, rel=0.05)


def test_vectors_may_be_left_alone_without_changing_the_noise_of_matrices(tiny_dinov2):
    with_vectors = perturbed(Session(), options=made(tiny_dinov2), draw=0)[0]
    without = perturbed(Session(), options=made(tiny_dinov2, vectors="no"), draw=0)[0]
    clean = network(Session(), weights=Weights(str(tiny_dinov2)), family="DINOv2").encoder.layer[0]
    for (name, one), other, old in zip(
        with_vectors.named_parameters(), without.parameters(), clean.parameters(), strict=True
    ):
        assert torch.equal(other, one if one.ndim > 1 else old), name


def test_a_scope_of_a_block_reaches_tensors_of_zeros(tiny_dinov2):
    clean = network(Session(), weights=Weights(str(tiny_dinov2)), family="DINOv2").encoder.layer[0]
    zeros = [name for name, weight in clean.named_parameters() if not weight.any()]
    assert zeros
    for scope, moved in (("tensor", False), ("block", True)):
        layer = perturbed(Session(), options=made(tiny_dinov2, scope=scope), draw=0)[0]
        assert all(bool(layer.get_parameter(name).any()) is moved for name in zeros)
