"""What runs inside a detector is what a plain torch program would compute."""

import json
import re

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from forensic_cli.classifier import Classifier, Look
from forensic_cli.detector import Batch, Session
from forensic_cli.errors import WeightsError
from forensic_cli.features import torch_network
from forensic_cli.features.networks import describe, network, outputs, pooled, run, scores
from forensic_cli.features.torch_network import Scorer, TorchNetwork, fit, fitting, tensors
from forensic_cli.features.windows import Window, cut
from forensic_cli.records import ImageRef, Weights
from stirring import stirred

NATIVE = Classifier("test_resnet", Look(32, crops=5, whole=True, pad="mirror"), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))


def build(classifier):
    return timm.create_model(classifier.network, num_classes=1 if classifier.head == "logit" else 2)


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def plainly(body, crops, classifier):
    """(pixel / 255 - mean) / std, then the network: in float64, (M, 1) or (M, 2)."""
    values = (crops.astype(np.float64) / 255 - classifier.mean) / classifier.std
    with torch.inference_mode():
        return body.double()(torch.from_numpy(values.transpose(0, 3, 1, 2))).numpy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A trained classifier as `forensic train` writes it."""
    return saved(tmp_path_factory.mktemp("model"), NATIVE, stirred(build(NATIVE)).state_dict())


def saved(folder, classifier, state, prefix=""):
    folder.mkdir(exist_ok=True)
    save_file({prefix + name: one.contiguous() for name, one in state.items()}, folder / "model.safetensors")
    if classifier is not None:
        (folder / "config.json").write_text(json.dumps(classifier.to_json()))
    return folder


def asked(folder, published=NATIVE):
    weights = Weights(str(folder), files=("config.json", "model.safetensors"))
    return {"weights": weights, "published": published, "build": build}


def batch(images, session=None):
    refs = [ImageRef(str(n), f"{n:064x}", 1, "PNG", *image.shape[1::-1]) for n, image in enumerate(images)]
    return Batch(session or Session(), refs, images)


IMAGES = [pixels(32, 32), pixels(40, 90, seed=1), pixels(100, 80, seed=2), pixels(7, 50, seed=3), pixels(200, 33, seed=4)]


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_vit", "test_convnext", "mobilenetv3_small_050"])
@pytest.mark.parametrize("head", ["logit", "softmax"])
def test_a_scorer_is_normalisation_and_network(name, head):
    classifier = Classifier(name, Look(160), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), head=head)
    crops = pixels(3, 160, 160)
    body = stirred(build(classifier))
    with torch.inference_mode():
        found = Scorer(body, classifier).eval()(torch.from_numpy(crops))
    answer = plainly(body, crops, classifier)
    expected = answer[:, 0] if head == "logit" else answer[:, 1] - answer[:, 0]
    assert found[0].shape == (3,)
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-4)


def test_two_outputs_are_read_as_log_odds():
    classifier = Classifier("test_resnet", Look(64), head="softmax")
    body, crops = stirred(build(classifier)), pixels(4, 64, 64)
    with torch.inference_mode():
        found = Scorer(body, classifier).eval()(torch.from_numpy(crops))[0].double()
    chances = torch.from_numpy(plainly(body, crops, classifier)).softmax(1)[:, 1]
    np.testing.assert_allclose(torch.sigmoid(found), chances, rtol=1e-4)


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "densenet121"])
def test_the_mean_of_the_evidence_and_the_bias_are_the_log_odds(name):
    classifier = Classifier(name, Look(96))
    body = stirred(build(classifier))
    scorer = Scorer(body, classifier).eval()
    with torch.inference_mode():
        odds, evidence = scorer(torch.from_numpy(pixels(2, 96, 64)))
        bias = body.get_classifier().bias.clone()
        other = torch.from_numpy(pixels(2, 96, 64))
        other[:, :, :32] = 128
        moved = scorer(other)[1]
    assert evidence.ndim == 3
    assert evidence.shape[1:] == (3, 2)
    np.testing.assert_allclose(evidence.mean(dim=(1, 2)) + bias, odds, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(evidence[..., 0], moved[..., 0])  # it says where


@pytest.mark.parametrize(("name", "head"), [("test_vit", "logit"), ("test_convnext", "logit"), ("test_resnet", "softmax")])
def test_no_evidence_where_it_would_not_be_exact(name, head):
    classifier = Classifier(name, Look(160), head=head)
    scorer = Scorer(stirred(build(classifier)), classifier).eval()
    assert not scorer.localises
    assert len(scorer(torch.from_numpy(pixels(1, 160, 160)))) == 1


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "ghostnet_050", "lcnet_035"])
def test_nor_where_layers_follow_the_averaging(name):
    assert not Scorer(build(Classifier(name, Look(64))), Classifier(name, Look(64))).localises


def test_in_training_the_network_itself_is_asked():
    """Dropout and batch statistics are those of the body; a body kept still stays in evaluation."""
    classifier = Classifier("test_resnet", Look(32))
    scorer = Scorer(stirred(build(classifier)), classifier)
    crops = torch.from_numpy(pixels(4, 32, 32))
    usual = scorer.eval()(crops)[0].detach()
    state = {name: one.clone() for name, one in scorer.state_dict().items()}
    assert len(scorer.train()(crops)) == 1
    assert not torch.allclose(scorer(crops)[0], usual)
    scorer.load_state_dict(state)  # the running statistics have moved
    scorer.still = True
    np.testing.assert_allclose(scorer.train()(crops)[0].detach(), usual, rtol=1e-4, atol=1e-5)


def test_nothing_but_the_network_is_saved_with_it():
    classifier = Classifier("test_resnet", Look(32))
    body = build(classifier)
    assert list(Scorer(body, classifier).state_dict()) == [f"body.{name}" for name in body.state_dict()]


class Tuple(nn.Module):
    """Answers with its output and something else."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, 3))

    def forward(self, x):
        return x.mean(dim=(2, 3)) @ self.weight.T, x


