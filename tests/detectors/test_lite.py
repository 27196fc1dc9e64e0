"""The network that comes with the tool: it is there, small, the same in both runtimes, and its figures are told."""

import json
from pathlib import Path

import numpy as np
import pytest

import forensic_detectors.commfor as commfor
from forensic_cli import profiles
from forensic_cli.cli import run
from forensic_cli.contract import check
from forensic_cli.detector import Session
from forensic_cli.features.networks import network
from forensic_cli.features.onnx_network import OnnxNetwork
from forensic_cli.features.torch_network import TorchNetwork
from forensic_cli.status import Status

FOLDER = Path(commfor.__file__).parent / "lite"


def test_it_is_small_enough_for_the_wheel():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 8_000_000
    assert not (FOLDER / "checkpoint.pt").exists()


def test_it_keeps_its_promises():
    check(commfor.CommforLite)


@pytest.mark.parametrize("shape", [(224, 224), (64, 64), (300, 401)], ids=str)
def test_both_runtimes_agree(shape):
    asked = {"weights": commfor.LITE, "published": commfor.PUBLISHED_384, "build": commfor.build}
    by_onnx = network(Session(offline=True), **asked)
    assert isinstance(by_onnx, OnnxNetwork)
    by_torch = network(Session(offline=True, dtype="bfloat16"), **asked)  # which the graph does not do
    assert isinstance(by_torch, TorchNetwork)
    exact = TorchNetwork(by_torch.scorer, by_torch.classifier, Session(offline=True))
    crops = np.random.default_rng(0).integers(0, 256, (3, *shape, 3), np.uint8)
    (one, one_map), (other, other_map) = by_onnx(crops), exact(crops)
    np.testing.assert_allclose(one, other, atol=1e-4)
    np.testing.assert_allclose(one_map, other_map, atol=1e-3)


def test_thresholds_are_those_of_its_calibration():
    config = json.loads((FOLDER / "config.json").read_bytes())
    profile = profiles.read(FOLDER / profiles.CALIBRATION)
    (known,) = profile.methods.values()
    scores = np.array(known.photographs)
    assert len(scores) == profile.photographs.number >= 300
    for threshold in config["thresholds"]:
        assert threshold["photographs"] == len(scores)
        assert (scores > threshold["score"] + 1e-4).mean() <= threshold["fpr"]


def test_no_photograph_of_its_calibration_was_trained_on():
    held_out = json.loads((FOLDER / "training.json").read_bytes())["held_out_sources"]
    assert set(profiles.read(FOLDER / profiles.CALIBRATION).photographs.origin) <= set(held_out)


def test_the_default_scan_runs_it_and_says_what_is_stronger(photo_folder, tmp_path, capsys):
    assert run(["scan", str(photo_folder), "-o", str(tmp_path / "scan.json")]) == Status.DONE
    assert "forensic weights pull commfor (87 MB, MIT)" in capsys.readouterr().err
    report = json.loads((tmp_path / "scan.json").read_text())
    assert {one["name"] for one in report["run"]["methods"]} == {"provenance", "commfor.lite"}
    (lite,) = (one for one in report["run"]["methods"] if one["name"] == "commfor.lite")
    assert lite["provider"] == "CPUExecutionProvider"
    for row in report["files"]:
        (score,) = (one["score"] for one in row["findings"] if one["method"] == "commfor.lite")
        assert -20 < score < 20


def test_its_essence_is_told(capsys):
    assert run(["methods", "commfor.lite"]) == Status.DONE
    out = capsys.readouterr().out
    measured = json.loads((FOLDER / "metrics.json").read_bytes())
    assert f"AUROC {measured['conditions']['native']['auroc']:.3f}" in out
    assert f"{measured['zero_pixel_auroc']:.3f} from suffix, size and bytes per pixel alone" in out


def test_the_readme_says_the_same():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    conditions = json.loads((FOLDER / "metrics.json").read_bytes())["conditions"]
    for one in (conditions["native"], conditions["jpeg:70"], conditions["halved, jpeg:85"]):
        low, high = one["auroc_interval"]
        recall = f"{one['tpr_at_fpr_0.01']:.0%}, {one['tpr_at_fpr_0.05']:.0%}".replace("%", " %")
        assert f"| {one['auroc']:.3f} ({low:.3f} to {high:.3f}) | {recall} |" in readme
