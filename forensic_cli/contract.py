"""The promises that every detector keeps. Our tests run them over each detector there is; a plugin author's tests do too:

from forensic_cli.contract import check
def test_my_detector_keeps_its_promises():
    check(MyDetector, weights="tests/tiny-network")
"""

import io
import json
import math
import random
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from forensic_cli import options
from forensic_cli.abilities import Localises
from forensic_cli.detector import Batch, Detector, Session
from forensic_cli.errors import PluginError, reason
from forensic_cli.images import decode, digest, probe
from forensic_cli.records import Claim, ClaimKind, Finding, ImageRef, Trust

RELATIVE, ABSOLUTE = 1e-4, 1e-6
_SIZES = ((320, 240), (97, 131), (256, 256), (40, 30), (640, 200), (1, 1))
_WRITTEN = {  # what two of the files say of themselves, for detectors that read it
    0: ("parameters", "a boat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 320x240, Model: v1-5"),
    2: ("Software", "GIMP 2.10"),
}


@dataclass(frozen=True)
class Sample:
    """A small picture: its reference, its pixels, its bytes."""

    ref: ImageRef
    pixels: np.ndarray
    content: bytes


@dataclass(frozen=True)
class Subject:
    """A detector under test with the settings a user would type."""

    factory: type[Detector]
    settings: dict[str, str]

    def make(self) -> Detector:
        """A fresh detector in a fresh session."""
        session = Session(seed=0, offline=True)
        return self.factory(session, options.build(self.factory.Options, self.settings, self.factory.__name__))

    def find(self, samples: Sequence[Sample]) -> list[Finding]:
        """What a fresh detector in a fresh session finds."""
        return _ask(self.make(), samples)


def check(factory: type[Detector], **settings: str) -> None:
    """Run every promise over one detector. Raises PluginError that names the first one broken, and how."""
    subject = Subject(factory, {name: str(value) for name, value in settings.items()})
    for promise in PROMISES:
        try:
            promise(subject)
        except AssertionError as error:
            raise PluginError(f"{factory.__name__} breaks a promise ({promise.__name__}): {error}") from error
        except Exception as error:
            raise PluginError(f"{factory.__name__} fails ({promise.__name__}): {reason(error)}") from error


def is_documented(subject: Subject) -> None:
    """It says what it does, where it comes from, what it costs, and under which licence its weights are."""
    factory = subject.factory
    assert factory.__doc__ not in (None, "", Detector.__doc__), "it has no docstring"
    assert factory.paper, "it names no paper or address"
    assert factory.cost, "it does not say what one image costs"
    for weights in options.weights_of(factory.Options()):
        assert weights.licence != "unknown", f"the licence of {weights.source} is not named"


def looks_at_something(subject: Subject) -> None:
    """It wants pixels or the file; the engine would show it nothing else."""
    chosen = subject.make().looks_at
    assert chosen in ("pixels", "file"), f"it looks at {chosen!r}; expected 'pixels' or 'file'"


def has_plain_options(subject: Subject) -> None:
    """Its options are frozen, hashable and can be written as JSON."""
    chosen = subject.factory.Options()
    hash(chosen)
    json.dumps(options.to_json(chosen), allow_nan=False)
    for option in options.options_of(subject.factory.Options):
        assert option.help, f"option {option.name} has no help text (Annotated[type, 'help'])"


def gives_one_finding_each(subject: Subject) -> None:
    """As many findings as images, each a finite score or statements in the agreed words, all fit for a report."""
    samples = make_samples()
    findings = subject.find(samples)
    assert len(findings) == len(samples), f"{len(findings)} findings for {len(samples)} images"
    for finding in findings:
        assert finding.error is None, f"it failed: {finding.error}"
        assert finding.score is None or math.isfinite(finding.score), f"the score is {finding.score}"
        seconds = finding.seconds
        sound = seconds is None or (isinstance(seconds, float) and 0 <= seconds < math.inf)
        assert sound, f"the seconds are {seconds!r}; expected None or a number of type float, 0 or more"
        for claim in finding.claims:
            _check_claim(claim, subject.factory.claim_kinds)
        json.dumps(finding.to_json(), allow_nan=False)


