"""Exports of tiny networks of timm, against torch itself."""

import hashlib
import json
import math

import numpy as np
import onnx
import pytest
import timm
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from scipy.stats import spearmanr

from forensic_cli import __version__
from forensic_cli.classifier import Classifier, Look
from forensic_cli.detector import Session
from forensic_cli.engine.exporting import delivery
from forensic_cli.engine.exporting.delivery import deliver
from forensic_cli.engine.exporting.parity import BATCHES, compare, crossings
from forensic_cli.engine.exporting.pictures import Pictures, pictures
from forensic_cli.engine.exporting.rounding import lost
from forensic_cli.errors import UsageError
from forensic_cli.features.onnx_graph import written
from forensic_cli.features.onnx_network import OnnxNetwork
from forensic_cli.features.torch_network import Scorer
from forensic_cli.features.windows import Window
from forensic_cli.records import MethodUse

USE = MethodUse(
    "tiny", "tiny-package", "1.0", {}, ({"source": "here", "revision": None, "sha256": "ab" * 32, "licence": "MIT"},)
)


LIMITS = {0.05: 0.1, 0.01: 99.0}


def scorer(name, look, **settings):
    """A random network whose scores differ from picture to picture: as timm makes it, it would hardly look at them."""
    torch.manual_seed(0)
    body = timm.create_model(name, num_classes=1, **settings)
    for parameter in body.parameters():
        if parameter.ndim > 1:
            parameter.data *= 1.5
    classifier = Classifier(name, look)
    return Scorer(body.eval().requires_grad_(False), classifier).eval(), classifier


def few(look, count=6):
    ours = pictures(look, ())
    return Pictures(ours.words, ours.windows[:count])


@pytest.fixture(scope="module")
def lite(tmp_path_factory):
    """A convolutional network with evidence, delivered in each precision."""
    folder = tmp_path_factory.mktemp("lite")
    module, classifier = scorer("test_efficientnet", Look(64))
    content = written(module, classifier.look, "tiny").SerializeToString()  # the exporter takes seconds: once is enough
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery, "written", lambda *_: onnx.load_from_string(content))
        done = {
            precision: deliver(
                module, classifier, USE, few(classifier.look), folder / f"{precision}.onnx", precision, LIMITS
            )
            for precision in ("fp32", "fp16", "int8")
        }
    return module, classifier, done


def photographs_cut(count, side=64):
    """Crops that no export has seen."""
    random = np.random.default_rng(5)
    waves = np.cumsum(random.normal(0, 9, (count, side, side, 3)), axis=2) + 128
    return waves.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("precision", "room"), [("fp32", 1e-4), ("fp16", 0.05), ("int8", 0.5)])
def test_scores_are_those_of_torch(lite, precision, room):
    module, classifier, done = lite
    ready = OnnxNetwork.load(done[precision].file, Session())
    assert ready.classifier == classifier
    for count in (1, 5, 40):
        pixels = photographs_cut(count)
        with torch.inference_mode():
            odds, maps = (answer.numpy() for answer in module(torch.from_numpy(pixels)))
        seen, shown, _ = ready(pixels)
        scale = max(1.0, float(np.abs(odds).max()))
        assert np.abs(seen - odds).max() < room * scale
        assert shown.shape == maps.shape
        assert np.abs(shown - maps).max() < room * max(1.0, float(np.abs(maps).max()))


def test_a_crop_in_int8_scores_the_same_in_any_company(lite):
    pixels = photographs_cut(9)
    ready = OnnxNetwork.load(lite[2]["int8"].file, Session())
    alone = np.concatenate([ready(pixels[index : index + 1])[0] for index in range(9)])
    np.testing.assert_allclose(ready(pixels)[0], alone, rtol=1e-5, atol=1e-6)


