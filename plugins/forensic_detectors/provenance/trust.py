"""The list of signers that the user trusts, with its date."""

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from forensic_cli.errors import UsageError, reason

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_DATE = re.compile(r"\b20\d\d-[01]\d-[0-3]\d\b")


@dataclass(frozen=True)
class TrustList:
    """Trust anchors in PEM, and the words that name the list in a claim."""

    anchors: str
    title: str


def load(path: str) -> TrustList:
    """The certificates of a PEM file. Its date is one that the text around them gives (2026-05-01), else the file's own.

    Raises UsageError if it cannot be read or holds no certificate.
    """
    try:
        text = Path(path).read_text("utf-8", "replace")
        changed = Path(path).stat().st_mtime
    except OSError as error:
        raise UsageError(f"provenance.trust_list: {path} cannot be read ({reason(error)})") from error
    anchors = _CERTIFICATE.findall(text)
    if not anchors:
        raise UsageError(f"provenance.trust_list: {path} holds no certificate; give a PEM file of trust anchors")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata="\n".join(anchors))
    except (ssl.SSLError, ValueError) as error:
        raise UsageError(f"provenance.trust_list: {path} holds a broken certificate ({reason(error)})") from error
    written = _DATE.search(_CERTIFICATE.sub("", text))
    date = written[0] if written else datetime.fromtimestamp(changed, UTC).date().isoformat()
    return TrustList("\n".join(anchors), f"{Path(path).name} of {date}")
