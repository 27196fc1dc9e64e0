"""From images of one class to what they score, and from that to a profile."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from forensic_cli.engine.methods import Method
from forensic_cli.errors import UsageError
from forensic_cli.profiles import Calibrated, Collection, Profile
from forensic_cli.records import FileRecord, ImageRef, Json, Run
from forensic_cli.statistics.costs import cllr, cllr_min
from forensic_cli.statistics.ratio_fitting import fit, held_out
from forensic_cli.statistics.ratios import Kind

FEWEST = 10
"""Images of a class below which nothing can be said."""


@dataclass
class Collected:
    """What the images of one class scored, each content once. `left_out`: (path, reason).

    `sources`: the folder of each; photographs of one folder are taken to resemble each other more than those of two.
    """

    refs: list[ImageRef] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=dict)
    sources: dict[str, list[str]] = field(default_factory=dict)
    unlike: dict[str, list[float]] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    failed: int = 0
    met: set[str] = field(default_factory=set)

    def take(self, record: FileRecord, *, generated: bool) -> None:
        """Count one record; one that says of itself that it is generated is no photograph."""
        self.failed += bool(record.failures)
        if record.status == "skipped":
            return
        why = self._refusal(record, generated)
        if why:
            self.left_out.append((record.path, why))
            return
        assert record.sha256 is not None
        self.met.add(record.sha256)
        for finding in record.findings:
            if finding.score is not None:
                self.scores.setdefault(finding.method, []).append(finding.score)
                self.sources.setdefault(finding.method, []).append(os.path.dirname(record.path))
                if finding.unlike is not None:
                    self.unlike.setdefault(finding.method, []).append(finding.unlike)
            elif finding.error:
                self.left_out.append((record.path, f"{finding.method}: {finding.error}"))
        if any(finding.score is not None for finding in record.findings):
            self._add(record)

    def _add(self, record: FileRecord) -> None:
        assert record.sha256 is not None
        self.refs.append(
            ImageRef(
                record.path,
                record.sha256,
                record.bytes or 0,
                record.format or "",
                record.width or 0,
                record.height or 0,
            )
        )

    def _refusal(self, record: FileRecord, generated: bool) -> str | None:
        if record.status != "ok" or record.sha256 is None:
            return record.reason or "cannot be read"
        if record.sha256 in self.met:
            return "the same content as another file"
        if not generated and record.verdict:
            return "says of itself that it is generated"
        return None


def profile(
    run: Run,
    methods: Sequence[Method],
    photographs: Collected,
    origin: Iterable[str],
    generated: Collected | None = None,
    generated_origin: Iterable[str] = (),
    likelihood: Kind = "logistic",
) -> Profile:
    """Raises UsageError where a method scored too few images of a class."""
    made: dict[str, Calibrated] = {}
    for method in methods:
        scores = np.array(photographs.scores.get(method.name, []), float)
        others = None if generated is None else np.array(generated.scores.get(method.name, []), float)
        for some, words in ((scores, "photographs"), (others, "generated images")):
            if some is not None and len(some) < FEWEST:
                raise UsageError(f"{method.name} scored {len(some)} {words}: {FEWEST} at least are needed")
        try:
            ratio = None if others is None else _ratio(likelihood, np.sort(scores), np.sort(others))
        except ValueError as error:
            raise UsageError(f"{method.name}: no likelihood ratios: {error}") from error
        unlike = [_whole(some, method.name) if some else None for some in (photographs, generated)]
        made[method.name] = Calibrated.of(
            method.use,
            scores,
            others,
            ratio,
            sources=photographs.sources[method.name],
            unlike=unlike[0],
            generated_unlike=unlike[1],
        )
    return Profile(
        forensic=run.forensic,
        made=run.started,
        command=run.command,
        seed=run.seed,
        device=run.device,
        dtype=run.dtype,
        photographs=Collection.of(photographs.refs, len(photographs.left_out), origin),
        generated=None if generated is None else Collection.of(generated.refs, len(generated.left_out), generated_origin),
        methods=made,
    )


def _whole(some: Collected, method: str) -> list[float] | None:
    """How unlike photographs a method took each of these for; None where it does not tell of all that it scored."""
    unlike = some.unlike.get(method, [])
    return unlike if len(unlike) == len(some.scores.get(method, [])) and unlike else None


def _ratio(kind: Kind, scores: np.ndarray, others: np.ndarray) -> Json:
    """The model of all scores within what they can support, and what such models are worth on images left out."""
    sources = ["photographs"] * len(scores), ["generated"] * len(others)  # one each: images are left out one by one
    found = fit(kind, scores, others, sources)
    unseen = [np.clip(llrs, *found.bounds) for llrs in held_out(kind, scores, others, sources)]
    return found.to_json() | {"cllr": cllr(*unseen), "cllr_min": cllr_min(*unseen)}
