"""Content credentials: signed here, tampered with, kept elsewhere, trusted and not, and what ingredients add."""

import os
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provenance_files import claims, exif, findings, packet, saved
from provenance_signing import Authority, action, authority, ingredient, manifest, sign

from forensic_cli import Claim, Finding, Session
from forensic_cli.errors import UsageError
from forensic_detectors.provenance import Provenance

GENERATED = manifest(action("created", "trainedAlgorithmicMedia", "Model X"))
CAPTURED = manifest(action("created", "digitalCapture"), generator="Camera Y")


@pytest.fixture(scope="module")
def camera() -> Authority:
    return authority("Camera Makers Ltd")


@pytest.fixture(scope="module")
def lab() -> Authority:
    return authority("Model Lab Inc")


@pytest.fixture(scope="module")
def generated(lab) -> bytes:
    return sign(saved("JPEG"), GENERATED, lab)


@pytest.fixture(scope="module")
def captured(camera) -> bytes:
    return sign(saved("JPEG"), CAPTURED, camera)


def anchors(tmp_path, *authorities: Authority, text: str = "") -> str:
    path = tmp_path / "anchors.pem"
    path.write_text(text + "".join(each.root for each in authorities))
    return str(path)


def rows(data: bytes, **options: str) -> list[tuple[str, str]]:
    return [(claim.kind, claim.trust) for claim in claims(data, **options)]


def credentials(data: bytes, **options: str) -> str:
    return next(claim.statement for claim in claims(data, **options) if claim.kind == "credentials")


def test_valid_without_a_trust_list_is_signed(generated):
    assert rows(generated) == [("generated", "signed"), ("credentials", "signed")]
    said = claims(generated)[0]
    assert "a generative model made it" in said.statement
    assert "Model X" in said.statement
    assert said.source == "C2PA manifest, action c2pa.created"
    assert "Model Lab Inc" in credentials(generated)
    assert "no trust list" in credentials(generated)


def test_trust_list_makes_its_signers_trusted_and_is_named_with_its_date(generated, captured, lab, tmp_path):
    path = anchors(tmp_path, lab, text="# a list, as of 2026-05-01\n")
    assert rows(generated, trust_list=path) == [("generated", "trusted"), ("credentials", "trusted")]
    assert "who is on the trust list anchors.pem of 2026-05-01" in credentials(generated, trust_list=path)
    assert rows(captured, trust_list=path) == [("captured", "signed"), ("credentials", "signed")]
    assert "who is not on the trust list anchors.pem of 2026-05-01" in credentials(captured, trust_list=path)


def test_undated_trust_list_has_the_date_of_its_file(generated, lab, tmp_path):
    path = anchors(tmp_path, lab)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert "of 2023-11-14" in credentials(generated, trust_list=path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("no list", "holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds a broken certificate"),
    ],
)
def test_unusable_trust_list_is_refused_at_once(content, words, tmp_path):
    path = tmp_path / "anchors.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=words):
        Provenance(Session(), Provenance.Options(trust_list=path))


def test_signed_camera_file_is_captured_and_not_generated(captured):
    assert rows(captured) == [("captured", "signed"), ("credentials", "signed")]


def test_signed_camera_data_counts_as_captured(camera):
    data = {"@context": {"exif": "http://ns.adobe.com/exif/1.0/"}, "tiff:Make": "Leica", "tiff:Model": "M11-P"}
    more = ({"label": "stds.exif", "data": data},)
    found = claims(sign(saved("JPEG"), manifest(action("created"), more=more), camera))
    assert [claim.kind for claim in found] == ["captured", "credentials"]
    assert "Leica M11-P took it" in found[0].statement