def repeats_itself(subject: Subject) -> None:
    """The same bytes and seed give exactly the same, whatever the global random state."""
    samples = make_samples()
    first = subject.find(samples)
    _stir()
    _same(first, subject.find(samples), exact=True)


def forgets_earlier_batches(subject: Subject) -> None:
    """One detector sees all batches of a run: what came before does not show, not even under the same path."""
    samples = make_samples()
    one = samples[:2]
    paths = [sample.ref.path for sample in one]
    other = [replace(new, ref=replace(new.ref, path=path)) for new, path in zip(samples[2:4], paths, strict=True)]
    detector = subject.make()
    first, between, again = (_ask(detector, batch) for batch in (one, other, one))
    _same(first, again, exact=True)
    _same(between, subject.find(other), exact=True)


def ignores_the_batch(subject: Subject) -> None:
    """An image alone scores as it does among others, in any order."""
    samples = make_samples()
    together = subject.find(samples)
    _same(together, [subject.find([sample])[0] for sample in samples])
    _same(together, subject.find(samples[::-1])[::-1])


def ignores_the_path(subject: Subject) -> None:
    """A renamed file scores the same."""
    samples = make_samples()
    renamed = [replace(one, ref=replace(one.ref, path=f"elsewhere/fake_{n}.png")) for n, one in enumerate(samples)]
    _same(subject.find(samples), subject.find(renamed), exact=True)


def leaves_its_input_alone(subject: Subject) -> None:
    """It does not write into the images, and batch and session stay as they were."""
    samples = make_samples()
    before = [sample.pixels.tobytes() for sample in samples]
    detector = subject.make()
    batch = _batch(detector, samples)
    shown = {name: list(getattr(batch, name)) for name in ("images", "refs", "contents")}
    session = vars(detector.session).copy()
    with _inference():
        detector.examine(batch)
    assert before == [sample.pixels.tobytes() for sample in samples], "it changed the pixels of the batch"
    for name, things in shown.items():
        same = [id(thing) for thing in things] == [id(thing) for thing in getattr(batch, name)]
        assert same, f"it changed batch.{name}: these are other objects or in another order"
    for name in ("seed", "device", "dtype", "offline"):
        assert getattr(detector.session, name) == session[name], f"it changed session.{name}"


def leaves_the_world_alone(subject: Subject) -> None:
    """It changes nothing that other detectors share: global random states and torch's default dtype."""
    for _ in range(2):  # it may import torch at the first turn only
        _stir()
        before = _world()
        subject.find(make_samples())
        after = _world()
        changed = [name for name, state in before.items() if state != after[name]]
        assert not changed, f"it changed {' and '.join(changed)}"


def maps_fit(subject: Subject) -> None:
    """If it shows where it looked: one map per image, of finite floats or NaN, the same for the same bytes."""
    samples = make_samples()
    if isinstance(subject.make(), Localises):
        pairs = zip(_maps(subject.make(), samples), _maps(subject.make(), samples[::-1])[::-1], strict=True)
        for index, (one, other) in enumerate(pairs):
            assert not np.isinf(one).any(), f"the heatmap of image {index} is infinite somewhere"
            room = RELATIVE * np.nanmax(np.abs(one), initial=0) + ABSOLUTE
            same = one.shape == other.shape and np.allclose(one, other, RELATIVE, room, equal_nan=True)
            assert same, f"the heatmap of image {index} differs from one batch to another"


PROMISES: tuple[Callable[[Subject], None], ...] = (
    is_documented,
    looks_at_something,
    has_plain_options,
    leaves_the_world_alone,  # before anything else is asked of it, which might change the world already
    gives_one_finding_each,
    repeats_itself,
    forgets_earlier_batches,
    ignores_the_batch,
    ignores_the_path,
    leaves_its_input_alone,
    maps_fit,
)


def make_samples() -> list[Sample]:
    """Six pictures of several sizes, one of a single pixel, the same at every call."""
    return [_sample(index, size) for index, size in enumerate(_SIZES)]


