"""Content credentials (C2PA): whether they hold, who signed them, and what they say of the origin. All of it offline."""

import io
import json
from collections.abc import Iterator
from typing import Any

from forensic_cli.errors import UsageError, reason
from forensic_cli.records import Claim
from forensic_detectors.provenance.fields import clean, quoted
from forensic_detectors.provenance.manifests import statements
from forensic_detectors.provenance.trust import TrustList
from forensic_detectors.provenance.validation import Validation, as_dict


class Credentials:
    """Reads manifests with one set of settings. c2pa is imported here and not before: it costs some 70 ms.

    Raises UsageError if c2pa does not take the trust list.
    """

    def __init__(self, trusted: TrustList | None) -> None:
        import c2pa

        self._c2pa = c2pa
        self._trusted = trusted
        settings: dict[str, Any] = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
        if trusted:
            settings["trust"] = {"trust_anchors": trusted.anchors}
        try:
            self._context = c2pa.Context.from_dict(settings)
        except c2pa.C2paError as error:
            title = trusted.title if trusted else "the default settings"
            raise UsageError(f"provenance.trust_list: {title} is not accepted ({reason(error)})") from error

    def claims(self, data: bytes, mime: str, place: str) -> Iterator[Claim]:
        """The state of the manifest store that stands at `place`, then what its manifests say."""
        try:
            with self._c2pa.Reader(mime, io.BytesIO(data), context=self._context) as reader:
                store = json.loads(reader.json())
        except (self._c2pa.C2paError, ValueError) as error:
            why = clean(str(error).partition(": ")[2] or error, 120)
            yield Claim("credentials", f"content credentials are there, but cannot be read: {why}", place, "none")
            return
        checked = Validation(store)
        yield Claim("credentials", self._state(store, checked), f"C2PA manifest, {place}", checked.trust)
        yield from statements(store, checked)

    def _state(self, store: dict[str, Any], checked: Validation) -> str:
        if checked.trust == "invalid":
            return f"content credentials do not hold: {checked.failure}"
        active = as_dict(as_dict(store.get("manifests")).get(str(store.get("active_manifest"))))
        signature = as_dict(active.get("signature_info"))
        name = quoted(signature.get("issuer") or signature.get("common_name") or "nobody")
        when = f" on {clean(signature['time'])[:10]}" if signature.get("time") else ""
        who = f"signed{when} in the name of {name}"
        if self._trusted:
            standing = f"who is {'' if checked.listed else 'not '}on the trust list {self._trusted.title}"
        else:
            standing = "whom no trust list vouches for"
        doubt = f"; {checked.doubt}" if checked.doubt else ""
        return f"content credentials hold, {who}, {standing}{doubt}"


def remote(address: str, place: str) -> Claim:
    """Credentials that are kept on a server."""
    words = f"content credentials are kept at {quoted(address, 120)}; they were not fetched"
    return Claim("credentials", words, place, "none")
