"""Classifiers run by ONNX Runtime, on graphs made by hand whose scores are known in closed form."""

import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from forensic_cli.classifier import Classifier, Look
from forensic_cli.detector import Session
from forensic_cli.errors import WeightsError
from forensic_cli.features.networks import network
from forensic_cli.features.onnx_network import OnnxNetwork
from forensic_cli.records import Weights
from loops import each

OPSET = [helper.make_opsetid("", 20)]


def graph(size=8, evidence=True, kind=TensorProto.UINT8, name="crops", domain=""):
    """The score is the mean of a crop's bytes; the evidence its grey picture, whose mean is the score."""
    nodes = [
        helper.make_node("Cast", [name], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "colours"], ["evidence"], keepdims=0, domain=domain),
        helper.make_node("ReduceMean", ["evidence", "sides"], ["score"], keepdims=0),
    ]
    axes = [numpy_helper.from_array(np.array(axes, np.int64), name) for axes, name in (([3], "colours"), ([1, 2], "sides"))]
    inputs = [helper.make_tensor_value_info(name, kind, ["M", size or "H", size or "W", 3])]
    outputs = [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["M"])]
    if evidence:
        outputs.append(helper.make_tensor_value_info("evidence", TensorProto.FLOAT, ["M", size or "H", size or "W"]))
    return helper.make_graph(nodes, "mean", inputs, outputs, axes)


def model(made=None, look=None, text=None, opsets=OPSET, version=10):
    """The file's bytes; `text` is the metadata, None the right ones, "" none at all."""
    whole = helper.make_model(made or graph(), opset_imports=opsets, ir_version=version)
    text = json.dumps(Classifier("mean", look or Look(8)).to_json()) if text is None else text
    if text:
        whole.metadata_props.add(key="forensic", value=text)
    return whole.SerializeToString()


@pytest.fixture
def saved(tmp_path):
    def save(content):
        path = tmp_path / "model.onnx"
        path.write_bytes(content)
        return path

    return save


def crops(count, side=8, wide=8):
    return np.random.default_rng(count).integers(0, 256, (count, side, wide, 3), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 2, 7, 33, 70])
def test_scores_and_evidence(saved, count):
    pixels = crops(count)
    ready = OnnxNetwork.load(saved(model()), Session())
    odds, maps, _ = ready(pixels)
    assert ready.classifier == Classifier("mean", Look(8))
    assert ready.provider == "CPUExecutionProvider"
    assert odds.dtype == maps.dtype == np.float32
    np.testing.assert_allclose(odds, pixels.mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(maps, pixels.mean(axis=3), rtol=1e-5)


def test_a_network_without_evidence(saved):
    odds, maps, _ = OnnxNetwork.load(saved(model(graph(evidence=False))), Session())(crops(3))
    assert odds.shape == (3,)
    assert maps is None


@pytest.mark.parametrize("look", [Look(None), Look(8, crops=5, whole=True)])
def test_crops_of_any_size(saved, look):
    ready = OnnxNetwork.load(saved(model(graph(size=None), look)), Session())
    for side, wide in ((8, 8), (11, 9), (1500, 400)):
        pixels = crops(2, side, wide)
        np.testing.assert_allclose(ready(pixels)[0], pixels.mean(axis=(1, 2, 3)), rtol=1e-4)


def test_a_crop_scores_the_same_in_any_company(saved):
    pixels = crops(50)
    ready = OnnxNetwork.load(saved(model()), Session())
    together = ready(pixels)[0]
    alone = np.concatenate([ready(pixels[index : index + 1])[0] for index in range(50)])
    np.testing.assert_array_equal(together, alone)


def external():
    """A file whose weights would stand in another that is not there."""
    whole = onnx.load_from_string(model())
    tensor = whole.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="elsewhere.bin")
    return whole.SerializeToString()


@each(
    "content, words",
    [
        (b"", "cannot be opened"),
        (b"\x89PNG" * 50, "cannot be opened by ONNX Runtime"),
        (model()[:60], "cannot be opened"),
        (model(version=99), "IR version"),
        (model(opsets=[helper.make_opsetid("", 99)]), "pset"),
        (model(graph(domain="com.stranger"), opsets=[*OPSET, helper.make_opsetid("com.stranger", 1)]), "com.stranger"),
        (external(), "external"),
        (model(text=""), "not written by `forensic export-onnx`"),
        (model(text="{"), "is not JSON"),
        (model(text="[" * 100_000), "is not JSON"),
        (model(text="{}"), "does not describe a classifier"),
        (model(text='{"schema": "forensic/classifier/1", "network": 3}'), "network"),
        (model(graph(kind=TensorProto.FLOAT)), "does not go from uint8 crops"),
        (model(graph(name="image")), "does not go from uint8 crops"),
        (model(look=Look(16)), "takes crops of 8 x 8 pixels, but says 16"),
        (model(look=Look(None)), "but says any size"),
    ],
)
def test_files_by_strangers_are_one_line(saved, capfd, content, words):
    path = saved(content)
    with pytest.raises(WeightsError) as caught:
        OnnxNetwork.load(path, Session())
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert "onnxruntime::" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_what_fails_while_it_runs_is_one_line(saved):
    with pytest.raises(WeightsError, match=r"model\.onnx fails in ONNX Runtime: ") as caught:
        OnnxNetwork.load(saved(model()), Session())(crops(2, 9, 9))
    assert "\n" not in str(caught.value)


def test_no_torch_is_needed(saved):
    code = (
        "import sys\nimport numpy\nfrom pathlib import Path\nfrom forensic_cli.detector import Session\n"
        "from forensic_cli.features.onnx_network import OnnxNetwork\n"
        f"ready = OnnxNetwork.load(Path({str(saved(model()))!r}), Session())\n"
        "print(ready(numpy.zeros((3, 8, 8, 3), numpy.uint8))[0].tolist(), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert (done.stdout, done.stderr) == ("[0.0, 0.0, 0.0] False\n", "")


def test_a_single_file_is_weights(saved):
    """As `--weights commfor=model.onnx` gives it, with the patterns of a folder."""
    weights = Weights(str(saved(model())), files=("config.json", "model.safetensors"))
    ready = network(Session(), weights=weights, published=Classifier("other", Look(4)), build=lambda classifier: None)
    assert isinstance(ready, OnnxNetwork)
    assert ready.classifier.network == "mean"


def test_a_required_gpu_is_not_replaced_by_the_cpu(saved, monkeypatch, capfd):
    path = saved(model())
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert OnnxNetwork.load(path, Session(device="cuda:0")).provider == "CPUExecutionProvider"
    for device in ("cuda:0", "cpu", "mps"):
        with pytest.raises(WeightsError, match=r"model\.onnx: .* CPU \(--require-gpu"):
            OnnxNetwork.load(path, Session(device=device, require_gpu=True))
    assert capfd.readouterr() == ("", "")


def test_cuda_is_used_or_the_fall_to_the_cpu_is_told(saved, capfd):
    """On a machine with a GPU the scores come from there; on all others its absence is seen from `provider`, quietly."""
    pixels = crops(40)
    ready = OnnxNetwork.load(saved(model()), Session(device="cuda:0"))
    np.testing.assert_allclose(ready(pixels)[0], pixels.mean(axis=(1, 2, 3)), rtol=1e-4)
    assert ready.provider in ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert capfd.readouterr() == ("", "")
