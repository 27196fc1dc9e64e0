"""A detector that is a trained classifier: its record and its weights make it. Published ones and our own are such."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from forensic_cli.classifier import Classifier
from forensic_cli.detector import Batch, Detector
from forensic_cli.features.evidence import heatmaps
from forensic_cli.features.networks import Build, describe, embedded, network, scores
from forensic_cli.weights import locate

UNSTATED = "unstated: the authors' repository has no licence"


def build(classifier: Classifier) -> Any:
    """The untrained network; a function of its own because timm takes seconds to import."""
    from forensic_cli.features.architectures import make

    return make(classifier)


class Baseline(Detector):
    """A classifier by its record. Its options have at least `weights`, without which nothing is known of it."""

    unit = "log-odds"
    libraries = ("torch", "timm", "onnxruntime-gpu", "onnxruntime")
    published: ClassVar[Classifier]

    @property
    def classifier(self) -> Classifier:
        """What the network is where no config.json of ours says so; options may change what it looks at."""
        return self.published

    @property
    def build(self) -> Build:
        """Equal whenever the network is: it is part of the key under which the session remembers the network."""
        return build

    def score(self, batch: Batch) -> np.ndarray:
        """Log-odds of "generated", (N,)."""
        self.provider = self.session.once(network, **self.asked()).provider
        return scores(batch, **self.asked())

    def embed(self, batch: Batch) -> np.ndarray:
        """What the last layer reads, (N, D)."""
        return embedded(batch, **self.asked())

    def open_weights(self) -> None:
        """Of a single ONNX file only its content tells whose it is; torch's folders would take seconds."""
        if Path(self.options.weights.source).suffix == ".onnx":
            self.session.once(network, **self.asked())

    def exportable(self) -> tuple[Any, Classifier]:
        from forensic_cli.features.torch_network import TorchNetwork

        path = locate(self.options.weights, offline=self.session.offline).path
        loaded = TorchNetwork.load(path, describe(path, self.classifier), self.build, self.session)
        return loaded.scorer, loaded.classifier

    def converted(self, tensors: dict[str, Any], where: str) -> dict[str, Any]:
        from forensic_cli.features.torch_network import fitting

        return fitting(self.build, self.classifier, self.renamed(tensors), where)

    def renamed(self, tensors: dict[str, Any]) -> dict[str, Any]:
        """Published tensors as this network has them."""
        return tensors

    def asked(self) -> dict[str, Any]:
        return {"weights": self.options.weights, "published": self.classifier, "build": self.build}


class Mapped(Baseline):
    """One whose score is a linear layer of averaged features, so that each place's share in it is known."""

    def heatmaps(self, batch: Batch) -> list[np.ndarray]:
        """The class activation map."""
        return heatmaps(batch, **self.asked())
