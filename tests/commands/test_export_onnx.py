"""`forensic export-onnx`, and scans of what it wrote, as a user types them."""

import json

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from forensic_cli import images
from forensic_cli.classifier import Classifier, Look
from forensic_cli.cli import run
from forensic_cli.engine import devices
from forensic_cli.engine.examining import Runtime
from forensic_cli.profiles import Calibrated, Collection, Profile
from forensic_cli.records import MethodUse
from forensic_cli.status import Status

cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@pytest.fixture(autouse=True)
def _few_plugins(monkeypatch):
    """Listing what can be exported imports every plugin; these will do."""
    monkeypatch.setenv("FORENSIC_PLUGINS", "commfor,provenance,rigid")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny vision transformer in the format that `train` writes."""
    torch.manual_seed(0)
    body = timm.create_model("test_vit", num_classes=1, img_size=32)
    folder = tmp_path_factory.mktemp("model")
    save_file(body.state_dict(), folder / "model.safetensors")
    classifier = Classifier("test_vit", Look(32, resize=40), settings=(("img_size", 32),))
    (folder / "config.json").write_text(json.dumps(classifier.to_json()))
    use = MethodUse("commfor", "forensic-cli", "0.1", {}, ())
    known = Calibrated.of(use, np.linspace(-1, 0, 300), beside=True)
    sample = Collection.of([], 0, ["photos"])
    profile = Profile("0.1", "2026-01-01", "forensic", 0, None, None, sample, None, {"commfor": known})
    profile.write(folder / "calibration.json")
    return folder


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """model.onnx, written by the command."""
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    assert run(["export-onnx", "commfor", "--weights", str(model), "-o", str(path), "--offline"]) == Status.DONE
    return path


def scanned(photos, weights, target, *more):
    """The exit status, and the report."""
    command = ["scan", str(photos), "-m", "commfor", "--weights", f"commfor={weights}", "-o", str(target), *more]
    status = run(command)
    return status, json.loads(target.read_text()) if target.exists() else None


def test_the_exported_model_scans_with_equal_scores(photo_folder, model, exported, tmp_path):
    reports = {}
    for name, weights in (("torch", model), ("onnx", exported)):
        status, reports[name] = scanned(photo_folder, weights, tmp_path / f"{name}.json")
        assert status == Status.DONE
    scores = [[row["findings"][0]["score"] for row in report["files"]] for report in reports.values()]
    assert len(scores[0]) == 6
    assert len(set(scores[0])) == 6
    assert scores[1] == pytest.approx(scores[0], rel=1e-4, abs=1e-4)
    providers = {name: report["run"]["methods"][0]["provider"] for name, report in reports.items()}
    assert providers == {"torch": "torch cpu", "onnx": "CPUExecutionProvider"}
    digest = reports["onnx"]["run"]["methods"][0]["weights"][0]["sha256"]
    assert digest == json.loads(exported.with_name("model.parity.json").read_text())["sha256"]


def test_what_came_from_the_store_was_run_by_nobody(photo_folder, exported, tmp_path):
    for _ in range(2):
        _, report = scanned(photo_folder, exported, tmp_path / "report.json")
    assert report["summary"]["from_store"] == 6
    assert report["run"]["methods"][0]["provider"] is None


def test_what_is_printed(model, photo_folder, tmp_path, capfd):
    path = tmp_path / "small.onnx"
    command = ["export-onnx", "commfor", "--weights", str(model), "-o", str(path), "--precision", "int8"]
    assert run([*command, "--images", str(photo_folder)]) == Status.DONE
    out, err = capfd.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0].startswith(f"Difference from torch, on 3 of 6 pictures of {photo_folder}")
    assert lines[1].split()[:3] == ["precision", "batch", "crops"]
    assert [tuple(line.split()[:3]) for line in lines[2:10]] == [
        (precision, str(batch), "3") for precision in ("fp32", "int8") for batch in (1, 2, 7, 32)
    ]
    assert lines[10].startswith("threshold 0.0000 (FPR 0.01): ")
    assert [line.split("FPR ")[1].partition(")")[0] for line in lines[10:13]] == ["0.01", "0.05", "0.1"]
    assert lines[13].startswith(f"{path} (")
    assert lines[13].endswith(f" and {tmp_path / 'small.parity.json'} are written")
    assert path.stat().st_size < 0.6 * (model / "model.safetensors").stat().st_size


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["provenance", "-o", "m.onnx"],
            "provenance has no network that can be exported; these have: commfor, ",
        ),
        (["commfro", "-o", "m.onnx"], "did you mean commfor?"),
        (["commfor", "-o", "m.pt", "--weights", "."], "--output m.pt: the name must end in .onnx"),
        (["commfor", "-o", "no/such/m.onnx"], "there is no folder no/such"),
        (["commfor", "-o", "m.onnx", "--weights", "other.onnx"], "is ONNX already"),
        (["commfor", "-o", "m.onnx", "--weights", "no/such/folder"], "no/such/folder"),
        (["commfor", "-o", "m.onnx", "--offline"], "--offline"),
        (["commfor", "-o", "m.onnx", "--precision", "int4"], "int4"),
        (["commfor", "-o", "m.onnx", "--set", "commfor.size=3"], "commfor has no option 'size'"),
        (["commfor", "-o", "m.onnx", "--weights", "MODEL", "--images", "nowhere"], "there is none at nowhere"),
        (["commfor", "-o", "m.onnx", "--weights", "BROKEN"], "does not fit the network"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments, words, model, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_bytes((model / "config.json").read_bytes())
    save_file({"other": torch.zeros(3)}, broken / "model.safetensors")
    places = {"MODEL": str(model), "BROKEN": str(broken)}
    assert run(["export-onnx", *(places.get(one, one) for one in arguments)]) == Status.USAGE
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert words in err
    assert not list(tmp_path.glob("*.onnx"))


@cuda
def test_a_required_gpu(photo_folder, exported, tmp_path, capfd):
    for device in ("auto", "cpu"):
        status, report = scanned(photo_folder, exported, tmp_path / "r.json", "--require-gpu", "--device", device)
        assert (status, report) == (Status.USAGE, None)
        assert "--require-gpu needs a GPU" in capfd.readouterr().err
    assert run(["scan", str(photo_folder), "-m", "provenance", "--require-gpu", "-f", "jsonl"]) == Status.DONE


def test_a_required_gpu_that_only_torch_has(photo_folder, exported, tmp_path, monkeypatch, capfd):
    """Where torch sees a GPU and ONNX Runtime does not, the scan fails rather than take the CPU."""
    monkeypatch.setattr(devices, "choose_device", lambda word, require_gpu: "mps")
    monkeypatch.setattr(devices, "torch_runtime", lambda device: Runtime(torch.inference_mode))
    status, report = scanned(photo_folder, exported, tmp_path / "r.json", "--require-gpu")
    assert (status, report) == (Status.USAGE, None)
    assert "ONNX Runtime has no CUDA device and would take the CPU" in capfd.readouterr().err


def test_a_file_by_a_stranger_fails_the_method_before_an_image_is_read(photo_folder, tmp_path, monkeypatch, capfd):
    strange = tmp_path / "strange.onnx"
    strange.write_bytes(b"not a graph")
    read = images.read
    monkeypatch.setattr(images, "read", lambda path: pytest.fail(f"{path} was read"))
    assert scanned(photo_folder, strange, tmp_path / "r.json") == (Status.USAGE, None)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"forensic: commfor: {strange} cannot be opened by ONNX Runtime: ")
    monkeypatch.setattr(images, "read", read)
    status, report = scanned(photo_folder, strange, tmp_path / "r.json", "-m", "provenance")
    assert status == Status.FAILURES
    assert sum(line.startswith(f"forensic: commfor: {strange} cannot") for line in capfd.readouterr().err.splitlines()) == 1
    for row in report["files"]:
        by_method = {one["method"]: one["error"] for one in row["findings"]}
        assert "cannot be opened by ONNX Runtime" in by_method["commfor"]
        assert by_method["provenance"] is None
