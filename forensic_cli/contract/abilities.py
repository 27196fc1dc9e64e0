"""What a detector promises of the abilities that it has (forensic_cli.abilities); without one there is nothing to keep."""

import inspect
import json
from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import Any

import numpy as np

from forensic_cli import options
from forensic_cli.abilities import Calibrates, Compares, Embeds, Exports, Localises, Opens
from forensic_cli.classifier import Classifier
from forensic_cli.contract.samples import Sample, make_samples
from forensic_cli.contract.subject import ABSOLUTE, RELATIVE, Subject, ask, batch_of, inference
from forensic_cli.errors import UsageError
from forensic_cli.features.networks import pooled
from forensic_cli.features.windows import cut
from forensic_cli.profiles import Profile

_EXPORTED = 1e-3  # of the score: what an exported network may differ by, which sees other numbers of crops at once


def maps_fit(subject: Subject) -> None:
    """If it shows where it looked: one map per image, of finite floats or NaN, the same for the same bytes."""
    samples = make_samples()
    if isinstance(subject.make(), Localises):
        pairs = zip(maps_of(subject.make(), samples), maps_of(subject.make(), samples[::-1])[::-1], strict=True)
        for index, (one, other) in enumerate(pairs):
            assert not np.isinf(one).any(), f"the heatmap of image {index} is infinite somewhere"
            room = RELATIVE * np.nanmax(np.abs(one), initial=0) + ABSOLUTE
            same = one.shape == other.shape and np.allclose(one, other, RELATIVE, room, equal_nan=True)
            assert same, f"the heatmap of image {index} differs from one batch to another"


def embeddings_fit(subject: Subject) -> None:
    """If it embeds: a finite vector for each image, the same alone, in company and twice."""
    if isinstance(subject.make(), Embeds):
        samples = make_samples()
        together = _vectors(subject.make(), samples)
        assert np.array_equal(together, _vectors(subject.make(), samples)), "an embedding differs from one time to another"
        alone = np.concatenate([_vectors(subject.make(), [sample]) for sample in samples])
        for kind, others in (("alone", alone), ("in another order", _vectors(subject.make(), samples[::-1])[::-1])):
            room = RELATIVE * np.abs(together).max(axis=1, keepdims=True) + ABSOLUTE
            same = together.shape == others.shape and bool((np.abs(together - others) <= room).all())
            assert same, f"an image {kind} is embedded otherwise"


def comparisons_fit(subject: Subject) -> None:
    """If it says how unlike a photograph an image is: one finite number each, the same alone and twice."""
    if isinstance(subject.make(), Compares):
        samples = make_samples()
        one, again = _unlike(subject.make(), samples), _unlike(subject.make(), samples)
        assert np.array_equal(one, again), "how unlike an image is differs from one time to another"
        other = np.concatenate([_unlike(subject.make(), [sample]) for sample in samples])
        assert np.allclose(one, other, RELATIVE, ABSOLUTE), "how unlike an image is depends on its neighbours"


def exports_fit(subject: Subject) -> None:
    """If it exports: a torch module and its record, which together give the score. It may refuse with a UsageError."""
    detector = subject.make()
    if isinstance(detector, Exports):
        try:
            module, classifier = detector.exportable()
        except UsageError:
            return
        assert isinstance(classifier, Classifier), f"the record of its network is a {type(classifier).__name__}"
        samples = make_samples()[:2]
        for sample, finding in zip(samples, ask(detector, samples), strict=True):
            crops = cut(sample.pixels, classifier.look)
            with inference():
                odds = np.concatenate([_logits(module, crop.pixels[None]) for crop in crops])
            assert odds.shape == (len(crops),), f"the module gives {odds.shape} log-odds for {len(crops)} crops"
            score, exported = finding.score, pooled(crops, odds)
            same = score is not None and abs(score - exported) <= _EXPORTED * max(1, abs(score))
            assert same, f"the exported module scores {exported}, the detector {score}"


def training_fits(subject: Subject) -> None:
    """If it trains: `train` is a class method, and `Training` a frozen dataclass whose options are explained."""
    factory: Any = subject.factory
    train = getattr(factory, "train", None)
    recipe: Any = getattr(factory, "Training", None)
    if train is None and recipe is None:
        return
    assert recipe is not None, "it has `train` but no `Training`, the dataclass of its options"
    bound = inspect.ismethod(train) and train.__self__ is factory
    assert bound, "it has `Training` but no class method `train`"
    sound = is_dataclass(recipe)
    assert sound, "`Training` is no dataclass"
    made = recipe()
    hash(made)
    json.dumps(options.to_json(made), allow_nan=False)
    for option in options.options_of(recipe):
        assert option.help, f"option {option.name} of `Training` has no help text (Annotated[type, 'help'])"


def opening_fits(subject: Subject) -> None:
    """If it opens its weights early or brings a calibration: it can, without the network, and of one method."""
    detector = subject.make()
    if isinstance(detector, Opens):
        detector.open_weights()
    if isinstance(detector, Calibrates):
        profile = detector.calibration()
        sound = profile is None or (isinstance(profile, Profile) and len(profile.methods) == 1)
        assert sound, "its calibration is no profile of one method"


def maps_of(detector: Any, samples: Sequence[Sample]) -> list[np.ndarray]:
    with inference():
        maps: list[np.ndarray] = detector.heatmaps(batch_of(detector, samples))
    assert len(maps) == len(samples), f"{len(maps)} heatmaps for {len(samples)} images"
    for one in maps:
        sound = isinstance(one, np.ndarray) and one.dtype.kind == "f" and one.ndim == 2 and one.size
        kind = f"{getattr(one, 'dtype', type(one).__name__)} of shape {np.shape(one)}"
        assert sound, f"a heatmap is {kind}; expected an array of floats (height, width)"
    return maps


def _vectors(detector: Any, samples: Sequence[Sample]) -> np.ndarray:
    with inference():
        found: np.ndarray = detector.embed(batch_of(detector, samples))
    sound = isinstance(found, np.ndarray) and found.dtype == np.float32 and found.shape[:-1] == (len(samples),)
    kind = f"{getattr(found, 'dtype', type(found).__name__)} of shape {np.shape(found)}"
    assert sound, f"embeddings are {kind}; expected float32 ({len(samples)}, D)"
    assert np.isfinite(found).all(), "an embedding is not finite"
    return found


def _unlike(detector: Any, samples: Sequence[Sample]) -> np.ndarray:
    with inference():
        batch = batch_of(detector, samples)
        detector.score(batch)
        found = np.asarray([float(one) for one in detector.unlike(batch)])
    assert len(found) == len(samples), f"it compared {len(found)} of {len(samples)} images"
    assert np.isfinite(found).all(), "how unlike an image is, is not finite"
    return found


def _logits(module: Any, crops: np.ndarray) -> np.ndarray:
    import torch

    found: np.ndarray = module(torch.from_numpy(crops.copy()))[0].float().numpy()
    return found
