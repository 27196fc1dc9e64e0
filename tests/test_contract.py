"""Every detector there is keeps the promises; and each promise notices a detector that does not."""

import random
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pytest
import torch

from forensic_cli import Batch, Claim, Detector, Finding, Weights
from forensic_cli.contract import Subject, check, make_samples
from forensic_cli.entries import DETECTORS
from forensic_cli.errors import PluginError
from forensic_cli.options import weights_of
from forensic_cli.plugins import Offer, Plugins

OFFERS = list(Plugins().load_all(DETECTORS))
FOUND = [offer for offer in OFFERS if isinstance(offer, Offer)]
# Their promises are checked in tests/detectors/test_baselines.py, with the small networks that are made there.
BASELINES = {"corvi", "cnnspot", "univfd", "npr", "safe", "drct", "dda", "timm"}
# In tests/detectors/test_latent_promises.py and beside, with tiny diffusion models.
LATENT = {"aeroblade", "divergence", "hfi", "lare", "manifold", "recon", "recon.lpips"}
CHECKED = [offer for offer in FOUND if offer.name not in BASELINES | LATENT]
SMALL = [offer for offer in CHECKED if offer.name != "probe"]  # in tests/detectors/test_probe.py, with a tiny encoder
SETTINGS = {name: {"ratio": "1"} for name in ("rigid", "wepe")}  # so that noise matters to a tiny network


@pytest.fixture
def networks(tiny_dinov2, tiny_classifier):
    """A tiny network for each kind of detector, by the first part of its name."""
    return {"commfor": tiny_classifier, "rigid": tiny_dinov2, "wepe": tiny_dinov2}


def settings(offer, networks):
    """What the tests set of a detector's options."""
    own = offer.entry.name not in networks  # it brings weights of its own
    needs = {"weights": str(networks[offer.entry.name])} if weights_of(offer.factory.Options()) and not own else {}
    return needs | SETTINGS.get(offer.name, {})


def test_every_first_party_plugin_loads():
    assert OFFERS == FOUND


@pytest.mark.parametrize("offer", SMALL, ids=lambda offer: offer.name)
def test_every_detector_keeps_its_promises(offer, networks):
    check(offer.factory, **settings(offer, networks))


@pytest.mark.parametrize("offer", CHECKED, ids=lambda offer: offer.name)
def test_there_is_something_to_compare(offer, networks):
    """Scores far above the tolerance, and different ones; or statements about some images and not about others."""
    findings = Subject(offer.factory, settings(offer, networks)).find(make_samples())
    if findings[0].score is None:
        assert len({finding.claims for finding in findings}) > 1
    else:
        assert min(abs(finding.score) for finding in findings) > 1e-3
        assert len({finding.score for finding in findings}) == len(findings)


@pytest.mark.parametrize("name", ["rigid", "wepe"])
def test_one_per_cent_more_in_company_is_noticed(name, networks):
    (offer,) = (one for one in FOUND if one.name == name)

    class Sociable(offer.factory):
        __doc__ = offer.factory.__doc__

        def score(self, batch):
            return super().score(batch) * (1.01 if len(batch) > 1 else 1.0)

    with pytest.raises(PluginError, match="ignores_the_batch"):
        check(Sociable, **settings(offer, networks))


class Good(Detector):
    """A fair detector."""

    paper = "doi:1"
    cost = "nothing"

    def score(self, batch):
        return [float(image.mean()) for image in batch.images]


class Reader(Detector):
    """A fair detector that reads the file and says what it says."""

    paper = "doi:1"
    cost = "nothing"
    looks_at = "file"

    def examine(self, batch):
        return [
            Finding("reader", claims=says(), seconds=0.5) if b"Steps" in one else Finding("x") for one in batch.contents
        ]


def says(**changes):
    return (replace(Claim("generated", "made by a model", "PNG text chunk", "declared"), **changes),)


@pytest.mark.parametrize("factory", [Good, Reader])
def test_a_fair_detector_passes(factory):
    check(factory)