def test_what_became_smaller(lite):
    done = lite[2]
    assert done["fp16"].bytes < 0.6 * done["fp32"].bytes
    half = onnx.load(done["fp16"].file).graph
    convolutions = {node.input[1] for node in half.node if node.op_type == "Conv"}
    assert {one.data_type for one in half.initializer if one.name in convolutions} == {TensorProto.FLOAT16}

    small = onnx.load(done["int8"].file).graph
    weights = {one.name: numpy_helper.to_array(one) for one in small.initializer}
    source = {node.output[0]: node for node in small.node}
    kinds = []
    for node in small.node:
        if node.op_type == "Conv":
            origin = source.get(node.input[1])
            kinds.append("float32" if origin is None else str(weights[origin.input[0]].dtype))
            if origin is not None:  # one scale for each output channel
                assert weights[origin.input[1]].shape == weights[origin.input[0]].shape[:1]
    assert kinds == ["float32"] * 3 + ["int8"] * (len(kinds) - 3)
    assert len(kinds) > 6


def test_the_file_says_what_it_is(lite):
    _, classifier, done = lite
    for precision, one in done.items():
        whole = onnx.load(one.file)
        onnx.checker.check_model(whole, full_check=True)
        facts = json.loads({entry.key: entry.value for entry in whole.metadata_props}["forensic"])
        assert Classifier.from_json(facts, "here") == classifier
        assert facts["precision"] == precision
        assert facts["method"] == "tiny"
        assert facts["forensic"] == __version__
        assert facts["weights_sha256"] == "ab" * 32
        assert facts["made_from"] == {"source": "here", "revision": None, "licence": "MIT"}
        mine = [row.odds_max for row in one.agreements if row.precision == precision]
        assert facts["largest_shift"]["log_odds"] == max(mine)


def test_the_proof_beside_the_file(lite):
    for precision, one in lite[2].items():
        assert one.parity == one.file.with_name(f"{precision}.parity.json")
        proof = json.loads(one.parity.read_text())
        assert proof["schema"] == "forensic/parity/1"
        assert proof["sha256"] == hashlib.sha256(one.file.read_bytes()).hexdigest()
        assert proof["bytes"] == one.file.stat().st_size
        asked = ["fp32"] + ([precision] if precision != "fp32" else [])
        assert [(row["precision"], row["batch"]) for row in proof["agreements"]] == [
            (name, batch) for name in asked for batch in BATCHES
        ]
        assert all(row["odds_max"] < 1e-3 for row in proof["agreements"] if row["precision"] == "fp32")
        assert all(row["odds_max"] >= row["odds_mean"] >= 0 for row in proof["agreements"])
        assert [(row["fpr"], row["threshold"], row["changed"]) for row in proof["thresholds"]][1] == (0.01, 99.0, 0.0)
        assert "scikit-learn" in proof["largest_shift"]["pictures"]


def test_a_transformer_keeps_its_scores_in_any_batch(tmp_path):
    module, classifier = scorer("test_vit", Look(32), img_size=32)
    done = deliver(module, classifier, USE, few(classifier.look), tmp_path / "vit.onnx", "int8")
    kinds = [node.op_type for node in onnx.load(done.file).graph.node]
    assert "QuantizeLinear" in kinds
    assert "DynamicQuantizeLinear" not in kinds  # its ranges would be those of the batch
    ready = OnnxNetwork.load(done.file, Session())
    pixels = photographs_cut(9, 32)
    odds, maps, _ = ready(pixels)
    assert maps is None
    alone = np.concatenate([ready(pixels[index : index + 1])[0] for index in range(9)])
    np.testing.assert_allclose(odds, alone, rtol=1e-5, atol=1e-6)
    with torch.inference_mode():
        truth = module(torch.from_numpy(pixels))[0].numpy()
    assert np.corrcoef(odds, truth)[0, 1] > 0.9


