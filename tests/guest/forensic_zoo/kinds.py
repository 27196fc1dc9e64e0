"""How the zoo's data lie on disk, and what its visitors do to pictures."""

import numpy as np

from forensic_cli.datasets import Layout
from forensic_cli.transforms import Kind, Number


def fog(image: np.ndarray, density: float) -> np.ndarray:
    return np.round(image * (1 - density) + 255 * density).astype(np.uint8)


LAYOUTS = {"zoo": Layout("the zoo: lions and tigers", "GENERATOR/{real,fake}", generators=("lion", "tiger"))}
TRANSFORMS = {"fog": Kind(fog, "White light in front of everything", (Number("density", 0, 1, 0.3),))}
