"""What a classifying network gives back, whatever runs it."""

from typing import NamedTuple

import numpy as np


class Seen(NamedTuple):
    """What a network makes of M crops; float32."""

    odds: np.ndarray
    """Log-odds of "generated", (M,)."""

    maps: np.ndarray | list[np.ndarray] | None
    """Where it has them evidence maps, (h, w) each: the mean of one is the log-odds less the bias."""

    features: np.ndarray | None
    """Where it gives them what its last layer reads, (M, D)."""

    def part(self, some: slice) -> "Seen":
        """What it makes of some of the crops."""
        maps = None if self.maps is None else self.maps[some]
        return Seen(self.odds[some], maps, None if self.features is None else self.features[some])
