"""One package that brings a guest of every kind, installed by pip beside ours and tried as its user would."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from installing import environment_with

GUEST = Path(__file__).parent / "guest"

SHARED = """
import sys
import numpy as np
from PIL import Image
from forensic_cli import Batch, ImageRef, Session
from forensic_cli.contract import check
from forensic_cli.features.encoders.onnx import OnnxEncoder
from forensic_cli.plugins import Plugins

passes, plain = [], OnnxEncoder.__call__
OnnxEncoder.__call__ = lambda self, crops: passes.append(len(crops)) or plain(self, crops)
images = [np.asarray(Image.open(path).convert("RGB")) for path in sys.argv[1:]]
refs = [ImageRef(path, path, 1, "PNG", *image.shape[1::-1]) for path, image in zip(sys.argv[1:], images)]
batch = Batch(Session(offline=True), refs, images)
plugins = Plugins()
probe, zoo = (plugins.detector(name).factory(batch.session) for name in ("probe", "zoo"))
probe.score(batch)
assert np.isfinite(zoo.score(batch)).all()
assert zoo.embed(batch).shape == (len(images), 768)
assert passes == [len(images)], passes
check(plugins.detector("zoo").factory)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    return environment_with(GUEST, tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """Noisy photographs and smooth generated images of two beasts, in the zoo's own layout."""
    root = tmp_path_factory.mktemp("zoo")
    for number in range(24):
        label = ("real", "fake")[number % 2]
        folder = root / ("lion", "tiger")[number // 2 % 2] / label
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).normal(128, 40 if label == "real" else 2, (48, 48, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    return root


@pytest.fixture
def forensic(python, tmp_path):
    def run(*arguments):
        done = subprocess.run(
            [python, "-m", "forensic_cli", *map(str, arguments)],
            check=False, capture_output=True, text=True, timeout=300, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_it_keeps_the_promises_and_shares_a_forward_pass(python, zoo):
    pictures = sorted(map(str, zoo.rglob("*.png")))[:3]
    done = subprocess.run([python, "-c", SHARED, *pictures], check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_its_command_layout_transform_and_recipe(forensic, zoo, tmp_path):
    assert "census" in forensic("--help")
    assert forensic("census", zoo) == "12 photographs, 12 generated\n"
    assert "the zoo: lions and tigers" in forensic("evaluate", "--layout", "list")
    assert "fog:DENSITY" in forensic("evaluate", "--transform", "list")
    assert "zoo-table1" in forensic("evaluate", "--recipe", "list")
    forensic("evaluate", zoo, "--recipe", "zoo-table1", "-o", "table")
    results = json.loads((tmp_path / "table" / "results.json").read_text())
    assert {row["transform"] for row in results["rows"]} == {"none", "fog:0.5"}
    assert {"lion", "tiger"} <= {row["generator"] for row in results["rows"]}
    assert results["recipe"]["title"] == "Zoo, table 1"


def test_its_detector_is_trained_measured_and_used(forensic, zoo, tmp_path):
    forensic("train", "zoo.learnt", zoo, "-o", "model", "--steps", "60", "--holdout", "0.5", "--workers", "0")
    metrics = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert metrics["conditions"]["native"]["auroc"] > 0.9
    forensic("scan", zoo, "-m", "zoo,zoo.learnt", "--weights", "zoo.learnt=model", "-o", "report.json", "--no-store")
    files = json.loads((tmp_path / "report.json").read_text())["files"]
    scores = {label: [] for label in ("real", "fake")}
    for row in files:
        by_method = {finding["method"]: finding["score"] for finding in row["findings"]}
        scores[Path(row["path"]).parent.name].append(by_method["zoo.learnt"])
        assert by_method["zoo"] > 0
    assert np.mean(scores["fake"]) > np.mean(scores["real"])


def test_it_may_be_trained_on_photographs_alone(forensic, zoo, tmp_path):
    photographs = tmp_path / "photographs"
    for beast in ("lion", "tiger"):
        shutil.copytree(zoo / beast / "real", photographs / beast / "real")
    forensic("train", "zoo.learnt", photographs, "-o", "model", "--steps", "10", "--holdout", "0.5", "--workers", "0")
    profile = json.loads((tmp_path / "model" / "calibration.json").read_text())
    assert len(profile["methods"]["zoo.learnt"]["photographs"]) == 6
    assert "nothing is known of what it finds" in (tmp_path / "model" / "README.md").read_text()
