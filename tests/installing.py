"""A third-party distribution in milliseconds: its module and its dist-info in a folder of sys.path."""

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