def bad(score=None, **changes):
    """Good, but for some changes."""
    changes |= {"score": score} if score else {}
    return type("Bad", (Good,), {"__doc__": Good.__doc__, **changes})


def finds(**what):
    """A method that finds this in each image."""
    return lambda self, batch: [Finding("x", **what) for _ in batch.refs]


def means(batch):
    return [float(image.mean()) for image in batch.images]


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
        ({"score": lambda self, batch: [float(random.getstate()[1][-1])] * len(batch)}, "repeats_itself"),
        ({"score": lambda self, batch: list(np.random.random(len(batch)))}, "leaves_the_world_alone"),
        ({"examine": finds(error="no")}, "gives_one_finding_each"),
        ({"looks_at": "metadata"}, "looks_at_something"),
        ({"score": lambda self, batch: [float(len(batch))] * len(batch)}, "ignores_the_batch"),
        ({"score": lambda self, batch: [float(index) for index, _ in enumerate(batch.images)]}, "ignores_the_batch"),
        ({"score": lambda self, batch: [float("fake" in ref.path) for ref in batch.refs]}, "ignores_the_path"),
    ],
)
def test_each_promise_can_be_broken(changes, promise):
    with pytest.raises(PluginError, match=promise):
        check(type("Bad", (Good,), {"__doc__": Good.__doc__, **changes}))


def vectors(batch):
    return np.array([[image.mean(), image.std()] for image in batch.images], np.float32)


@pytest.mark.parametrize(
    ("changes", "promise"),
    [
        ({"embed": lambda self, batch: vectors(batch).astype(np.float64)}, "embeddings_fit"),
        ({"embed": lambda self, batch: vectors(batch)[0]}, "embeddings_fit"),
        ({"embed": lambda self, batch: vectors(batch) * np.float32("nan")}, "embeddings_fit"),
        ({"embed": lambda self, batch: vectors(batch) - vectors(batch).mean(axis=0)}, "embeddings_fit"),
        ({"embed": lambda self, batch: vectors(batch) + np.float32(counter())}, "embeddings_fit"),
        ({"unlike": lambda self, batch: means(batch)[::-1]}, "comparisons_fit"),
        ({"unlike": lambda self, batch: [float("inf")] * len(batch)}, "comparisons_fit"),
        ({"exportable": lambda self: (None, {})}, "exports_fit"),
        ({"Training": dict}, "training_fits"),
        ({"train": classmethod(lambda cls, job: {})}, "training_fits"),
        ({"calibration": lambda self: {}}, "opening_fits"),
    ],
)
def test_abilities_that_break_their_promise_are_noticed(changes, promise):
    with pytest.raises(PluginError, match=promise):
        check(bad(**changes))


def test_an_ability_that_keeps_its_promise_passes():
    check(bad(embed=lambda self, batch: vectors(batch), unlike=lambda self, batch: means(batch)))


def test_writing_into_the_images_is_noticed():
    def paint(self, batch: Batch):
        for image in batch.images:
            image[:] = 0
        return [0.0] * len(batch)

    with pytest.raises(PluginError, match="read-only"):
        check(type("Bad", (Good,), {"__doc__": Good.__doc__, "score": paint}))


class Counting(Good):
    """Has a different opinion of each batch."""

    asked = 0

    def score(self, batch):
        self.asked += 1
        return [mean + self.asked for mean in means(batch)]


class ByPath(Good):
    """Remembers a score under the file's path."""

    def __init__(self, session, options=None):
        super().__init__(session, options)
        self.known = {}

    def score(self, batch):
        return [self.known.setdefault(ref.path, mean) for ref, mean in zip(batch.refs, means(batch), strict=True)]


class Tired(Good):
    """Scores a picture lower when it comes again."""

    def __init__(self, session, options=None):
        super().__init__(session, options)
        self.seen = set()

    def score(self, batch):
        found = [mean - (ref.sha256 in self.seen) for ref, mean in zip(batch.refs, means(batch), strict=True)]
        self.seen |= {ref.sha256 for ref in batch.refs}
        return found


