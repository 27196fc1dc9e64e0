"""A third-party distribution in milliseconds: its module and its dist-info in a folder of sys.path."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

DETECTOR = """
from forensic_cli import Detector, hookimpl

class Mine(Detector):
    '''A made-up detector.'''
    def score(self, batch):
        return [float(len(image)) for image in batch.images]

@hookimpl
def register_detectors(register):
    register({name!r}, Mine)
"""


def install(
    folder: Path, name: str, code: str | None = None, entry: str | None = None, version: str = "0.1", offers: str = ""
) -> None:
    """Write `name`.py and its metadata; the entry point is called `entry`, by default like the module.

    `offers`: the text of entry_points.txt, if it is not one detector.
    """
    entry = entry or name
    (folder / f"{name}.py").write_text(DETECTOR.format(name=entry) if code is None else code)
    metadata = folder / f"{name}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nAbout.\n")
    (metadata / "entry_points.txt").write_text(offers or f"[forensic.detectors]\n{entry} = {name}\n")


def environment_with(package: Path, folder: Path) -> Path:
    """The Python of a new virtual environment that sees our packages and has this one installed by pip."""
    folder = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    python = folder / "bin" / "python" if os.name == "posix" else folder / "Scripts" / "python.exe"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], check=True, capture_output=True, text=True
    ).stdout.strip()
    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(site, "ours.pth").write_text("\n".join(f"import site; site.addsitedir({path!r})" for path in sorted(ours)) + "\n")
    command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", str(package)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return python
