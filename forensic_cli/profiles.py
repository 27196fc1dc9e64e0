"""A calibration profile: what photographs (and, where given, generated images) scored, and what a verdict may rest on.

One JSON file (schema forensic/calibration/1). A profile is tied to the weights and options that made it and to the major
version of forensic.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from forensic_cli import __version__
from forensic_cli.errors import UsageError, why
from forensic_cli.records import ImageRef, Json, MethodUse
from forensic_cli.shapes import WrongShape, shaped
from forensic_cli.statistics import conformal
from forensic_cli.statistics.clusters import worth
from forensic_cli.statistics.ratios import Ratios
from forensic_cli.text import printable
from forensic_cli.writing import atomic

SCHEMA = "forensic/calibration/1"
CALIBRATION = "calibration.json"
"""The name of a profile beside the weights that it is of."""
RATES = (0.001, 0.01, 0.05, 0.1)
USUAL = 0.05
"""The false-positive rate of a verdict where none is asked for."""
_ALIKE = 0.99  # share of the photographs that are not told to be unlike the others


@dataclass(frozen=True)
class Collection:
    """Which images a profile was made from."""

    number: int
    left_out: int
    origin: tuple[str, ...]
    formats: Json
    """How many there are of each."""
    short_side: tuple[float, ...]
    """In pixels: the least, that of the smallest 1 %, the median and the most; empty if unknown."""

    @classmethod
    def of(cls, refs: Iterable[ImageRef], left_out: int, origin: Iterable[str]) -> "Collection":
        known = list(refs)
        sides = sorted(min(ref.width, ref.height) for ref in known)
        last = len(sides) - 1
        marks = tuple(float(sides[round(last * share)]) for share in (0, 0.01, 0.5, 1)) if sides else ()
        formats = dict(Counter(ref.format for ref in known).most_common())
        return cls(len(known), left_out, tuple(printable(one) for one in origin), formats, marks)

    def outside(self, width: int | None, height: int | None) -> str | None:
        """Why an image is unlike these, in words; None if nothing says so.

        The format does not count: methods see pixels, and a PNG may hold those of a JPEG. Nor does a larger image: it has
        more of what methods look at, not less.
        """
        if self.short_side and width and height and min(width, height) < self.short_side[1]:
            return (
                f"smaller than what was calibrated: {width} x {height}, short sides there begin at {self.short_side[1]:.0f}"
            )
        return None


@dataclass(frozen=True)
class Calibrated:
    """What a calibration knows of one method. Earlier versions wrote no field that has a default here."""

    distribution: str
    version: str
    options: Json
    weights: tuple[str, ...] | None
    """The SHA-256 of each; None for those that the profile lies beside."""
    photographs: tuple[float, ...]
    """Their scores, ascending."""
    generated: tuple[float, ...] | None
    """The scores of generated images, ascending."""
    thresholds: tuple[Json, ...]
    """Those of statistics.conformal, as objects."""
    likelihood: Json | None
    """A model of statistics.ratios, as an object."""
    limits: tuple[str, ...]
    """What so few images cannot promise, in sentences."""
    sources: int | None = None
    """How many sources the photographs are from."""
    worth: float = 1.0
    """How many independent photographs each of them counts for (statistics.clusters)."""
    unlike: tuple[float, ...] | None = None
    """How unlike a photograph each of them is in the method's eyes, ascending; None if the method does not tell."""
    generated_unlike: tuple[float, ...] | None = None
    """The same of the generated images, in the order of their scores."""

    @classmethod
    def of(
        cls,
        use: MethodUse,
        photographs: np.ndarray,
        generated: np.ndarray | None = None,
        likelihood: Json | None = None,
        *,
        beside: bool = False,
        sources: Sequence[str] | None = None,
        unlike: Sequence[float] | None = None,
        generated_unlike: Sequence[float] | None = None,
    ) -> "Calibrated":
        """What a method's scores tell. `beside`: the profile will lie beside the weights, and be of no others.

        `sources`, `unlike`: of the photographs, in their order; `generated_unlike`: of the generated images.
        """
        order = None if generated is None else np.argsort(generated, kind="stable")
        scores = np.sort(np.asarray(photographs, float))
        several = len(set(sources)) if sources is not None else None
        share = worth(np.asarray(photographs, float), sources) if sources is not None else 1.0
        return cls(
            distribution=use.distribution,
            version=use.version,
            options=plain_options(use),
            weights=None if beside else digests(use),
            photographs=_floats(scores),
            generated=None if generated is None else _floats(np.asarray(generated)[order]),
            thresholds=tuple(_limit(scores, rate, share) for rate in RATES),
            likelihood=likelihood,
            limits=limits(len(scores), several, share),
            sources=several,
            worth=share,
            unlike=None if unlike is None else _floats(np.sort(unlike)),
            generated_unlike=None if generated_unlike is None else _floats(np.asarray(generated_unlike)[order]),
        )

    def stranger(self, unlike: float | None) -> bool:
        """Whether an image is more unlike photographs than all but a few of the calibration."""
        if unlike is None or not self.unlike:
            return False
        return unlike > self.unlike[min(len(self.unlike) - 1, int(_ALIKE * len(self.unlike)))]

    def verdict_threshold(self, fpr: float) -> float | None:
        """The lowest score that a scan calls generated at this rate; None where these photographs cannot show it."""
        return conformal.threshold(np.asarray(self.photographs), fpr, worth=self.worth).score_interval[1]

    @property
    def verdict_thresholds(self) -> dict[float, float]:
        """The same at each of the usual rates that can be shown."""
        found = {rate: self.verdict_threshold(rate) for rate in RATES}
        return {rate: score for rate, score in found.items() if score is not None}

    def refusal(self, use: MethodUse) -> str | None:
        """Why these scores say nothing about a method used so; None if they do."""
        if self.version.partition(".")[0] != use.version.partition(".")[0]:
            return f"it was made with {self.distribution} {self.version}, this is {use.version}"
        if self.weights is not None and self.weights != digests(use):
            return "it was made with other weights"
        for name, value in plain_options(use).items():
            if self.options.get(name) != value:
                return f"it was made with {name}={self.options.get(name)}, not {value}"
        return None