class InTheSession(Good):
    """Remembers in the session how many batches there were."""

    def score(self, batch):
        batch.session.asked = getattr(batch.session, "asked", 0) + 1
        return [mean + batch.session.asked for mean in means(batch)]


@pytest.mark.parametrize("factory", [Counting, ByPath, Tired, InTheSession])
def test_memory_of_earlier_batches_is_noticed(factory):
    with pytest.raises(PluginError, match="forgets_earlier_batches"):
        check(factory)


def swap(batch, name):
    """Put other things into a batch, past its properties if it has them."""
    things = getattr(batch, name)
    setattr(batch, f"_{name}" if hasattr(batch, f"_{name}") else name, things[::-1])


@pytest.mark.parametrize("name", ["images", "refs"])
def test_other_images_or_references_in_the_batch_are_noticed(name):
    def score(self, batch):
        found = means(batch)
        swap(batch, name)
        return found

    with pytest.raises(PluginError, match=rf"leaves_its_input_alone.*batch\.{name}"):
        check(bad(score))


def test_a_copy_instead_of_an_image_is_noticed():
    def score(self, batch):
        found = means(batch)
        name = "_images" if hasattr(batch, "_images") else "images"
        setattr(batch, name, type(batch.images)(image.copy() for image in batch.images))
        return found

    with pytest.raises(PluginError, match=r"leaves_its_input_alone.*batch\.images"):
        check(bad(score))


def test_putting_other_images_into_the_batch_does_not_pass():
    def score(self, batch):
        found = means(batch)
        batch.images = batch.images[::-1]
        return found

    with pytest.raises(PluginError, match=r"Bad (fails|breaks a promise)"):
        check(bad(score))


def test_another_seed_in_the_session_is_noticed():
    def score(self, batch):
        batch.session.seed = 7
        return means(batch)

    with pytest.raises(PluginError, match=r"leaves_its_input_alone.*session\.seed"):
        check(bad(score))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "fake"}, "kind of a claim is 'fake', not one of generated, edited"),
        ({"trust": "total"}, "trust of a claim is 'total', not one of trusted, signed"),
        ({"kind": None}, "kind of a claim is None"),
        ({"statement": ""}, "statement of a claim is ''"),
        ({"statement": 5}, "statement of a claim is 5"),
        ({"source": " "}, "source of a claim is ' '"),
        ({"source": None}, "source of a claim is None"),
    ],
)
def test_claims_outside_the_vocabulary_are_noticed(change, words):
    with pytest.raises(PluginError, match=f"gives_one_finding_each.*{words}"):
        check(bad(examine=finds(claims=says(**change))))


def test_a_detector_may_declare_kinds_of_claims():
    one = bad(examine=finds(claims=says(kind="ancestry")))
    one.claim_kinds = ("ancestry",)
    check(one)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), "1", 1])
def test_seconds_that_are_none_are_noticed(seconds):
    with pytest.raises(PluginError, match=r"gives_one_finding_each.*the seconds are"):
        check(bad(examine=finds(score=1.0, seconds=seconds)))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda: random.seed(0), "state of random"),
        (lambda: random.random(), "state of random"),
        (lambda: np.random.seed(0), "state of numpy"),
        (lambda: np.random.normal(), "state of numpy"),
        (lambda: np.random.random(312), "state of numpy"),  # other keys, and back at the same position among them
        (lambda: torch.manual_seed(0), "state of torch"),
        (lambda: torch.rand(1), "state of torch"),
        (lambda: torch.set_default_dtype(torch.float64), "torch's default dtype"),
    ],
)
def test_changes_of_the_world_are_noticed(change, what):
    def score(self, batch):
        change()
        return means(batch)

    try:
        with pytest.raises(PluginError, match=f"leaves_the_world_alone.*{what}"):
            check(bad(score))
    finally:
        torch.set_default_dtype(torch.float32)


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
