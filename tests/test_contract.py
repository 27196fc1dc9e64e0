"""Every detector there is keeps the promises; and each promise notices a detector that does not."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest

from forensic_cli import Batch, Detector, Finding, Weights
from forensic_cli.contract import check
from forensic_cli.entries import DETECTORS
from forensic_cli.errors import PluginError
from forensic_cli.options import weights_of
from forensic_cli.plugins import Offer, Plugins

OFFERS = list(Plugins().load_all(DETECTORS))


def test_every_first_party_plugin_loads():
    assert all(isinstance(offer, Offer) for offer in OFFERS)


@pytest.mark.parametrize("offer", [one for one in OFFERS if isinstance(one, Offer)], ids=lambda offer: offer.name)
def test_every_detector_keeps_its_promises(offer, tiny_dinov2):
    needs = {"weights": str(tiny_dinov2)} if weights_of(offer.factory.Options()) else {}
    check(offer.factory, **needs)


class Good(Detector):
    """A fair detector."""

    paper = "doi:1"
    cost = "nothing"

    def score(self, batch):
        return [float(image.mean()) for image in batch.images]


def test_a_fair_detector_passes():
    check(Good)


def counter():
    counter.value = getattr(counter, "value", 0) + 1
    return counter.value


@pytest.mark.parametrize(
    ("changes", "promise"),
    [
        ({"__doc__": None}, "is_documented"),
        ({"paper": ""}, "is_documented"),
        ({"cost": ""}, "is_documented"),
        ({"score": lambda self, batch: [float("nan")] * len(batch)}, "gives_one_finding_each"),
        ({"examine": lambda self, batch: [Finding("x", score=1.0)]}, "gives_one_finding_each"),
        ({"score": lambda self, batch: [float(counter()) for _ in batch.images]}, "repeats_itself"),
        ({"score": lambda self, batch: list(np.random.random(len(batch)))}, "repeats_itself"),
        ({"score": lambda self, batch: [float(len(batch))] * len(batch)}, "ignores_the_batch"),
        ({"score": lambda self, batch: [float(index) for index, _ in enumerate(batch.images)]}, "ignores_the_batch"),
        ({"score": lambda self, batch: [float("fake" in ref.path) for ref in batch.refs]}, "ignores_the_path"),
    ],
)
def test_each_promise_can_be_broken(changes, promise):
    with pytest.raises(PluginError, match=promise):
        check(type("Bad", (Good,), {"__doc__": Good.__doc__, **changes}))


def test_writing_into_the_images_is_noticed():
    def paint(self, batch: Batch):
        for image in batch.images:
            image[:] = 0
        return [0.0] * len(batch)

    with pytest.raises(PluginError, match="read-only"):
        check(type("Bad", (Good,), {"__doc__": Good.__doc__, "score": paint}))


def test_options_without_help_or_licence():
    @dataclass(frozen=True)
    class Silent:
        size: int = 3

    @dataclass(frozen=True)
    class Unlicensed:
        weights: Annotated[Weights, "a network"] = Weights("a/b")

    with pytest.raises(PluginError, match="option size has no help text"):
        check(type("Bad", (Good,), {"__doc__": Good.__doc__, "Options": Silent}))
    with pytest.raises(PluginError, match="licence of a/b"):
        check(type("Bad", (Good,), {"__doc__": Good.__doc__, "Options": Unlicensed}))
