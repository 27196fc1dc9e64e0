"""From error maps of what a diffusion model saw to heatmaps over the whole images."""

from collections.abc import Sequence

import numpy as np

from forensic_cli.detector import Batch
from forensic_cli.features.evidence import assemble
from forensic_cli.features.windows import Window

SCALE = 1.0  # natural logarithm: full colour where the error is 2.7 times smaller, or larger, than the image's average
_FLOOR = 1e-6  # of the average: an error of nothing stays finite


def evidence(batch: Batch, views: Sequence[Window], errors: Sequence[np.ndarray]) -> list[np.ndarray]:
    """One map over each whole image: ln(average error / error here), of maps (h, w) of errors >= 0.

    Above 0 where an image comes back better than it does on average, which speaks for "generated" there; it says where in
    an image, and nothing of the image as a whole. NaN outside the windows.
    """
    made = []
    for image, view, error in zip(batch.images, views, errors, strict=True):
        values = error.astype(np.float64)
        average = values.mean()
        logs = np.log((1 + _FLOOR) / (values / average + _FLOOR)) if average > 0 else np.zeros_like(values)
        made.append(assemble(image.shape, [(view, float(logs.mean()), logs)]))
    return made