def _sample(index: int, size: tuple[int, int]) -> Sample:
    width, height = size
    rows, columns = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(rows / (3 + index + c)) + np.cos(columns / (5 + 2 * c)) for c in range(3)], axis=-1)
    grain = np.random.default_rng(index).normal(0, 12, waves.shape)
    picture = Image.fromarray(np.clip(128 + 50 * waves + grain, 0, 255).astype(np.uint8))
    stream = io.BytesIO()
    text = PngInfo()
    if index in _WRITTEN:
        text.add_text(*_WRITTEN[index])
    picture.save(stream, "PNG", pnginfo=text)
    content = stream.getvalue()
    header = probe(content)
    ref = ImageRef(f"sample_{index}.png", digest(content), len(content), "PNG", width, height)
    return Sample(ref, decode(content, header), content)


def _batch(detector: Detector, samples: Sequence[Sample]) -> Batch:
    """A batch as the engine would make it."""
    pixels = detector.looks_at == "pixels"
    return Batch(
        detector.session,
        [sample.ref for sample in samples],
        [sample.pixels for sample in samples] if pixels else (),
        () if pixels else [sample.content for sample in samples],
    )


def _ask(detector: Detector, samples: Sequence[Sample]) -> list[Finding]:
    with _inference():
        return detector.examine(_batch(detector, samples))


def _maps(detector: Any, samples: Sequence[Sample]) -> list[np.ndarray]:
    with _inference():
        maps: list[np.ndarray] = detector.heatmaps(_batch(detector, samples))
    assert len(maps) == len(samples), f"{len(maps)} heatmaps for {len(samples)} images"
    for one in maps:
        sound = isinstance(one, np.ndarray) and one.dtype.kind == "f" and one.ndim == 2 and one.size
        kind = f"{getattr(one, 'dtype', type(one).__name__)} of shape {np.shape(one)}"
        assert sound, f"a heatmap is {kind}; expected an array of floats (height, width)"
    return maps


def _check_claim(claim: Claim, own: Sequence[str]) -> None:
    for name, words in (("kind", (*get_args(ClaimKind), *own)), ("trust", get_args(Trust))):
        word = getattr(claim, name)
        assert word in words, f"the {name} of a claim is {word!r}, not one of {', '.join(words)}"
    for name in ("statement", "source"):
        text = getattr(claim, name)
        said = isinstance(text, str) and text.strip()
        assert said, f"the {name} of a claim is {text!r}; expected words"


def _same(one: Sequence[Finding], other: Sequence[Finding], exact: bool = False) -> None:
    for index, (a, b) in enumerate(zip(one, other, strict=True)):
        assert a.claims == b.claims, f"image {index} gets other statements: {a.claims} and {b.claims}"
        if a.score is None or b.score is None:
            assert a.score == b.score, f"image {index} scores {a.score} and {b.score}"
            continue
        room = 0.0 if exact else max(RELATIVE * abs(a.score), ABSOLUTE)
        assert abs(a.score - b.score) <= room, f"image {index} scores {a.score!r} and {b.score!r}"


def _stir() -> None:
    """Move every global random state that a detector might lean on."""
    random.random()  # noqa: S311  no secret
    np.random.random()
    if torch := sys.modules.get("torch"):
        torch.rand(1)


def _world() -> dict[str, Any]:
    """The global states that detectors share, by name."""
    kind, keys, *rest = np.random.get_state()
    world = {
        "the global random state of random": random.getstate(),
        "the global random state of numpy": (kind, np.asarray(keys).tobytes(), *rest),
        "torch's default dtype": "torch.float32",  # until somebody imports torch and sets another
    }
    if torch := sys.modules.get("torch"):
        world["torch's default dtype"] = str(torch.get_default_dtype())
        world["the global random state of torch"] = torch.get_rng_state().tolist()
    return world


def _inference() -> AbstractContextManager[Any]:
    torch = sys.modules.get("torch")
    return torch.inference_mode() if torch else nullcontext()