def test_a_network_may_answer_with_more_than_its_output():
    classifier = Classifier("tuple", Look(8))
    body, crops = Tuple(), pixels(3, 8, 8)
    found = TorchNetwork(Scorer(body, classifier), classifier, Session())(crops)
    assert found[1] is None
    values = ((crops / 255 - classifier.mean) / classifier.std).mean(axis=(1, 2)) @ body.weight.detach().numpy().T
    np.testing.assert_allclose(found[0], values[:, 0], rtol=1e-4)


def test_scores_are_the_mean_over_crops_by_area(folder):
    """Against each crop alone through the plain network, weighted by its pixels."""
    found = scores(batch(IMAGES), **asked(folder))
    body = build(NATIVE).eval()
    body.load_state_dict(tensors(folder))
    for image, score in zip(IMAGES, found, strict=True):
        crops = cut(image, NATIVE.look)
        odds = [plainly(body, crop.pixels[None], NATIVE)[0, 0] for crop in crops]
        assert score == pytest.approx(np.average(odds, weights=[crop.area for crop in crops]), rel=1e-4, abs=1e-4)


def test_large_crops_count_for_more():
    large, small = Window(pixels(30, 20), (0, 0, 20, 30)), Window(pixels(10, 20), (0, 0, 20, 10))
    assert pooled([large, small], np.array([1.0, 5.0], np.float32)) == pytest.approx((600 + 5 * 200) / 800)


def test_a_score_does_not_depend_on_its_company(folder):
    session = Session()
    together = scores(batch(IMAGES, session), **asked(folder))
    turned = scores(batch(IMAGES[::-1], session), **asked(folder))[::-1]
    alone = [scores(batch([image], session), **asked(folder))[0] for image in IMAGES]
    np.testing.assert_allclose(turned, together, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-6)
    assert np.array_equal(scores(batch(IMAGES, session), **asked(folder)), together)
    assert len(set(together.round(3))) == len(IMAGES)