def test_crops_of_any_size(tmp_path):
    module, classifier = scorer("test_efficientnet", Look(32, crops=5, whole=True))
    module.body.get_classifier().weight.data *= 0.1  # log-odds of hundreds would differ in their last digits
    done = deliver(module, classifier, USE, few(classifier.look), tmp_path / "whole.onnx")
    ready = OnnxNetwork.load(done.file, Session())
    for side in (32, 50, 71):
        pixels = photographs_cut(3, side)
        with torch.inference_mode():
            truth = module(torch.from_numpy(pixels))[0].numpy()
        np.testing.assert_allclose(ready(pixels)[0], truth, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("outputs", "inputs", "groups"), [(6, 4, 1), (6, 6, 6), (8, 4, 2)])
def test_rounding_is_balanced(outputs, inputs, groups):
    """On flat pictures, where every pixel is the mean, the bias makes up for all that torch's rounding changes."""
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(inputs, outputs, 3, groups=groups)
    flat = torch.rand(inputs)
    before, weight = conv(flat[None, :, None, None].expand(1, inputs, 5, 5)), conv.weight.detach().clone()
    for channel, rounded in zip(weight, conv.weight.data, strict=True):
        step = float(channel.abs().max() / 127)
        rounded.copy_(torch.fake_quantize_per_tensor_affine(channel, step, 0, -128, 127))
    after = conv(flat[None, :, None, None].expand(1, inputs, 5, 5))
    assert (before - after).abs().max() > 1e-4
    given_back = torch.from_numpy(lost(weight.numpy(), flat.numpy()))
    torch.testing.assert_close(after + given_back[None, :, None, None], before, rtol=0, atol=1e-5)


class Sum(torch.nn.Module):
    def forward(self, crops):
        return (crops.float().mean(dim=(1, 2, 3)) / 100,)


class Different(Sum):
    """Not in the graph what it is in torch."""

    def forward(self, crops):
        (odds,) = super().forward(crops)
        return (odds + (0 if torch.compiler.is_compiling() else 0.01),)


class Undecided(Sum):
    """Goes another way for other pixels, which no graph can."""

    def forward(self, crops):
        return super().forward(crops) if crops.float().mean() > 100 else (crops.float().amax(dim=(1, 2, 3)),)


