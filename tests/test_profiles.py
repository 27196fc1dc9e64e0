"""A profile says what it was made of, and refuses what it was not made for."""

import json
from dataclasses import replace

import numpy as np
import pytest

from forensic_cli import profiles
from forensic_cli.errors import UsageError
from forensic_cli.profiles import Calibrated, Collection, Profile
from forensic_cli.records import ImageRef, MethodUse

USE = MethodUse("sharp", "forensic-sharp", "1.4.2", {"size": 64, "weights": "a/b"}, ({"source": "a/b", "sha256": "ab"},))


def made(scores=range(400), **changes):
    sample = Collection(400, 2, ("photos/",), {"JPEG": 400}, (200.0, 240.0, 500.0, 4000.0))
    known = Calibrated.of(USE, np.array(scores, float))
    fields = {"forensic": "0.1.0", "made": "2026-01-01T00:00:00+00:00", "command": "forensic", "seed": 0}
    return Profile(
        **{**fields, "device": "cpu", "dtype": "float32", "photographs": sample, "generated": None}
        | changes
        | {"methods": {"sharp": known}}
    )


def test_a_profile_is_read_as_it_was_written(tmp_path):
    profile = made(np.random.default_rng(0).normal(size=400))
    profile.write(tmp_path / "p.json")
    assert profiles.read(tmp_path / "p.json") == replace(profile, source=str(tmp_path / "p.json"))
    assert json.loads((tmp_path / "p.json").read_text())["schema"] == "forensic/calibration/1"


def test_scores_are_kept_in_ascending_order_whatever_the_order_of_the_photographs():
    assert made([3, 1, 2] * 10).methods["sharp"].photographs == tuple(sorted([3.0, 1.0, 2.0] * 10))


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (USE, None),
        (replace(USE, version="1.9"), None),
        (replace(USE, version="2.0"), "made with forensic-sharp 1.4.2, this is 2.0"),
        (replace(USE, weights=({"source": "a/b", "sha256": "cd"},)), "other weights"),
        (replace(USE, options={"size": 128, "weights": "a/b"}), "size=64, not 128"),
        (
            replace(
                USE, options={"size": 64, "weights": "/elsewhere"}, weights=({"source": "/elsewhere", "sha256": "ab"},)
            ),
            None,
        ),
    ],
    ids=["same", "minor version", "major version", "weights", "option", "same weights elsewhere"],
)
def test_what_a_profile_is_refused_for(use, words):
    found = made().methods["sharp"].refusal(use)
    assert found is None if words is None else words in found


def test_a_profile_beside_weights_is_of_them_wherever_they_lie():
    beside = Calibrated.of(USE, np.arange(400.0), beside=True)
    assert (
        beside.refusal(replace(USE, weights=({"source": "/x", "sha256": "zz"},), options={"size": 64, "weights": "/x"}))
        is None
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: row.update(schema="x"), "is no profile of forensic calibrate"),
        (lambda row: row.update(forensic="9.1"), "made with forensic 9.1"),
        (lambda row: row["methods"]["sharp"].update(photographs=[2.0, 1.0]), "not in ascending order"),
        (lambda row: row["methods"]["sharp"].update(photographs=[]), "the scores of sharp are none"),
        (lambda row: row["methods"]["sharp"].update(photographs=["a"]), "photographs[0] is 'a', not a number"),
        (lambda row: row.update(methods=[]), "methods is no object"),
        (lambda row: row.pop("photographs"), "has no 'photographs'"),
    ],
)
def test_what_is_no_profile_is_refused_in_one_line(tmp_path, change, words):
    row = made().to_json()
    change(row)
    (tmp_path / "p.json").write_text(json.dumps(row))
    with pytest.raises(UsageError, match=r"p\.json") as caught:
        profiles.read(tmp_path / "p.json")
    assert words.replace("\\", "") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_so_few_photographs_say_what_they_cannot_promise():
    assert [line.partition(" cannot")[0] for line in made(range(100)).methods["sharp"].limits] == [
        "a false-positive rate of 0.1%",
        "a false-positive rate of 1.0%",
    ]
    assert len(made(range(299)).methods["sharp"].limits) == 1
    assert not made(range(2995)).methods["sharp"].limits


def test_an_image_smaller_than_nearly_all_of_them_is_outside():
    refs = [ImageRef(f"{side}", "00", 1, "JPEG", side, 2 * side) for side in range(100, 300)]
    sample = Collection.of(refs, 0, ["photos/"])
    assert sample.short_side == (100.0, 102.0, 200.0, 299.0)
    assert "short sides there begin at 102" in sample.outside(500, 101)
    assert sample.outside(102, 500) is None
    assert Collection.of([], 0, []).outside(1, 1) is None