def test_outputs_belong_to_their_crops(folder):
    found = outputs(batch(IMAGES), **asked(folder))
    runner = network(Session(), **asked(folder))
    for image, (crops, (odds, maps, _)) in zip(IMAGES, found, strict=True):
        assert [crop.box for crop in crops] == [crop.box for crop in cut(image, NATIVE.look)]
        for crop, one, evidence in zip(crops, odds, maps, strict=True):
            again, again_map, _ = runner(crop.pixels[None])
            assert one == pytest.approx(again[0], rel=1e-4, abs=1e-5)
            np.testing.assert_allclose(evidence, again_map[0], rtol=1e-3, atol=1e-4)


def test_crops_of_many_shapes_and_more_than_fit_at_once(folder, monkeypatch):
    """Those of one shape go together, in parts; the answers come in the order of the crops."""
    runner = network(Session(), **asked(folder))
    crops = [pixels(32 + 8 * (n % 3), 32 + 16 * (n % 2), seed=n) for n in range(75)]
    expected, maps, _ = run(runner, crops)
    alone = [runner(crop[None]) for crop in crops]
    np.testing.assert_allclose(expected, [one[0][0] for one in alone], rtol=1e-4, atol=1e-5)
    assert [one.shape for one in maps] == [one[1][0].shape for one in alone]
    monkeypatch.setattr(torch_network, "_MOST", 4)
    few = run(network(Session(), **asked(folder)), crops)[0]
    np.testing.assert_allclose(few, expected, rtol=1e-4, atol=1e-5)


def test_a_forward_pass_holds_only_so_many_pixels(folder):
    runner = network(Session(), **asked(folder))
    seen = []
    runner.scorer.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
    runner(pixels(40, 32, 32))
    runner._room = 3 * 64 * 64
    runner(pixels(7, 64, 64))
    runner(pixels(2, 256, 256))
    assert [shape[0] for shape in seen] == [32, 8, 3, 3, 1, 1, 1]


def test_no_crops_no_answers(folder):
    odds, maps, _ = run(network(Session(), **asked(folder)), [])
    assert len(odds) == 0
    assert not maps


def test_half_precision_is_near_and_comes_back_as_float32(folder):
    full = network(Session(), **asked(folder))(pixels(4, 32, 32))[0]
    half = network(Session(dtype="bfloat16"), **asked(folder))(pixels(4, 32, 32))[0]
    assert half.dtype == np.float32
    assert not np.array_equal(half, full)
    np.testing.assert_allclose(half, full, atol=0.1 * np.abs(full).max())


def test_a_network_is_loaded_once_in_a_session_and_draws_from_nobody(folder):
    session = Session()
    before = torch.get_rng_state()
    one = session.once(network, **asked(folder))
    assert torch.equal(torch.get_rng_state(), before)
    assert session.once(network, **asked(folder)) is one
    assert one.provider == "torch cpu"
    assert not any(parameter.requires_grad for parameter in one.scorer.parameters())
    assert not one.scorer.training


def test_half_precision_files_are_read_as_float32(folder, tmp_path):
    state = {name: one.half() if one.is_floating_point() else one for name, one in tensors(folder).items()}
    path = saved(tmp_path / "half", NATIVE, state)
    assert {one.dtype for one in tensors(path).values()} == {torch.float32, torch.int64}
    full, half = (scores(batch(IMAGES), **asked(one)) for one in (folder, path))
    np.testing.assert_allclose(half, full, atol=0.02)


@pytest.mark.parametrize("prefix", ["vit.", "model.", "module.", "body."])
def test_a_prefix_that_all_names_share_is_dropped(folder, tmp_path, prefix):
    path = saved(tmp_path / "prefixed", NATIVE, tensors(folder), prefix)
    assert np.array_equal(scores(batch(IMAGES), **asked(path)), scores(batch(IMAGES), **asked(folder)))