def test_changed_pixels_make_it_invalid(generated, lab, tmp_path):
    tampered = bytearray(generated)
    tampered[-40] ^= 0xFF
    found = claims(bytes(tampered), trust_list=anchors(tmp_path, lab))
    assert {(claim.kind, claim.trust) for claim in found} == {("generated", "invalid"), ("credentials", "invalid")}
    assert "do not hold: the image was changed after it was signed (assertion.dataHash.mismatch)" in found[1].statement


def test_changed_statement_makes_it_invalid(generated):
    tampered = generated.replace(b"trainedAlgorithmicMedia", b"trainedAlgorithmicMedja")
    assert tampered != generated
    assert "a statement was changed after it was signed" in credentials(tampered)
    assert {trust for _, trust in rows(tampered)} == {"invalid"}


def test_manifest_kept_elsewhere_is_named_and_not_fetched(camera):
    data = sign(saved("JPEG"), CAPTURED, camera, remote="https://example.org/manifests/1.c2pa")
    assert rows(data) == [("credentials", "none")]
    assert "https://example.org/manifests/1.c2pa" in credentials(data)
    assert "not fetched" in credentials(data)


@pytest.mark.parametrize("embedded", [False, True])
def test_nothing_is_fetched(embedded, camera):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/1.c2pa"
        data = sign(saved("JPEG"), CAPTURED, camera, remote=address, embed=embedded)
        assert address.encode() in data
        assert any(claim.kind == "credentials" for claim in claims(data))
        with pytest.raises(TimeoutError):
            server.accept()


def test_broken_store_is_there_but_unreadable(generated):
    start = generated.index(b"jumb")
    broken = generated[: start + 4] + b"\0" * 200 + generated[start + 204 :]
    broken = broken.replace(b"c2pa.claim", b"c2pa.clown")
    assert ("credentials", "none") in rows(broken) or ("credentials", "invalid") in rows(broken)


@pytest.mark.parametrize(
    ("kind", "mime"),
    [("PNG", "image/png"), ("WEBP", "image/webp"), ("TIFF", "image/tiff"), ("GIF", "image/gif"), ("AVIF", "image/avif")],
)
def test_other_containers(kind, mime, lab):
    assert rows(sign(saved(kind), GENERATED, lab, mime)) == [("generated", "signed"), ("credentials", "signed")]


def test_edit_with_a_generative_tool_is_edited_only(lab):
    filled = manifest(
        action("created", "digitalCapture"),
        action("edited", "compositeWithTrainedAlgorithmicMedia", "Fill Tool"),
        action("drawing", "trainedAlgorithmicMedia", "Fill Tool"),
    )
    found = rows(sign(saved("JPEG"), filled, lab))
    assert ("edited", "signed") in found
    assert ("captured", "signed") in found
    assert "generated" not in {kind for kind, _ in found}


def test_created_by_a_known_generator_without_source_type(lab, tmp_path):
    path = anchors(tmp_path, lab)
    data = sign(saved("JPEG"), manifest({"action": "c2pa.created", "softwareAgent": "Bing Image Creator"}), lab)
    assert rows(data, trust_list=path) == [("generated", "signed"), ("credentials", "signed")]
    assert "who is on the trust list" in credentials(data, trust_list=path)
    assert "not in the form" in credentials(data, trust_list=path)
    other = sign(saved("JPEG"), manifest({"action": "c2pa.created", "softwareAgent": "Paint Shop"}), lab)
    assert rows(other) == [("credentials", "signed")]


OPENED = manifest(
    {"action": "c2pa.opened", "parameters": {"ingredientIds": ["one"]}}, action("cropped"), generator="Editor"
)


def opened(content: bytes, by: Authority) -> bytes:
    return sign(saved("JPEG"), OPENED, by, ingredients=(ingredient(content),))


def test_parent_that_was_generated(generated, camera):
    edited = opened(generated, camera)
    found = claims(edited)
    assert [(claim.kind, claim.trust) for claim in found] == [("generated", "signed"), ("credentials", "signed")]
    assert "made from an ingredient, “cat.jpg”, that says that a generative model made it" in found[0].statement
    assert rows(opened(edited, camera)) == rows(edited)


