"""What c2pa's validation of a manifest store comes to: how far to trust it, and what is wrong with it, in plain words."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from forensic_cli.records import Trust
from forensic_detectors.provenance.fields import clean

_Codes = set[tuple[str, bool]]  # a code, and whether it stands for a failure

_TRUSTED = ("signingCredential.trusted", False)
_UNTRUSTED = ("signingCredential.untrusted", True)
_SIGNATURE_HOLDS = ("claimSignature.validated", False)

# Failures of the signer or of form. What was signed is unchanged all the same: early certificates of large vendors and
# manifests of lenient programs fail these checks, and that is no sign of tampering.
_NO_TAMPERING = frozenset(
    {
        "signingCredential.untrusted",
        "signingCredential.invalid",
        "signingCredential.expired",
        "claimSignature.outsideValidity",
        "assertion.action.malformed",
    }
)
_REASONS = {
    "assertion.dataHash.mismatch": "the image was changed after it was signed",
    "assertion.bmffHash.mismatch": "the image was changed after it was signed",
    "assertion.boxesHash.mismatch": "the image was changed after it was signed",
    "assertion.hashedURI.mismatch": "a statement was changed after it was signed",
    "assertion.action.malformed": "a statement is not in the form that the standard demands",
    "assertion.missing": "a statement is missing",
    "claim.missing": "the signed list of statements is missing",
    "claim.hardBindings.missing": "nothing ties them to this image",
    "claimSignature.missing": "the signature is missing",
    "claimSignature.mismatch": "the signature does not match",
    "claimSignature.outsideValidity": "the certificate was not valid at the time of signing",
    "signingCredential.invalid": "the certificate is not one for content credentials",
    "signingCredential.expired": "the certificate had expired",
    "signingCredential.ocsp.revoked": "the certificate was revoked",
    "ingredient.manifest.mismatch": "the credentials of an ingredient were changed",
    "ingredient.manifest.missing": "the credentials of an ingredient are missing",
    "algorithm.unsupported": "they use an algorithm that is not supported",
}


def as_dict(value: object) -> dict[str, Any]:
    """`value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_dicts(value: object) -> list[dict[str, Any]]:
    """The JSON objects in a JSON array; none if it is no array."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


class Validation:
    """Reads the JSON that c2pa gives for a manifest store."""

    def __init__(self, store: dict[str, Any]) -> None:
        self._store = store
        self._results = as_dict(store.get("validation_results"))

    @cached_property
    def trust(self) -> Trust:
        """Of the active manifest. "invalid" only if the signature or what was signed does not match."""
        states: dict[Any, Trust] = {"Trusted": "trusted", "Valid": "signed"}
        state = states.get(self._store.get("validation_state"))
        if state:
            return state
        return "signed" if _SIGNATURE_HOLDS in self._active and not self._failures() else "invalid"

    @property
    def listed(self) -> bool:
        """Whether the active manifest's signer is on the trust list."""
        return _TRUSTED in self._active and _UNTRUSTED not in self._active

    @property
    def failure(self) -> str:
        """The first reason why the credentials do not hold, with its code."""
        for entry in self._failures():
            return _words(entry)
        return "the signature could not be checked"

    @property
    def doubt(self) -> str:
        """What else is wrong, beyond the signer's not being on a trust list; empty if nothing is."""
        for entry in self._statuses():
            if entry.get("code") in _NO_TAMPERING and entry.get("code") != _UNTRUSTED[0]:
                return _words(entry)
        return ""

    def trust_of(self, label: str) -> Trust:
        """Of the manifest of an ingredient: never more than the active manifest's, whose signer vouches for it."""
        now = _about(label, self._now)
        then = _about(label, self._then)
        if self.trust == "invalid" or any(failed and code not in _NO_TAMPERING for code, failed in now | then):
            return "invalid"
        decisive = now if {_TRUSTED, _UNTRUSTED} & now else then  # only what has changed since is said again
        return self.trust if _TRUSTED in decisive and _UNTRUSTED not in decisive else "signed"

    @cached_property
    def _active(self) -> _Codes:
        return {(code, failed) for code, _, failed in _codes(as_dict(self._results.get("activeManifest")))}

    def _statuses(self) -> list[dict[str, Any]]:
        return as_dicts(self._store.get("validation_status"))

    def _failures(self) -> list[dict[str, Any]]:
        return [entry for entry in self._statuses() if entry.get("code") not in _NO_TAMPERING]

    @cached_property
    def _now(self) -> list[tuple[str, str, bool]]:
        """What is known of ingredients by now that was not when they were added."""
        deltas = as_dicts(self._results.get("ingredientDeltas"))
        return [code for delta in deltas for code in _codes(as_dict(delta.get("validationDeltas")))]

    @cached_property
    def _then(self) -> list[tuple[str, str, bool]]:
        """What was recorded of ingredients when they were added."""
        found: list[tuple[str, str, bool]] = []
        for manifest in as_dict(self._store.get("manifests")).values():
            for ingredient in as_dicts(as_dict(manifest).get("ingredients")):
                found += _codes(as_dict(as_dict(ingredient.get("validation_results")).get("activeManifest")))
                found += _codes({"failure": ingredient.get("validation_status")})
        return found


def _about(label: str, codes: list[tuple[str, str, bool]]) -> _Codes:
    return {(code, failed) for code, address, failed in codes if label in address}


def _codes(group: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """(code, address of what it is about, whether it is a failure)"""
    for kind in ("success", "failure"):
        for entry in as_dicts(group.get(kind)):
            yield str(entry.get("code")), str(entry.get("url")), kind == "failure"


def _words(entry: dict[str, Any]) -> str:
    code = clean(entry.get("code", ""))
    return f"{_REASONS.get(code) or clean(entry.get('explanation') or 'unknown reason', 120)} ({code})"
