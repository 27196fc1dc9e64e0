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
from forensic_cli.features.classifiers import build
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
    asked = {"weights": commfor.LITE, "published": commfor.PUBLISHED_384, "build": build}
    by_onnx = network(Session(offline=True), **asked)
    assert isinstance(by_onnx, OnnxNetwork)
    by_torch = network(Session(offline=True, dtype="bfloat16"), **asked)  # which the graph does not do
    assert isinstance(by_torch, TorchNetwork)
    exact = TorchNetwork(by_torch.scorer, by_torch.classifier, Session(offline=True))
    crops = np.random.default_rng(0).integers(0, 256, (3, *shape, 3), np.uint8)
    (one, one_map, _), (other, other_map, _) = by_onnx(crops), exact(crops)
    np.testing.assert_allclose(one, other, atol=1e-4)
    np.testing.assert_allclose(one_map, other_map, atol=1e-3)


def test_verdicts_keep_to_their_rate_on_its_own_photographs():
    measured = json.loads((FOLDER / "metrics.json").read_bytes())
    profile = profiles.read(FOLDER / profiles.CALIBRATION)
    (known,) = profile.methods.values()
    assert len(known.photographs) == profile.photographs.number >= 300
    assert measured["thresholds"] == {f"{rate:g}": score for rate, score in known.verdict_thresholds.items()}
    for rate, limit in known.verdict_thresholds.items():
        over, _ = measured["conditions"]["native"]["over"][f"{rate:g}"]
        assert over < rate
        # the profile keeps four digits, which the photograph at the threshold may be above
        assert over == pytest.approx(np.mean(np.array(known.photographs) > limit), abs=1.5 / len(known.photographs))


def test_no_photograph_of_its_calibration_was_trained_on():
    held_out = json.loads((FOLDER / "training.json").read_bytes())["held_out_sources"]
    assert set(profiles.read(FOLDER / profiles.CALIBRATION).photographs.origin) <= set(held_out)


def test_its_essence_is_told(capsys):
    assert run(["methods", "commfor.lite"]) == Status.DONE
    out = capsys.readouterr().out
    measured = json.loads((FOLDER / "metrics.json").read_bytes())
    assert f"AUROC {measured['conditions']['native']['auroc']:.3f}" in out
    assert f"{measured['zero_pixel_auroc']:.3f} from suffix, size and bytes per pixel alone" in out
