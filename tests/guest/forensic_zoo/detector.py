"""How strongly the encoder that comes with forensic responds to a picture."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from forensic_cli import Batch, Detector, Weights, hookimpl
from forensic_cli.classifier import Look
from forensic_cli.features.encoders import tokens
from forensic_zoo.learnt import Learnt

ENCODER = Weights("package:forensic_detectors/probe/clip", licence="MIT", files=("*.json", "*.safetensors", "graph.*"))
LOOK = Look(size=224, resize=224, kernel="bicubic")


class Zoo(Detector):
    """How strongly an encoder responds to a picture: made up, to show how a forward pass is shared."""

    paper = "arXiv:0000.00000"
    cost = "1 forward pass, which probe needs as well"
    light = True

    @dataclass(frozen=True)
    class Options:
        encoder: Annotated[Weights, "the encoder, in the format of transformers or timm"] = ENCODER

    def embed(self, batch: Batch) -> np.ndarray:
        """The class token after the last block, (N, width)."""
        seen = batch.once(tokens, weights=self.options.encoder, look=LOOK)
        return np.stack([crops[0, -1, 0] for _, crops in seen])

    def score(self, batch: Batch) -> np.ndarray:
        """Its root mean square, (N,)."""
        return np.sqrt((self.embed(batch) ** 2).mean(axis=1))


@hookimpl
def register_detectors(register):
    register("zoo", Zoo)
    register("zoo.learnt", Learnt)
