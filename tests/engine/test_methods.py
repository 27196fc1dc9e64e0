"""A stored score is used again only where nothing changed that it depends on."""

from dataclasses import dataclass
from typing import Annotated

import pytest

from forensic_cli import records
from forensic_cli.detector import Detector, Session
from forensic_cli.engine import methods
from forensic_cli.entries import Entry
from forensic_cli.errors import PluginError, UsageError, WeightsError
from forensic_cli.plugins import Offer, Plugins


class Mine(Detector):
    """A detector."""

    libraries = ("pluggy", "no-such-distribution")

    @dataclass(frozen=True)
    class Options:
        weights: Annotated[records.Weights, "w"] = records.Weights("no/such-repository")
        size: int = 3


ENTRY = Entry("forensic.detectors", "mine", "mine", "mine-dist", "1")


def prepared(folder, session=None, entry=ENTRY, **settings):
    settings = {"weights": str(folder), **settings}
    (one,) = methods.prepare([Offer("mine", Mine, entry)], {"mine": settings}, session or Session())
    return one


@pytest.fixture
def weights(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"1234")
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def test_the_key_stays_where_nothing_changed(weights):
    assert prepared(weights).key == prepared(weights, Session(device="cpu")).key


def test_the_key_changes_with_everything_a_score_depends_on(weights):
    keys = [
        prepared(weights).key,
        prepared(weights, size="4").key,
        prepared(weights, Session(seed=1)).key,
        prepared(weights, Session(dtype="bfloat16")).key,
        prepared(weights, Session(device="cuda:0")).key,
        prepared(weights, entry=Entry("forensic.detectors", "mine", "mine", "mine-dist", "2")).key,
    ]
    (weights / "model.safetensors").write_bytes(b"12345")
    keys.append(prepared(weights).key)
    assert len(set(keys)) == len(keys)


def test_cards_of_one_kind_share_scores(weights):
    assert prepared(weights, Session(device="cuda:0")).key == prepared(weights, Session(device="cuda:1")).key


def test_the_run_record_names_weights_and_libraries(weights):
    one = prepared(weights)
    assert one.use.weights[0]["source"] == str(weights)
    assert len(one.use.weights[0]["sha256"]) == 64
    assert methods.libraries([one])["no-such-distribution"] == "absent"


def test_a_method_without_weights_is_kept_with_its_error(weights):
    offers = [Offer("mine", Mine, ENTRY), Offer("other", Mine, ENTRY)]
    settings = {"mine": {"weights": "/no/such/folder"}, "other": {"weights": str(weights)}}
    first, second = methods.prepare(offers, settings, Session())
    assert "/no/such/folder" in first.error
    assert second.error is None


def test_no_method_left_is_an_error():
    with pytest.raises(WeightsError, match=r"mine: .*/no/such/folder"):
        methods.prepare([Offer("mine", Mine, ENTRY)], {"mine": {"weights": "/no/such/folder"}}, Session())


def test_a_detector_that_cannot_be_made_is_blamed(weights):
    class Broken(Mine):
        def __init__(self, session, options):
            raise RuntimeError("no luck")

    with pytest.raises(PluginError, match=r"mine-dist 1 \[mine\]: RuntimeError: no luck"):
        methods.prepare([Offer("mine", Broken, ENTRY)], {"mine": {"weights": str(weights)}}, Session())


def test_names_are_taken_once_and_in_order():
    names = [offer.name for offer in methods.offers(["rigid", "provenance", "rigid"], Plugins(), {})]
    assert names == ["rigid", "provenance"]


def test_settings_of_a_method_that_does_not_run_are_a_mistake():
    with pytest.raises(UsageError, match=r"'weep', which is not among the methods of this scan; did you mean wepe\?"):
        methods.offers(["provenance"], Plugins(), {"weep": {"size": "1"}})


def test_the_key_changes_with_any_file_of_the_plugins_package(tmp_path, monkeypatch):
    package = tmp_path / "pk"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "maths.py").write_text("VALUE = 1.0\n")
    (package / "detector.py").write_text("from forensic_cli import Detector\nclass D(Detector):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    import pk.detector

    def key():
        return methods.prepare([Offer("pk", pk.detector.D, ENTRY)], {}, Session())[0].key

    before = key()
    assert key() == before
    (package / "maths.py").write_text("VALUE = 2.0\n")
    assert key() != before
