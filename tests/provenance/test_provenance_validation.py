"""What the results of c2pa come to, for stores that cannot be signed here."""

from forensic_detectors.provenance.manifests import statements
from forensic_detectors.provenance.validation import Validation


def test_early_certificates_and_lists_of_actions():
    """Microsoft's manifests of 2023: a certificate without the right purpose, and actions as a bare list."""
    address = "self#jumbf=/c2pa/urn:uuid:1/c2pa.signature"
    created = {"action": "c2pa.created", "softwareAgent": "Bing Image Creator", "description": "AI Generated Image"}
    failures = [{"code": f"signingCredential.{word}", "url": address} for word in ("untrusted", "invalid")]
    success = [{"code": "claimSignature.validated", "url": address}, {"code": "assertion.boxesHash.match", "url": address}]
    store = {
        "active_manifest": "urn:uuid:1",
        "manifests": {"urn:uuid:1": {"assertions": [{"label": "actions", "data": [created]}]}},
        "validation_status": failures,
        "validation_results": {"activeManifest": {"success": success, "failure": failures}},
        "validation_state": "Invalid",
    }
    checked = Validation(store)
    assert checked.trust == "signed"
    assert "not one for content credentials" in checked.doubt
    assert [(claim.kind, claim.trust) for claim in statements(store, checked)] == [("generated", "signed")]
    store["validation_status"] = [*failures, {"code": "assertion.boxesHash.mismatch"}]
    assert Validation(store).trust == "invalid"
    store["validation_status"] = failures
    store["validation_results"]["activeManifest"]["success"] = success[1:]
    assert Validation(store).trust == "invalid"


def test_ingredient_whose_signer_was_not_checked_is_not_trusted():
    ingredient_row = {"active_manifest": "urn:uuid:2", "relationship": "parentOf", "validation_results": {}}
    store = {
        "active_manifest": "urn:uuid:1",
        "manifests": {"urn:uuid:1": {"ingredients": [ingredient_row]}, "urn:uuid:2": {}},
        "validation_state": "Trusted",
    }
    assert Validation(store).trust == "trusted"
    assert Validation(store).trust_of("urn:uuid:2") == "signed"
