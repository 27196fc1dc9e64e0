"""A stranger's package: built, installed by pip into a fresh environment beside ours, and used."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent.parent / "plugins" / "example"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A new virtual environment that sees our packages and has the example installed by pip."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    python = folder / "bin" / "python" if os.name == "posix" else folder / "Scripts" / "python.exe"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], check=True, capture_output=True, text=True
    ).stdout.strip()
    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(site, "ours.pth").write_text("\n".join(f"import site; site.addsitedir({path!r})" for path in sorted(ours)) + "\n")
    command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", str(EXAMPLE)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return python


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
