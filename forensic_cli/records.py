"""What crosses the borders: frozen records, ready for JSON; an absent number is None, never NaN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from forensic_cli.text import printable

Json = dict[str, Any]
Number = int | float  # a whole number stays one: a report that is read and written again is the same

ClaimKind = Literal[
    "generated",  # the file says that a generative model made the image
    "edited",  # the file says that a generative model changed a part of it
    "captured",  # the file says that a camera took it
    "resembles",  # what the image looks most like, in the eyes of a method; nobody said so
    "software",  # names software that handled it, which says nothing of its origin
    "credentials",  # the state of its content credentials as such
    "unchecked",  # what cannot be checked here
]
Trust = Literal[
    "trusted",  # signed, the signature holds, and the signer is on the trust list
    "signed",  # signed and the signature holds, by a signer who is not on the trust list
    "declared",  # unsigned: anybody can write or remove it
    "invalid",  # signed, but signature or content no longer match
    "none",  # nothing to trust: no statement about the origin
]
Label = Literal["generated", "inconclusive", "unflagged"]
FileStatus = Literal["ok", "skipped", "failed"]


@dataclass(frozen=True)
class Weights:
    """Where a network comes from: a hub repository ("owner/name"), a local folder or a local file."""

    source: str
    """Where the authors publish nothing but a pickle, this is its address (https://)."""
    revision: str | None = None
    """A commit."""
    licence: str = "unknown"
    files: tuple[str, ...] = ("*.json", "*.safetensors")
    """Glob patterns of what is needed."""
    format: str = "safetensors"
    bytes: int | None = None
    """The size of the download."""
    sha256: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Digests known beforehand, by the name of the file."""
    pickle: str = ""
    """The file at `source` that a person fetches and `forensic weights convert` reads."""
    pickle_sha256: str = ""
    """Its digest."""

    @property
    def by_hand(self) -> bool:
        """Whether a person has to fetch them: nobody downloads a pickle by a command of ours."""
        return bool(self.pickle) and self.source.startswith("https://")


@dataclass(frozen=True)
class Record:
    """What a report holds as an object with the same names."""

    def to_json(self) -> Json:
        return {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__}


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Skipped:
    """Something under a folder that is no image, and why it was left out."""

    path: str
    reason: str


@dataclass(frozen=True)
class Failure:
    """A file that should have been judged and could not be."""

    path: str
    reason: str


@dataclass(frozen=True)
class ImageRef:
    """One image: its path as given, and what is true of its bytes."""

    path: str
    sha256: str
    bytes: int
    format: str
    width: int
    """In pixels, of the upright image; the height too."""
    height: int


@dataclass(frozen=True)
class Claim(Record):
    """What a file says of itself, or a method of a file."""

    kind: str
    """A ClaimKind, or one that the method declares in its `claim_kinds`."""
    statement: str
    source: str
    """Where in the file it stands."""
    trust: Trust


@dataclass(frozen=True)
class Stability(Record):
    """How far the score of an image moves when the image is re-encoded or resized."""

    low: Number
    """The lowest score of the image and its copies."""
    high: Number
    """The highest."""
    versions: int
    """The number of copies."""


@dataclass(frozen=True)
class Finding(Record):
    """What one method found in one image."""

    method: str
    score: Number | None = None
    """Higher means more likely generated."""
    p_value: Number | None = None
    """Against the photographs of a calibration."""
    llr: Number | None = None
    """The log-likelihood ratio, base 10, of a calibration that has generated images too."""
    verdict: str | None = None
    claims: tuple[Claim, ...] = ()
    heatmap: str | None = None
    seconds: Number | None = None
    """Its share of the time that the batch took; None if it was not computed in this run."""
    error: str | None = None
    stability: Stability | None = None
    standard_error: Number | None = None
    """Of a score that is an estimate from random draws."""
    unlike: Number | None = None
    """How unlike a photograph the image is in the method's eyes, whatever its score: higher is less like one."""


@dataclass(frozen=True)
class Verdict(Record):
    """The answer for one image."""

    label: Label
    """`unflagged` is not "authentic"."""
    basis: str
    """What it rests on: "provenance" (the claims of the file) or "scores"."""
    p_value: Number | None = None
    """Conformal, of all calibrated methods together."""
    q_value: Number | None = None
    """Benjamini and Hochberg's, over the run."""
    llr: Number | None = None
    """Base 10, where one method alone has one."""
    reason: str | None = None
    """Why it is inconclusive."""


@dataclass(frozen=True)
class FileRecord(Record):
    """One row of a report. A failed row may still hold what methods found that need no pixels."""

    path: str
    status: FileStatus
    reason: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    verdict: Verdict | None = None
    findings: tuple[Finding, ...] = ()
    from_store: bool = False
    """For the summary alone; not in the report, which is the same on a re-run."""

    @property
    def failures(self) -> list[str]:
        """What went wrong: with the file, then with each method that failed on it."""
        own = [self.reason or ""] if self.status == "failed" else []
        return own + [f"{finding.method}: {finding.error}" for finding in self.findings if finding.error]

    def to_json(self) -> Json:
        """Without `from_store`."""
        row = {**super().to_json(), "path": printable(self.path)}
        del row["from_store"]
        ahead = {name: row[name] for name in ("path", "sha256", "bytes", "format", "width", "height")}
        return {**ahead, **row}


@dataclass(frozen=True)
class MethodUse(Record):
    """Which method ran, from which distribution, with which options and weights."""

    name: str
    distribution: str
    version: str
    options: Json
    weights: tuple[Json, ...]
    provider: str | None = None


@dataclass(frozen=True)
class Run(Record):
    """What an examiner needs to repeat a run."""

    id: str
    started: str
    """UTC in ISO 8601."""
    finished: str | None
    """The same; None for a run cut short."""
    forensic: str
    python: str
    platform: str
    command: str
    seed: int
    device: str | None
    dtype: str | None
    engine: str
    methods: tuple[MethodUse, ...]
    calibration: Json | None = None
    libraries: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Summary(Record):
    """The run in numbers of files."""

    found: int = 0
    scanned: int = 0
    skipped: int = 0
    failed: int = 0
    from_store: int = 0
    generated: int = 0
    inconclusive: int = 0
    unflagged: int = 0
    seconds: Number = 0.0
    """Wall-clock time."""
