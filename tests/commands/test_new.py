"""`forensic new`: what it writes is the example, installs, keeps the promises and scores."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from forensic_cli.cli import run

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "plugins" / "example"


def texts(folder):
    files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(folder): path.read_text() for path in files}


def test_the_example_is_what_it_writes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["new", "detector", "saturation"]) == 0
    assert texts(tmp_path / "forensic-saturation") == texts(EXAMPLE)


@pytest.mark.parametrize("name", ["edge-noise2", "detector"])  # Detector is imported there, so its class has another name
def test_a_new_package_installs_keeps_the_promises_and_scores(name, photo_folder, tmp_path):
    package, site, report = tmp_path / "package", tmp_path / "site", tmp_path / "r.json"
    assert run(["new", "detector", name, "-o", str(package)]) == 0
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-build-isolation", "-t", str(site)]
    surroundings = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), *filter(None, sys.path)])}
    for command in (
        [*pip, str(package)],
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(package)],
        [sys.executable, "-m", "forensic_cli", "scan", str(photo_folder), "-m", name, "-o", str(report)],
    ):
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=300, cwd=tmp_path, env=surroundings
        )
        assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(report.read_text())["files"]
    assert rows
    assert all(-1 <= row["findings"][0]["score"] <= 0 for row in rows)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Mine", "'Mine' cannot be a detector's name: small letters and digits, a letter first, words joined by -"),
        ("a.b", "cannot be a detector's name"),
        ("../x", "cannot be a detector's name"),
        ("rigid", "'rigid' is the name of forensic-cli"),
        ("reports", "a module forensic_reports is installed already"),
    ],
)
def test_names_that_cannot_be(name, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["new", "detector", name]) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_nothing_that_exists_is_touched(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    for target, words in [(tmp_path, "is there already"), (tmp_path / "file" / "x", "cannot be written")]:
        assert run(["new", "detector", "mine", "-o", str(target)]) == 2
        assert words in capsys.readouterr().err
    assert texts(tmp_path) == {Path("file"): "mine"}
