"""What every detector promises, whatever it can do besides judging."""

import json
import math
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from forensic_cli import options
from forensic_cli.contract.samples import make_samples
from forensic_cli.contract.subject import ABSOLUTE, RELATIVE, Subject, ask, batch_of, inference
from forensic_cli.detector import Detector
from forensic_cli.records import Claim, ClaimKind, Finding, Trust


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
    first, between, again = (ask(detector, batch) for batch in (one, other, one))
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
    batch = batch_of(detector, samples)
    shown = {name: list(getattr(batch, name)) for name in ("images", "refs", "contents")}
    session = vars(detector.session).copy()
    with inference():
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
