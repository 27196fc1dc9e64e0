"""Questions that the table asks of a row, and text that a hostile file cannot use to fake a row."""

import math
import re

from forensic_cli import Claim, Finding
from forensic_cli.records import FileRecord
from forensic_cli.text import visible

ORIGIN = ("generated", "edited", "captured")  # the claims that say where an image comes from
TRUST = ("trusted", "signed", "declared", "invalid")  # of claims about the origin, the best first
_SPACES = re.compile(r"\s{2,}|^\s|\s$")


def finding_of(record: FileRecord, method: str) -> Finding | None:
    return next((finding for finding in record.findings if finding.method == method), None)


def score_of(finding: Finding | None) -> float | None:
    """The score, if there is one that can be compared."""
    score = finding.score if finding else None
    return score if score is not None and math.isfinite(score) else None


def claims_of(record: FileRecord) -> list[Claim]:
    return [claim for finding in record.findings for claim in finding.claims]


def is_generated(record: FileRecord) -> bool:
    """Found to be generated, or said to be, however weakly."""
    found = record.verdict is not None and record.verdict.label == "generated"
    return found or any(claim.kind == "generated" for claim in claims_of(record))


def is_shown(record: FileRecord) -> bool:
    """A file that was read, or one that says that it is generated although its pixels cannot be read."""
    return record.status == "ok" or (record.status == "failed" and is_generated(record))


def word_of(record: FileRecord) -> str:
    if record.verdict:
        return record.verdict.label
    return "no verdict" if record.status == "ok" else "unreadable"


def safe(text: str) -> str:
    """`text` with everything visible that hides, steers the terminal or pretends to be a column."""
    return _SPACES.sub(lambda match: "␣" * len(match[0]), visible(text))
