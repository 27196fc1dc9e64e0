"""`forensic scan --heatmaps DIR` as a user types it."""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from forensic_cli.cli import run
from forensic_cli.status import Status

PLUGIN = """
import numpy as np
from forensic_cli import Detector, hookimpl

class Spot(Detector):
    '''The brightest spot speaks for generated, the darkest for a photograph.'''
    def score(self, batch):
        with open({log!r}, "a") as log:
            for ref in batch.refs:
                print(ref.sha256, file=log)
        return [float(image.mean()) / 100 for image in batch.images]
    def heatmaps(self, batch):
        maps = [image[::10, ::10].mean(axis=2).astype(np.float32) / 16 - 8 for image in batch.images]
        {trouble}
        return maps

class Plain(Detector):
    '''Shows nothing.'''
    def score(self, batch):
        return [float(image.std()) for image in batch.images]

@hookimpl
def register_detectors(register):
    register("spot", Spot)
    register("spot.plain", Plain)
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Writes the plugin, with some trouble in its heatmaps, and stays in the folder of the test."""
    monkeypatch.chdir(tmp_path)

    def written(trouble="pass"):
        path = tmp_path / "spot.py"
        path.write_text(PLUGIN.format(log=str(tmp_path / "log"), trouble=trouble))
        return ["--plugin", str(path)]

    return written


def looked_at(tmp_path):
    """How many images the detector saw since it was asked last."""
    log = tmp_path / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return len(lines)


def rows(path):
    return json.loads(Path(path).read_text())["files"]


def spots(path):
    return [finding for row in rows(path) for finding in row["findings"] if finding["method"] == "spot"]


def test_pictures_and_their_names_in_every_report(plugin, photo_folder, tmp_path, capfd):
    outputs = [part for suffix in ("json", "jsonl", "csv", "parquet") for part in ("-o", f"r.{suffix}")]
    command = ["scan", "photos", *plugin(), "-m", "spot.plain,spot", "--heatmaps", "maps"]
    assert run([*command, *outputs]) == Status.DONE
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "forensic: spot.plain shows no heatmap"
    assert "forensic: 6 heatmaps in maps" in lines
    names = [finding["heatmap"] for finding in spots("r.json")]
    assert sorted(names) == sorted(f"maps/{one.name}" for one in (tmp_path / "maps").iterdir())
    for row in rows("r.json"):
        plain, spot = row["findings"]
        assert plain["heatmap"] is None
        assert spot["heatmap"] == f"maps/{Path(row['path']).stem}_spot_{row['sha256'][:8]}.png"
        with Image.open(spot["heatmap"]) as picture, Image.open(row["path"]) as photograph:
            assert picture.width == photograph.width
            assert picture.text["score"] == repr(spot["score"])
            assert picture.text["sha256"] == row["sha256"]
            pixels = np.asarray(picture).astype(int)[: photograph.height]
            bright = np.asarray(photograph.convert("L").resize((16, 16)).resize(photograph.size)).astype(int)
        red = pixels[..., 0] - pixels[..., 2]
        assert np.corrcoef(red.ravel(), bright.ravel())[0, 1] > 0.7
    with open("r.csv", newline="") as table:
        assert [row["spot_heatmap"] for row in csv.DictReader(table)] == names
    lines = Path("r.jsonl").read_text().splitlines()
    assert [json.loads(line)["findings"][1]["heatmap"] for line in lines] == names
    import pyarrow.parquet

    table = pyarrow.parquet.read_table("r.parquet").to_pylist()
    assert [row["findings"][1]["heatmap"] for row in table] == names


def test_the_store_knows_scores_but_no_pictures(plugin, photo_folder, tmp_path, capfd):
    """A stored score is not enough for a picture; a score found beside a picture is enough for the next scan."""
    command = ["scan", "photos", *plugin(), "-m", "spot,spot.plain"]
    reports = []
    for number, more in enumerate([[], ["--heatmaps", "maps"], ["--heatmaps", "maps"], []]):
        assert run([*command, *more, "-o", f"{number}.json"]) == Status.DONE
        reports.append(json.loads(Path(f"{number}.json").read_text()))
    assert looked_at(tmp_path) == 6 * 3
    assert [report["summary"]["from_store"] for report in reports] == [0, 0, 0, 6]
    first, drawn, again, last = ([row["findings"] for row in report["files"]] for report in reports)
    for findings in zip(first, drawn, again, last, strict=True):
        assert len({one["score"] for one, _ in findings}) == 1
        assert [one["heatmap"] is None for one, _ in findings] == [True, False, False, True]
        assert len({str(plain) for _, plain in findings}) == 1  # with its seconds: it was computed once


def test_the_same_scan_again_replaces_the_pictures(plugin, photo_folder, tmp_path):
    command = ["scan", "photos", *plugin(), "-m", "spot", "--heatmaps", "maps", "-o", "r.json"]
    run(command)
    before = {one.name: one.read_bytes() for one in (tmp_path / "maps").iterdir()}
    for one in (tmp_path / "maps").iterdir():
        one.write_bytes(b"half a pict")
    assert run([*command, "--batch-size", "1"]) == Status.DONE
    assert {one.name: one.read_bytes() for one in (tmp_path / "maps").iterdir()} == before


