"""The detector as the host sees it: its promises, its order of claims, and what it leaves alone."""

import json
import subprocess
import sys

import pytest
from provenance_files import AI, claims, findings, jpeg_exif, kinds, packet, png_text, saved

from forensic_cli import Claim, Detector, Session
from forensic_cli.contract import check
from forensic_cli.records import Finding
from forensic_cli.shapes import shaped
from forensic_detectors import provenance
from forensic_detectors.provenance import Provenance, ordered


def test_keeps_the_promises_of_every_detector():
    check(Provenance)


def test_registers_under_its_own_name():
    found: dict[str, type[Detector]] = {}
    provenance.register_detectors(found.__setitem__)
    assert found == {"provenance": Provenance}


def test_one_finding_per_file_in_order_and_ready_for_json():
    files = (
        saved("PNG"),
        png_text(AIGC='{"Label": "1", "ProduceID": "7"}'),
        b"",
        saved("BMP"),
        jpeg_exif({0x0110: "X100"}),
    )
    found = findings(*files)
    assert [len(finding.claims) for finding in found] == [0, 1, 0, 0, 1]
    for finding in found:
        assert finding.score is None
        assert finding.error is None
        assert finding.seconds is not None
        assert finding.seconds >= 0
        assert shaped(Finding, json.loads(json.dumps(finding.to_json()))) == finding


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF", "BMP"])
def test_photographs_without_metadata_claim_nothing(kind, photographs, tmp_path):
    for picture in photographs:
        path = tmp_path / f"photograph.{kind.lower()}"
        picture.save(path, kind)
        assert claims(path.read_bytes()) == ()


def test_photographs_as_scikit_learn_ships_them_claim_no_generation():
    from pathlib import Path

    import sklearn.datasets

    files = sorted((Path(sklearn.datasets.__file__).parent / "images").glob("*.jpg"))
    assert len(files) == 2
    for path in files:
        assert kinds(path.read_bytes()) <= {"captured", "software"}


def test_one_file_that_defeats_the_readers_has_an_error_and_no_claims(monkeypatch):
    bad = saved("PNG")
    read = provenance.containers.read

    def fail(data: bytes) -> provenance.containers.Contents:
        if data == bad:
            raise IndexError("a bug")
        return read(data)

    monkeypatch.setattr(provenance.containers, "read", fail)
    first, second = findings(bad, jpeg_exif({0x0110: "X100"}))
    assert first.error == "IndexError: a bug"
    assert first.claims == ()
    assert second.error is None
    assert len(second.claims) == 1


def test_origin_first_then_trust_and_each_statement_once():
    rows = [
        Claim("software", "a", "1", "declared"),
        Claim("generated", "b", "2", "invalid"),
        Claim("captured", "c", "3", "signed"),
        Claim("credentials", "d", "4", "trusted"),
        Claim("generated", "e", "5", "declared"),
        Claim("generated", "e", "6", "declared"),
        Claim("generated", "e", "5", "declared"),
    ]
    found = ordered(rows)
    assert [claim.statement for claim in found] == ["c", "e", "b", "d", "a"]
    assert found[1].source == "5; 6"


def test_the_same_statement_in_two_packets_is_one_claim_with_both_places():
    xmp = packet(attributes=f'Iptc4xmpExt:DigitalSourceType="{AI}"')
    found = claims(saved("JPEG", xmp=xmp) + xmp)
    assert len(found) == 1
    assert found[0].source.count("XMP packet") == 2


def test_c2pa_is_imported_only_for_files_with_credentials():
    code = (
        "import sys; from forensic_cli import Batch, Session; from forensic_detectors.provenance import Provenance\n"
        "d = Provenance(Session()); d.examine(Batch(d.session, [None], contents=[sys.stdin.buffer.read()]))\n"
        "assert 'c2pa' not in sys.modules and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], input=jpeg_exif({0x0110: "X100"}), check=True, timeout=60)


def test_tells_a_layperson_what_it_does_and_names_its_standards():
    detector = Provenance(Session())
    assert detector.looks_at == "file"
    assert (detector.__doc__ or "").startswith("Reads what the file says about how it was made")
    assert all(word in detector.paper for word in ("C2PA", "IPTC", "GB 45438"))
