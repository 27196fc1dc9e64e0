"""`forensic calibrate` and the verdicts of a scan that rest on it, as a user types them."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from forensic_cli import profiles
from forensic_cli.cli import run
from forensic_cli.status import Status
from greys import BRIGHT, METHOD, fill


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """400 photographs of normal brightness, 100 generated ones that are brighter, and a profile of both."""
    folder = tmp_path_factory.mktemp("calibration")
    generator = np.random.default_rng(0)
    photos = fill(folder / "photos", generator.normal(90, 20, 400))
    generated = fill(folder / "generated", generator.normal(150, 20, 100))
    profile = str(folder / "profile.json")
    command = [
        "calibrate",
        photos,
        *METHOD,
        "-o",
        profile,
        "--generated",
        generated,
        "--plots",
        str(folder / "plots"),
        "--no-store",
    ]
    assert run(command) == Status.DONE
    return folder


def report(arguments, tmp_path):
    out = tmp_path / "r.json"
    assert run(["scan", *arguments, *METHOD, "--no-store", "-o", str(out)]) == Status.DONE
    return json.loads(out.read_text())


def test_the_profile_says_what_it_was_made_of(made):
    profile = profiles.read(made / "profile.json")
    assert (profile.photographs.number, profile.generated.number) == (400, 100)
    assert profile.photographs.formats == {"PNG": 400}
    one = profile.methods["brightness"]
    assert 0 < one.likelihood["cllr_min"] <= one.likelihood["cllr"] < 0.6
    assert [limit["fpr"] for limit in one.thresholds] == [0.001, 0.01, 0.05, 0.1]
    assert "2,995 are needed" in one.limits[0]
    pictures = {path.name for path in (made / "plots").iterdir()}
    assert pictures == {f"brightness-{name}.{suffix}" for name in ("scores", "tippett", "ece") for suffix in ("png", "svg")}


def test_the_measured_false_positive_rate_lies_in_the_stated_interval(made, tmp_path):
    others = fill(tmp_path / "others", np.random.default_rng(1).normal(90, 20, 300))
    found = report([others, "--calibration", str(made / "profile.json"), "--fpr", "0.05"], tmp_path)
    limit = found["run"]["calibration"]["methods"]["brightness"]["threshold"]
    over = sum(row["findings"][0]["score"] > limit for row in found["files"])
    measured = binomtest(over, 300).proportion_ci(0.95, "exact")
    low, high = profiles.read(made / "profile.json").methods["brightness"].thresholds[2]["share_interval"]
    assert measured.low <= high
    assert low <= measured.high
    assert found["summary"]["generated"] <= over


def test_bright_images_are_called_generated_with_their_numbers(made, tmp_path):
    more = fill(tmp_path / "more", [250, 60])
    found = report([more, "--calibration", str(made / "profile.json")], tmp_path)
    bright, dark = found["files"]
    assert bright["verdict"]["label"] == bright["findings"][0]["verdict"] == "generated"
    assert bright["verdict"]["p_value"] == pytest.approx(1 / 401)
    assert bright["verdict"]["q_value"] == pytest.approx(2 / 401)
    assert bright["verdict"]["llr"] > 1 > 0 > dark["verdict"]["llr"]
    assert (dark["verdict"]["label"], dark["verdict"]["basis"]) == ("unflagged", "scores")
    assert found["run"]["calibration"]["fpr"] == 0.05
    assert found["run"]["calibration"]["recall"] > 0.5
    assert (found["summary"]["generated"], found["summary"]["unflagged"]) == (1, 1)


def test_with_a_rate_of_false_discoveries_rows_wait_for_all_of_them(made, tmp_path, capsysbinary):
    more = fill(tmp_path / "more", [250] * 5 + list(range(40, 90)))
    assert (
        run(["scan", more, *METHOD, "--no-store", "--calibration", str(made / "profile.json"), "--fdr", "0.1"])
        == Status.DONE
    )
    rows = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [row["verdict"]["label"] for row in rows[:5]] == ["generated"] * 5
    assert {row["verdict"]["label"] for row in rows[5:]} == {"unflagged"}
    assert all(row["verdict"]["q_value"] <= 0.1 for row in rows[:5])


def test_stability_tells_the_range_and_a_verdict_that_flips_is_none(made, tmp_path):
    more = fill(tmp_path / "more", [250, 60])
    found = report([more, "--calibration", str(made / "profile.json"), "--stability"], tmp_path)
    for row in found["files"]:
        finding = row["findings"][0]
        assert finding["stability"]["low"] <= finding["score"] <= finding["stability"]["high"]
        assert finding["stability"]["versions"] == 5
    assert [row["verdict"]["label"] for row in found["files"]] == ["generated", "unflagged"]


def test_a_small_image_is_outside_of_what_was_calibrated(made, tmp_path):
    more = fill(tmp_path / "more", [250], side=16)
    (row,) = report([more, "--calibration", str(made / "profile.json")], tmp_path)["files"]
    assert row["verdict"]["label"] == "inconclusive"
    assert "smaller than what was calibrated: 16 x 16" in row["verdict"]["reason"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fpr", "2"], "--fpr 2: expected a share between 0 and 1"),
        (["--fdr", "0"], "--fdr 0: expected a share"),
        (["--calibration", "nowhere.json"], "the profile nowhere.json cannot be read"),
        (["--calibration", BRIGHT], "cannot be read"),
        (["--fdr", "0.1"], "--fdr needs a calibrated method"),
    ],
)
def test_what_cannot_be_judged_is_said_before_any_image_is_read(tmp_path, capsys, arguments, words):
    folder = fill(tmp_path / "some", [1])
    assert run(["scan", folder, *METHOD, "--no-store", *arguments]) == Status.USAGE
    assert words in capsys.readouterr().err


def test_a_profile_of_another_method_is_refused(made, photo_folder, capsys):
    assert (
        run(["scan", str(photo_folder), "-m", "commfor.lite", "--calibration", str(made / "profile.json")]) == Status.USAGE
    )
    assert "is of brightness, which this scan does not run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-m", "provenance"], "makes statements, there are no scores to calibrate"),
        ([*METHOD], "scored 3 photographs: 10 at least are needed"),
        ([*METHOD, "-o", "x.txt"], "a profile is a .json file"),
    ],
)
def test_what_cannot_be_calibrated(tmp_path, capsys, arguments, words):
    folder = fill(tmp_path / "few", [1, 2, 3])
    out = [] if "-o" in arguments else ["-o", str(tmp_path / "p.json")]
    assert run(["calibrate", folder, "--no-store", *arguments, *out]) == Status.USAGE
    assert words in capsys.readouterr().err


def test_copies_unreadable_files_and_what_says_it_is_generated_do_not_count(tmp_path, capsys):
    folder = Path(fill(tmp_path / "photos", range(40, 60)))
    (folder / "copy.png").write_bytes((folder / "0003.png").read_bytes())
    (folder / "broken.png").write_bytes((folder / "0003.png").read_bytes()[:70])
    assert run(["calibrate", str(folder), "--no-store", *METHOD, "-o", str(tmp_path / "p.json")]) == Status.FAILURES
    sample = profiles.read(tmp_path / "p.json").photographs
    assert (sample.number, sample.left_out) == (20, 2)
    assert "the same content as another file" in capsys.readouterr().err


def test_the_default_scan_has_verdicts(photo_folder, tmp_path, capsys):
    assert run(["scan", str(photo_folder), "-o", str(tmp_path / "r.json")]) == Status.DONE
    found = json.loads((tmp_path / "r.json").read_text())
    known = found["run"]["calibration"]["methods"]["probe"]
    assert known["source"] == "probe's own"
    assert known["photographs"] >= 300
    assert all(row["verdict"]["label"] in ("generated", "inconclusive", "unflagged") for row in found["files"])