def test_equal_bytes_share_a_score_and_may_share_a_picture(plugin, photo_folder, tmp_path):
    shutil.copy("photos/photo_0.jpg", "photos/another.jpg")
    (tmp_path / "other").mkdir()
    Image.open("photos/photo_1.jpg").save("other/photo_0.jpg")
    assert run(["scan", "photos", "other", *plugin(), "-m", "spot", "--heatmaps", "maps", "-o", "r.json"]) == Status.DONE
    named = {row["path"]: row["findings"][0]["heatmap"] for row in rows("r.json")}
    assert named["photos/photo_0.jpg"] != named["other/photo_0.jpg"]
    assert all(Path(one).is_file() for one in named.values())


@pytest.mark.parametrize("strict", [False, True])
def test_a_heatmap_that_fails_keeps_the_score(plugin, photo_folder, tmp_path, capfd, strict):
    """It is an error of that file and method; the score is stored all the same, but not the error."""
    trouble = "if any(image.shape[1] == 480 for image in batch.images): raise ValueError('too odd')"
    command = ["scan", "photos", *plugin(trouble), "-m", "spot"]
    status = run([*command, "--heatmaps", "maps", "-o", "r.json", *["--strict"] * strict])
    assert status == Status.FAILURES
    err = capfd.readouterr().err
    assert "heatmap: ValueError: too odd" in err
    if strict:
        assert "--strict stops at the first failure" in err
        return
    assert all(finding["score"] for finding in spots("r.json"))
    assert [finding["error"] for finding in spots("r.json") if finding["error"]] == ["heatmap: ValueError: too odd"]
    assert json.loads(Path("r.json").read_text())["summary"]["failed"] == 1
    assert len(list((tmp_path / "maps").iterdir())) == 5
    assert run([*command, "-o", "again.json"]) == Status.DONE
    assert json.loads(Path("again.json").read_text())["summary"]["from_store"] == 6


def test_the_table_shows_the_score_beside_the_failure(plugin, photo_folder, capfd):
    trouble = "raise ValueError('too odd')"
    run(["scan", "photos/photo_0.jpg", *plugin(trouble), "-m", "spot", "--heatmaps", "maps", "-f", "table"])
    out = capfd.readouterr().out
    assert "spot on 1 image: heatmap: ValueError: too odd" in out
    assert " failed" not in out.splitlines()[3]
    assert "#1" in out or "1." in out


def test_a_folder_that_vanishes_on_the_way(plugin, photo_folder, capfd):
    trouble = "import shutil; shutil.rmtree('maps', ignore_errors=True)"
    status = run(["scan", "photos", *plugin(trouble), "-m", "spot", "--heatmaps", "maps", "-o", "r.json"])
    assert status == Status.FAILURES
    assert {finding["error"] for finding in spots("r.json")} == {
        "heatmap: there is no folder maps: make it first, or name another place"
    }
    err = capfd.readouterr().err
    assert err.count("there is no folder") == 1
    assert "6 files: spot: heatmap: there is no folder maps" in err
    assert all(finding["score"] for finding in spots("r.json"))


@pytest.mark.parametrize(
    ("folder", "methods", "words"),
    [
        ("maps", "spot.plain", "spot.plain shows no heatmap: name a method that does with --methods"),
        ("maps", "spot.plain,provenance", "spot.plain, provenance show no heatmaps"),
        ("file", "spot", "--heatmaps file is a file: name a folder"),
        ("no/maps", "spot", "--heatmaps no/maps: there is no folder no: make it first"),
        ("photos", "spot", "--heatmaps photos is itself scanned: name another folder"),
        ("./photos/more/..", "spot", "is itself scanned"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_read(plugin, photo_folder, tmp_path, capfd, folder, methods, words):
    Path("file").touch()
    status = run(["scan", "photos", *plugin(), "-m", methods, "--heatmaps", folder, "-o", "r.json"])
    assert status == Status.USAGE
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert words in err
    assert not looked_at(tmp_path)
    assert not Path("maps").exists()
    assert not Path("r.json").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(plugin, photo_folder, tmp_path, capfd):
    (tmp_path / "maps").mkdir(mode=0o500)
    assert run(["scan", "photos", *plugin(), "-m", "spot", "--heatmaps", "maps"]) == Status.USAGE
    assert "no permission to write there" in capfd.readouterr().err


def test_pictures_inside_what_is_scanned_are_not_scanned_in_turn(plugin, photo_folder, tmp_path):
    command = ["scan", ".", *plugin(), "-m", "spot", "--heatmaps", "./maps", "--no-store"]
    for number in range(2):
        assert run([*command, "-o", f"r{number}.jsonl"]) == Status.DONE
        assert len(list((tmp_path / "maps").iterdir())) == 6
    skipped = [json.loads(line) for line in Path("r1.jsonl").read_text().splitlines()]
    reasons = [row["reason"] for row in skipped if row["path"].startswith("./maps/")]
    assert reasons == ["lies in the folder of --heatmaps"] * 6


def test_a_turned_photograph_is_drawn_upright(plugin, photographs, tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    photographs[0].save(tmp_path / "turned.jpg", exif=exif)
    run(["scan", "turned.jpg", *plugin(), "-m", "spot", "--heatmaps", "maps", "-o", "r.json"])
    ((row,), (finding,)) = rows("r.json"), spots("r.json")
    assert row["width"] == photographs[0].height
    with Image.open(finding["heatmap"]) as picture:
        assert picture.width == row["width"]
        assert picture.height > row["height"]
