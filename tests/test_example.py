"""A stranger's package: built, installed by pip into a fresh environment beside ours, and used."""

import json
import subprocess
from pathlib import Path

import pytest

from installing import environment_with

EXAMPLE = Path(__file__).parent.parent / "plugins" / "example"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return environment_with(EXAMPLE, tmp_path_factory.mktemp("fresh"))


def forensic(python, *arguments):
    return subprocess.run(
        [python, "-m", "forensic_cli", *arguments], check=False, capture_output=True, text=True, timeout=120
    )


def test_it_is_listed_explained_and_scans(environment, photo_folder, tmp_path):
    assert "forensic-saturation 0.1.0" in forensic(environment, "methods").stdout
    assert "arXiv:1812.08247" in forensic(environment, "methods", "saturation").stdout
    out = tmp_path / "r.json"
    done = forensic(environment, "scan", str(photo_folder), "-m", "saturation", "-o", str(out))
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    assert tuple(report["run"]["methods"][0][name] for name in ("distribution", "version")) == (
        "forensic-saturation",
        "0.1.0",
    )
    assert all(-1 <= row["findings"][0]["score"] <= 0 for row in report["files"])


def test_its_own_tests_pass_there(environment):
    done = subprocess.run(
        [environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE / "tests")],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=EXAMPLE,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