def refusal(function, *arguments, **settings):
    with pytest.raises(WeightsError) as caught:
        function(*arguments, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(folder, tmp_path, change, prefix=""):
    state = tensors(folder)
    change(state)
    return saved(tmp_path / "changed", NATIVE, state, prefix)


@pytest.mark.parametrize("prefix", ["", "vit."])
def test_keys_that_do_not_fit_are_named(folder, tmp_path, prefix):
    def told(change):
        path = changed(folder, tmp_path, change, prefix)
        line = refusal(network, Session(), **asked(path))
        assert line.startswith(f"{path} does not fit the network: it ")
        return line.partition(": it ")[2]

    assert told(lambda state: state.pop("fc.bias")) == "lacks fc.bias"
    assert told(lambda state: state.update({"fc.extra": torch.ones(1)})) == "has in addition fc.extra"
    assert told(lambda state: state.update({"fc.bias": torch.ones(3)})) == "has in another shape fc.bias"

    def rename(state):
        state["fc.weights"] = state.pop("fc.weight")

    assert told(rename) == "lacks fc.weight"

    def shorten(state):
        for name in sorted(state)[:5]:
            del state[name]

    names = ", ".join(sorted(tensors(folder))[:3])
    assert told(shorten) == f"lacks {names} and 2 more"


def test_a_prefix_that_not_all_share_is_none(folder, tmp_path):
    state = {f"{'a' if number else 'b'}.{name}": one for number, (name, one) in enumerate(tensors(folder).items())}
    line = refusal(network, Session(), **asked(saved(tmp_path / "two", NATIVE, state)))
    assert re.search(r"lacks bn1\.bias, .* more$", line)


def test_an_empty_file_lacks_everything(tmp_path):
    path = saved(tmp_path / "empty", NATIVE, {})
    assert "lacks" in refusal(network, Session(), **asked(path))


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\xff" * 8 + b"{}"])
def test_what_is_no_safetensors_file(folder, tmp_path, content):
    path = saved(tmp_path / "broken", NATIVE, tensors(folder))
    (path / "model.safetensors").write_bytes(content)
    line = refusal(network, Session(), **asked(path))
    assert line.startswith(f"{path / 'model.safetensors'} cannot be read as safetensors: ")


def test_counters_of_normalisation_may_be_absent_when_weights_are_converted(folder):
    found = tensors(folder)
    without = {name: one for name, one in found.items() if not name.endswith("num_batches_tracked")}
    assert len(without) < len(found)
    body = build(NATIVE)
    fit(body, fitting(build, NATIVE, without, "x"), "x")
    assert torch.equal(body.fc.weight, found["fc.weight"])
    assert "lacks" in refusal(fit, body, without, "x")


def test_what_a_folder_says_of_itself_comes_before_what_was_published(folder, tmp_path):
    published = Classifier("test_vit", Look(160))
    assert describe(folder, published) == NATIVE
    assert describe(folder / "model.safetensors", published) == NATIVE
    other = saved(tmp_path / "other", None, {})
    assert describe(other, published) == published
    for foreign in ('{"device": "cuda", "model_size": "small"}', "{}", "[]", "3"):
        (other / "config.json").write_text(foreign)
        assert describe(other, published) == published
    for broken in ("{", "", "\x00"):
        (other / "config.json").write_text(broken)
        assert refusal(describe, other, published).startswith(f"{other / 'config.json'} is not JSON: ")
    (other / "config.json").write_bytes(b"\xff\xfe\xff")
    assert refusal(describe, other, published).startswith(f"{other / 'config.json'} is not JSON: ")
    (other / "config.json").write_text('{"schema": "forensic/classifier/1", "network": 3}')
    assert refusal(describe, other, published).startswith(f"{other / 'config.json'}: network is 3")
