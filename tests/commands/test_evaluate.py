"""`forensic evaluate` as a user types it: small folders of flat grey, and a method that measures how bright they are."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from forensic_cli import images
from forensic_cli.cli import run
from forensic_cli.status import Status
from greys import METHOD, fill


@pytest.fixture
def data(tmp_path):
    """Two generators with photographs of their own, as {generator}/{real,fake}."""
    generator = np.random.default_rng(0)
    for number, name in enumerate(("One", "Two")):
        (tmp_path / "data" / name).mkdir(parents=True)
        fill(tmp_path / "data" / name / "real", generator.normal(90, 25, 30), mark=number)
        fill(tmp_path / "data" / name / "fake", generator.normal(120 + 20 * number, 25, 20), side=34, mark=number)
    return tmp_path / "data"


def evaluated(data, tmp_path, *more, status=Status.DONE):
    out = tmp_path / "results"
    assert run(["evaluate", str(data), *METHOD, "-o", str(out), "--draws", "50", *more]) == status
    found = json.loads((out / "results.json").read_text())
    return found, {(row["transform"], row["generator"]): row for row in found["rows"]}


def scores(tmp_path):
    with open(tmp_path / "results" / "scores.csv") as stream:
        return list(csv.DictReader(stream))


def test_the_numbers_are_those_of_scikit_learn(data, tmp_path, capsys):
    found, rows = evaluated(data, tmp_path)
    assert found["schema"] == "forensic/evaluation/1"
    every = [row for row in scores(tmp_path) if row["transform"] == "none"]
    labels = [row["label"] == "generated" for row in every]
    values = [float(row["score"]) for row in every]
    pooled = rows["none", "(pooled)"]
    assert (pooled["n_real"], pooled["n_generated"], pooled["n_left_out"]) == (60, 40, 0)
    assert pooled["auroc"] == pytest.approx(roc_auc_score(labels, values), abs=1e-12)
    assert pooled["ap"] == pytest.approx(average_precision_score(labels, values), abs=1e-12)
    assert pooled["brier"] == pytest.approx(brier_score_loss(labels, values), abs=1e-12)
    mine = [(label, value) for label, value, row in zip(labels, values, every, strict=True) if "/One/" in row["path"]]
    assert rows["none", "One"]["auroc"] == pytest.approx(roc_auc_score(*zip(*mine, strict=True)), abs=1e-12)
    assert rows["none", "(mean)"]["auroc"] == pytest.approx(
        (rows["none", "One"]["auroc"] + rows["none", "Two"]["auroc"]) / 2
    )
    assert "(pooled)" not in capsys.readouterr().out.split("method")[0]


def test_controls_stand_beside_the_table_and_warn(data, tmp_path, capsys):
    found, _ = evaluated(data, tmp_path)
    dimensions = next(row for row in found["controls"] if row["name"] == "dimensions")
    assert dimensions["auroc"] == 1.0  # 32 against 34 pixels
    assert "can be told apart by dimensions alone" in capsys.readouterr().err


def test_one_more_transform_computes_only_that_and_each_file_is_decoded_once(data, tmp_path, monkeypatch):
    decoded = []
    real = images.decode
    monkeypatch.setattr(images, "decode", lambda content, header: decoded.append(1) or real(content, header))
    evaluated(data, tmp_path, "--transform", "jpeg:90/80/70")
    assert len(decoded) == 100
    evaluated(data, tmp_path, "--transform", "jpeg:90/80/70")
    assert len(decoded) == 100
    _, rows = evaluated(data, tmp_path, "--transform", "jpeg:90/80/70", "--transform", "blur:1")
    assert len(decoded) == 200
    assert {name for name, _ in rows} == {"none", "jpeg:90", "jpeg:80", "jpeg:70", "blur:1"}


def test_a_transform_of_one_class_leaves_the_other_as_it_is(data, tmp_path):
    evaluated(data, tmp_path, "--transform", "noise:0.3@generated")
    by = {(row["path"], row["transform"]): row for row in scores(tmp_path)}
    for (path, transform), row in by.items():
        if transform != "none":
            same = row["score"] == by[path, "none"]["score"]
            assert same == (row["label"] == "photograph")


def test_what_cannot_be_read_or_is_labelled_both_ways_is_left_out_and_told(data, tmp_path, capsys):
    (data / "One" / "real" / "0000.png").write_bytes(b"no image")
    twice = (data / "Two" / "fake" / "0001.png").read_bytes()
    (data / "Two" / "real" / "copy.png").write_bytes(twice)
    (data / "One" / "fake" / "again.png").write_bytes((data / "One" / "fake" / "0002.png").read_bytes())
    found, rows = evaluated(data, tmp_path, status=Status.FAILURES)
    reasons = {Path(one["path"]).name: one["reason"] for one in found["left_out"]}
    assert "labelled both photograph and generated" in reasons["copy.png"]
    assert "the same image as" in reasons["again.png"] or "the same image as" in reasons["0002.png"]
    assert (rows["none", "(pooled)"]["n_real"], rows["none", "(pooled)"]["n_generated"]) == (59, 39)
    assert "0000.png" in capsys.readouterr().err


def test_matched_pairs_are_alike_from_the_outside(data, tmp_path, capsys):
    _, rows = evaluated(data, tmp_path, "--match")
    assert rows["none", "(pooled)"]["n_real"] == rows["none", "(pooled)"]["n_generated"] <= 40
    assert "matched by format and size" in capsys.readouterr().err


def test_a_profile_gives_the_threshold(data, tmp_path):
    photos = fill(tmp_path / "photos", np.random.default_rng(5).normal(90, 25, 100))
    profile = str(tmp_path / "p.json")
    assert run(["calibrate", photos, *METHOD, "-o", profile]) == Status.DONE
    _, rows = evaluated(data, tmp_path, "--calibration", profile, "--fpr", "0.1")
    limit = np.sort([float(row["score"]) for row in scores(tmp_path)])
    assert 0 < rows["none", "(pooled)"]["accuracy_calibrated"] < 1
    assert len(limit) == 100


def test_folders_of_one_class_each(data, tmp_path):
    out = str(tmp_path / "results")
    sides = ["--real", str(data / "One" / "real"), "--fake", str(data / "Two" / "fake")]
    assert run(["evaluate", *sides, *METHOD, "-o", out, "--draws", "50"]) == Status.DONE


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--transform", "jpg:70"], "did you mean jpeg"),
        (["--layout", "genimag"], "did you mean genimage"),
        (["--recipe", "wepe-table"], "did you mean wepe-table"),
        (["--fpr", "0"], "--fpr 0: expected a share"),
        (["--match", "--recipe", "x.toml"], "x.toml"),
    ],
)
def test_what_is_misspelt_is_said_before_the_work(data, tmp_path, capsys, arguments, words):
    methods = [] if "--recipe" in arguments else METHOD
    assert run(["evaluate", str(data), *methods, "-o", str(tmp_path / "r"), *arguments]) == Status.USAGE
    assert words in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_one_class_alone_cannot_be_evaluated(data, tmp_path, capsys):
    assert run(["evaluate", str(data / "One" / "real"), *METHOD, "-o", str(tmp_path / "r")]) == Status.USAGE
    assert "\n" not in capsys.readouterr().err.strip()


@pytest.mark.parametrize("arguments", [["--recipe", "list"], ["--layout", "list"], ["--transform", "list"]])
def test_what_can_be_named_is_listed(capsys, arguments):
    assert run(["evaluate", *arguments]) == Status.DONE
    assert len(capsys.readouterr().out.splitlines()) > 10


def test_statements_are_no_scores(data, tmp_path, capsys):
    assert run(["evaluate", str(data), "-m", "provenance", "-o", str(tmp_path / "r")]) == Status.USAGE
    assert "no method is left that gives a score" in capsys.readouterr().err
