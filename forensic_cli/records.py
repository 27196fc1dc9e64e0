"""What crosses the borders: frozen records, ready for JSON; an absent number is None, never NaN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]

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


def printable(path: str) -> str:
    """`path` as text that every report can hold: bytes that are not UTF-8 become \\xNN."""
    try:
        raw = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character, as Windows allows it in names
        raw = path.encode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Weights:
    """Where a network comes from: a hub repository ("owner/name"), a local folder or a local file.

    `revision` is a commit; `files` are glob patterns of what is needed; `sha256` maps file names to digests known
    beforehand; `bytes` is the size of the download. Where the authors publish a pickle, `source` is its address (https://),
    `pickle` the file there, which a person fetches and `forensic weights convert` reads, and `pickle_sha256` its digest.
    """

    source: str
    revision: str | None = None
    licence: str = "unknown"
    files: tuple[str, ...] = ("*.json", "*.safetensors")
    format: str = "safetensors"
    bytes: int | None = None
    sha256: Mapping[str, str] = field(default_factory=dict, hash=False)
    pickle: str = ""
    pickle_sha256: str = ""

    @property
    def by_hand(self) -> bool:
        """Whether a person has to fetch them: nobody downloads a pickle by a command of ours."""
        return bool(self.pickle) and self.source.startswith("https://")


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
    """One image: its path as given, and what is true of its bytes. Width and height are those of the upright image."""

    path: str
    sha256: str
    bytes: int
    format: str
    width: int
    height: int


@dataclass(frozen=True)
class Claim:
    """What a file says of itself: the statement, where it stands in the file, and how far it can be trusted.

    `kind` is a ClaimKind, or one that the method declares in its `claim_kinds`.
    """

    kind: str
    statement: str
    source: str
    trust: Trust

    def to_json(self) -> Json:
        return {"kind": self.kind, "statement": self.statement, "source": self.source, "trust": self.trust}


@dataclass(frozen=True)
class Stability:
    """The lowest and the highest score of an image and of `versions` re-encoded or resized copies of it."""

    low: float
    high: float
    versions: int

    def to_json(self) -> Json:
        return {"low": self.low, "high": self.high, "versions": self.versions}


@dataclass(frozen=True)
class Finding:
    """What one method found in one image.

    `score`: higher means more likely generated. `standard_error`: of a score that is an estimate from random draws.
    `p_value`, `llr` (base 10): against a calibration. `unlike`: how unlike a photograph it is in the method's eyes, higher
    for less like one, whatever its score. `seconds`: its share of the batch, when it was computed.
    """

    method: str
    score: float | None = None
    p_value: float | None = None
    llr: float | None = None
    verdict: str | None = None
    claims: tuple[Claim, ...] = ()
    heatmap: str | None = None
    seconds: float | None = None
    error: str | None = None
    stability: Stability | None = None
    standard_error: float | None = None
    unlike: float | None = None

    def to_json(self) -> Json:
        return {
            "method": self.method,
            "score": self.score,
            "p_value": self.p_value,
            "llr": self.llr,
            "verdict": self.verdict,
            "claims": [claim.to_json() for claim in self.claims],
            "heatmap": self.heatmap,
            "seconds": self.seconds,
            "error": self.error,
            "stability": self.stability and self.stability.to_json(),
            "standard_error": self.standard_error,
            "unlike": self.unlike,
        }

    @classmethod
    def from_json(cls, row: Json) -> Finding:
        claims = tuple(Claim(**claim) for claim in row["claims"])
        stability = row.get("stability")
        return cls(**{**row, "claims": claims, "stability": stability and Stability(**stability)})


@dataclass(frozen=True)
class Verdict:
    """The answer for one image; `unflagged` is not "authentic". `basis`: "provenance" (its claims) or "scores".

    `p_value`: conformal, of all calibrated methods together. `q_value`: Benjamini and Hochberg's, over the run. `llr`:
    base 10, where one method alone has one. `reason`: why it is inconclusive.
    """

    label: Label
    basis: str
    p_value: float | None = None
    q_value: float | None = None
    llr: float | None = None
    reason: str | None = None

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class FileRecord:
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
    from_store: bool = False  # for the summary alone; not in the report, which is the same on a re-run

    @property
    def failures(self) -> list[str]:
        """What went wrong: with the file, then with each method that failed on it."""
        own = [self.reason or ""] if self.status == "failed" else []
        return own + [f"{finding.method}: {finding.error}" for finding in self.findings if finding.error]

    def to_json(self) -> Json:
        return {
            "path": printable(self.path),
            "sha256": self.sha256,
            "bytes": self.bytes,
            "format": self.format,
            "width": self.width,
            "height": self.height,
            "status": self.status,
            "reason": self.reason,
            "verdict": self.verdict and self.verdict.to_json(),
            "findings": [finding.to_json() for finding in self.findings],
        }

    @classmethod
    def from_json(cls, row: Json) -> FileRecord:
        verdict = row["verdict"]
        return cls(
            **{
                **row,
                "verdict": verdict and Verdict(**verdict),
                "findings": tuple(Finding.from_json(finding) for finding in row["findings"]),
            }
        )


@dataclass(frozen=True)
class MethodUse:
    """Which method ran, from which distribution, with which options and weights."""

    name: str
    distribution: str
    version: str
    options: Json
    weights: tuple[Json, ...]
    provider: str | None = None

    def to_json(self) -> Json:
        return {
            "name": self.name,
            "distribution": self.distribution,
            "version": self.version,
            "options": self.options,
            "weights": list(self.weights),
            "provider": self.provider,
        }

    @classmethod
    def from_json(cls, row: Json) -> MethodUse:
        return cls(**{**row, "weights": tuple(row["weights"])})


@dataclass(frozen=True)
class Run:
    """What an examiner needs to repeat a run. Times are UTC in ISO 8601; a run cut short has no `finished`."""

    id: str
    started: str
    finished: str | None
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

    def to_json(self) -> Json:
        row = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**row, "methods": [method.to_json() for method in self.methods]}

    @classmethod
    def from_json(cls, row: Json) -> Run:
        return cls(**{**row, "methods": tuple(MethodUse.from_json(method) for method in row["methods"])})


@dataclass(frozen=True)
class Summary:
    """The run in numbers of files; `seconds` is wall-clock time."""

    found: int = 0
    scanned: int = 0
    skipped: int = 0
    failed: int = 0
    from_store: int = 0
    generated: int = 0
    inconclusive: int = 0
    unflagged: int = 0
    seconds: float = 0.0

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}