def test_a_graph_that_disagrees_is_not_delivered(tmp_path):
    classifier = Classifier("sum", Look(16))
    with pytest.raises(UsageError, match=r"tiny: its ONNX graph differs from torch by up to 0\.01 .*; nothing was written"):
        deliver(Different(), classifier, USE, few(classifier.look), tmp_path / "sum.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_module_that_is_no_graph(tmp_path, capfd):
    with pytest.raises(UsageError, match="the network of tiny cannot be written as ONNX: ") as caught:
        written(Undecided(), Look(16), "tiny")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_without_weights_the_tensors_themselves_are_named(tmp_path):
    use = MethodUse("sum", "sums", "2.0", {}, ())
    module = Sum()
    module.register_buffer("count", torch.tensor(3))
    module.register_buffer("bytes", torch.tensor([[1], [2]], dtype=torch.uint8))
    done = deliver(module, Classifier("sum", Look(16)), use, few(Look(16)), tmp_path / "sum.onnx")
    proof = json.loads(done.parity.read_text())
    assert proof["made_from"]["source"] == "sums 2.0"
    assert proof["weights_sha256"] == hashlib.sha256(b"bytes\0\1\2count\0\3" + bytes(7)).hexdigest()


def test_thresholds_are_looked_at_again():
    """Four pictures, the first of two crops whose areas are one to three."""
    small, large = (Window(np.zeros((side, 3, 3), np.uint8), (0, 0, 1, 1)) for side in (1, 3))
    shown = Pictures("made up", [[small, large], [small], [small], [small]])
    old = np.array([4.0, 0.0, 0.5, 2.0, 3.0])  # of the pictures: 1, 0.5, 2, 3
    new = np.array([2.0, 0.0, 1.5, 2.0, 3.0])  # 0.5, 1.5, 2, 3
    found = crossings("int8", {0.05: 1.0, 0.01: 2.5, 0.001: 7.0, 0.5: -7.0}, shown, old, new)
    assert [one.changed for one in found] == [0.5, 0.0, 0.0, 0.0]
    assert [one.same_quantile for one in found] == [1.5, 2.5, None, None]


def test_rank_correlation_is_spearmans():
    random = np.random.default_rng(0)
    one = random.normal(size=200).round(1)  # with ties
    other = one + random.normal(size=200)
    rows, _ = compare_with(one, other)
    assert rows[-1].rank == pytest.approx(spearmanr(one, other).statistic, abs=1e-6)
    assert compare_with(one, one + random.normal(size=200) * 1e-7)[0][-1].rank == pytest.approx(1)
    assert compare_with(np.ones(200), other)[0][-1].rank is None


def compare_with(truth, answers):
    """`compare` for a graph that gives these answers: of one-pixel crops, whose number they carry as a colour."""
    crops = [np.array([[[index, 0, 0]]], np.uint8) for index in range(len(truth))]
    nodes = [
        helper.make_node("Cast", ["crops"], ["numbers"], to=TensorProto.INT64),
        helper.make_node("Slice", ["numbers", "zero", "one", "last"], ["reds"]),
        helper.make_node("Reshape", ["reds", "flat"], ["places"]),
        helper.make_node("Gather", ["answers", "places"], ["score"]),
    ]
    constants = {"zero": [0], "one": [1], "last": [3], "flat": [-1]}
    tensors = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()]
    tensors.append(numpy_helper.from_array(np.asarray(answers, np.float32), "answers"))
    inputs = [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["M", 1, 1, 3])]
    outputs = [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["M"])]
    graph = helper.make_graph(nodes, "answers", inputs, outputs, tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return compare(made, "fp32", np.asarray(truth, np.float64), crops)


def test_differences_by_hand():
    rows, odds = compare_with([0.0, 1.0, 2.0], [0.5, 1.0, 1.0])
    assert odds.tolist() == [0.5, 1.0, 1.0]
    assert [row.batch for row in rows] == [1, 2, 7, 32]
    chance = [abs(1 / (1 + math.exp(-0.5)) - 0.5), abs(1 / (1 + math.exp(-1)) - 1 / (1 + math.exp(-2)))]
    for row in rows:
        assert (row.crops, row.odds_max, row.odds_mean) == (3, 1.0, 0.5)
        assert row.probability_max == pytest.approx(max(chance))
        assert row.probability_mean == pytest.approx(sum(chance) / 3)


def test_scores_that_are_no_numbers():
    with pytest.raises(UsageError, match="as fp32 the network gives scores that are no numbers"):
        compare_with([0.0, 1.0], [0.0, math.nan])


def test_our_own_pictures_are_the_same_every_time():
    first, second = (pictures(Look(64), ()) for _ in range(2))
    assert len(first.windows) == 48
    assert len({crop.tobytes() for crop in first.crops}) == 48
    assert all((one == other).all() for one, other in zip(first.crops, second.crops, strict=True))
    assert {crop.shape for crop in first.crops} == {(64, 64, 3)}
    assert "scikit-learn" in first.words


def test_pictures_of_the_user(photo_folder):
    (photo_folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    shown = pictures(Look(64, crops=5), [str(photo_folder)])
    assert len(shown.windows) == 6
    assert len(shown.crops) == 30
    assert shown.words.startswith("6 pictures of ")
    assert shown.words.endswith(", 1 could not be read")
    with Image.open(photo_folder / "photo_0.jpg") as first:
        middle = np.asarray(first.convert("RGB"))[118:182, 168:232]
    assert any((crop == middle).all() for crop in shown.crops)


def test_no_picture_can_be_read(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    with pytest.raises(UsageError, match=r"no picture for the comparison can be read: .*broken\.jpg: "):
        pictures(Look(64), [str(tmp_path)])
    with pytest.raises(UsageError, match="there is none at nowhere"):
        pictures(Look(64), ["nowhere"])