def test_parent_from_a_camera_stays_captured(captured, lab):
    assert rows(opened(captured, lab)) == [("captured", "signed"), ("credentials", "signed")]


@pytest.mark.parametrize("relationship", ["componentOf", "inputTo"])
def test_what_went_into_it_only_says_that_it_was_edited(relationship, generated, captured, lab):
    placing = {"action": "c2pa.placed", "parameters": {"ingredientIds": ["one"]}}
    placed = manifest(action("created", "digitalCapture"), placing)
    made_with = {
        content: sign(saved("JPEG"), placed, lab, ingredients=(ingredient(content, relationship),))
        for content in (generated, captured)
    }
    assert [kind for kind, _ in rows(made_with[generated])] == ["edited", "captured", "credentials"]
    assert [kind for kind, _ in rows(made_with[captured])] == ["captured", "credentials"]


def test_ingredient_of_a_stranger_is_not_trusted_through_a_trusted_signer(generated, camera, lab, tmp_path):
    data = opened(generated, camera)
    assert rows(data, trust_list=anchors(tmp_path, camera))[0] == ("generated", "signed")
    assert rows(data, trust_list=anchors(tmp_path, camera, lab))[0] == ("generated", "trusted")
    assert rows(data, trust_list=anchors(tmp_path, lab))[0] == ("generated", "signed")


def test_parent_of_a_part_is_a_part(generated, camera, lab):
    placing = {"action": "c2pa.placed", "parameters": {"ingredientIds": ["one"]}}
    placed = manifest(action("created", "digitalCapture"), placing)
    part = ingredient(opened(generated, camera), "componentOf")
    assert {kind for kind, _ in rows(sign(saved("JPEG"), placed, lab, ingredients=(part,)))} == {
        "edited",
        "captured",
        "credentials",
    }


def test_tampered_ingredient_is_invalid(generated, camera):
    tampered = bytearray(generated)
    tampered[-40] ^= 0xFF
    assert ("generated", "invalid") in rows(opened(bytes(tampered), camera))


@pytest.mark.parametrize(
    "definition",
    [
        manifest(action("created", "trainedAlgorithmicMedia"), action("watermarked")),
        manifest(
            action("created", "trainedAlgorithmicMedia"),
            action("edited", description="Applied imperceptible SynthID watermark."),
        ),
    ],
)
def test_watermark_hint(definition, lab):
    found = claims(sign(saved("JPEG"), definition, lab))
    assert [claim.kind for claim in found].count("unchecked") == 1
    assert any("invisible watermarks" in claim.statement for claim in found)


def test_signed_statement_stands_before_the_unsigned(lab):
    unsigned = saved(
        "JPEG", exif=exif({0x010F: "Canon", 0x0110: "EOS"}), xmp=packet("<xmp:CreatorTool>GIMP</xmp:CreatorTool>")
    )
    assert [kind for kind, _ in rows(sign(unsigned, GENERATED, lab))] == [
        "generated",
        "captured",
        "credentials",
        "software",
    ]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_mutated_stores_never_raise(generated, data):
    mutant = bytearray(generated)
    for _ in range(data.draw(st.integers(1, 6))):
        mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(st.integers(0, 255))
    finding = findings(bytes(mutant[: data.draw(st.integers(len(mutant) // 2, len(mutant)))]))[0]
    assert finding.error is None
    assert all(claim.trust != "trusted" for claim in finding.claims)


def test_what_rests_on_a_signature_is_judged_anew_in_each_scan(generated):
    """A certificate that was valid when a score was stored may have expired since."""
    detector = Provenance(Session())
    assert not detector.lasting(Finding("provenance", claims=tuple(claims(generated))))
    assert detector.lasting(Finding("provenance", claims=(Claim("generated", "x", "y", "declared"),)))
    assert detector.lasting(Finding("provenance"))