@dataclass(frozen=True)
class Profile:
    """A calibration: the images it was made from, and what they told of each method."""

    forensic: str
    made: str
    command: str
    seed: int
    device: str | None
    dtype: str | None
    photographs: Collection
    generated: Collection | None
    methods: Mapping[str, Calibrated]
    """By name."""
    source: str = ""
    """Where it was read from, for people."""

    def to_json(self) -> Json:
        row = asdict(self)
        del row["source"]
        return {"schema": SCHEMA, **row}

    def write(self, path: Path) -> None:
        """Raises ReportError."""
        with atomic(path) as stream:
            stream.write(json.dumps(self.to_json(), allow_nan=False, ensure_ascii=False, indent=1).encode() + b"\n")


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(map(float, values))


def _limit(scores: np.ndarray, rate: float, share: float) -> Json:
    row = asdict(conformal.threshold(scores, rate, worth=share))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}


def limits(number: int, sources: int | None = None, share: float = 1.0) -> tuple[str, ...]:
    """What so few photographs cannot promise, in sentences."""
    lacking = {rate: needed for rate in RATES if (needed := conformal.fewest(rate)) > number * share}
    return tuple(
        f"a false-positive rate of {rate:.1%} cannot be shown with {counted(number, sources, share)}; {needed:,} are needed"
        for rate, needed in lacking.items()
    )


def counted(number: int, sources: int | None, share: float) -> str:
    """So many photographs, and what they are worth: "498 photographs (of 42 sources, worth 240 independent ones)"."""
    words = f"{number:,} photographs"
    if sources is None or share == 1:
        return words
    return f"{words} (of {sources:,} sources, worth {number * share:,.0f} independent ones)"


def digests(use: MethodUse) -> tuple[str, ...]:
    """The SHA-256 of each of a method's weights."""
    return tuple(str(one["sha256"]) for one in use.weights)


def plain_options(use: MethodUse) -> Json:
    """The options that a score depends on: where weights lie does not matter, what they are is compared by digest."""
    sources = [one["source"] for one in use.weights]
    return {name: value for name, value in use.options.items() if not _names(value, sources)}


def _names(value: Any, sources: list[Any]) -> bool:
    return bool(sources) and (
        value in sources or (isinstance(value, list) and bool(value) and value == sources[: len(value)])
    )


def read(path: Path) -> Profile:
    """Raises UsageError in one line: no such file, no profile, one of another major version."""
    try:
        return parse(json.loads(path.read_bytes()), printable(str(path)))
    except OSError as error:
        raise UsageError(f"the profile {printable(str(path))} cannot be read: {why(error, str(path))}") from error
    except ValueError as error:
        raise UsageError(f"the profile {printable(str(path))} cannot be read: it is no JSON") from error


def beside(folder: Path) -> Profile | None:
    """The profile in the folder of the weights that it is of; None if there is none. Raises UsageError."""
    place = folder / CALIBRATION
    return read(place) if place.is_file() else None


def parse(value: Any, source: str) -> Profile:
    """A profile of what stands in a JSON file. Raises UsageError."""
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise UsageError(f"{source} is no profile of forensic calibrate (schema {SCHEMA})")
    if not isinstance(value.get("methods"), dict) or not value["methods"]:
        raise UsageError(f"{source}: methods is no object, or an empty one")
    try:
        profile: Profile = shaped(Profile, {**value, "source": source, "methods": {}})
        methods = {name: shaped(Calibrated, one, f"methods.{name}") for name, one in value["methods"].items()}
    except WrongShape as wrong:
        raise UsageError(f"{source}: {wrong}") from wrong
    if profile.forensic.partition(".")[0] != __version__.partition(".")[0]:
        raise UsageError(f"{source} was made with forensic {profile.forensic}, this is {__version__}: calibrate again")
    for name, one in methods.items():
        if not one.photographs or list(one.photographs) != sorted(one.photographs):
            raise UsageError(f"{source}: the scores of {name} are none, or not in ascending order")
        if one.generated_unlike is not None and len(one.generated_unlike) != len(one.generated or ()):
            raise UsageError(f"{source}: generated_unlike of {name} has another number than generated")
        if not 0 < one.worth <= 1:
            raise UsageError(f"{source}: worth of {name} is {one.worth}, not between 0 and 1")
        if not np.isfinite([*one.photographs, *(one.generated or ())]).all():
            raise UsageError(f"{source}: a score of {name} is not a finite number")
        try:
            Ratios.from_json(one.likelihood) if one.likelihood else None
        except ValueError as error:
            raise UsageError(f"{source}: {name}: {error}") from error
    if len(profile.photographs.short_side) not in (0, 4):
        raise UsageError(f"{source}: short_side has {len(profile.photographs.short_side)} numbers, not 4")
    return replace(profile, methods=methods)
