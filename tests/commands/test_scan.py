"""`forensic scan` as a user types it."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forensic_cli.cli import run
from forensic_cli.status import Status
from installing import install
from loops import each

SLOW = """
import time
from forensic_cli import Detector, hookimpl

class Slow(Detector):
    '''Waits, and writes down that it worked.'''
    def score(self, batch):
        with open({log!r}, "a") as log:
            for ref in batch.refs:
                print(ref.path, file=log, flush=True)
        time.sleep({seconds})
        return [float(image.mean()) for image in batch.images]

@hookimpl
def register_detectors(register):
    register("slow", Slow)
"""

LIGHT = ["-m", "provenance"]  # where the streams are the point, not what is found


@pytest.fixture
def pair(tiny_dinov2):
    """wepe and rigid on the tiny network."""
    return ["-m", "wepe,rigid", "--weights", f"wepe={tiny_dinov2}", "--weights", f"rigid={tiny_dinov2}"]


def scores(path):
    """{file name: {method: score}} of a JSON report."""
    report = json.loads(Path(path).read_text())
    return {Path(row["path"]).name: {one["method"]: one["score"] for one in row["findings"]} for row in report["files"]}


def same(one, other):
    assert one.keys() == other.keys()
    for name, found in one.items():
        assert found.keys() == other[name].keys()
        for method, score in found.items():
            assert other[name][method] == pytest.approx(score, rel=1e-4, abs=1e-6)


def test_two_methods_on_one_network(photo_folder, pair, tmp_path):
    assert run(["scan", str(photo_folder), *pair, "-o", str(tmp_path / "r.json")]) == Status.DONE
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["schema"] == "forensic/scan/1"
    assert report["summary"]["scanned"] == 6
    assert {one["name"] for one in report["run"]["methods"]} == {"wepe", "rigid"}
    assert all(one["weights"][0]["sha256"] for one in report["run"]["methods"])
    for row in report["files"]:
        assert row["status"] == "ok"
        assert row["verdict"] is None
        for finding in row["findings"]:
            assert finding["verdict"] == "uncalibrated"
            assert 0 < finding["score"] < 4


@pytest.mark.parametrize("size", [1, 3, 8])
def test_scores_do_not_depend_on_the_batch(photo_folder, pair, tmp_path, size):
    for number, batch in enumerate((5, size)):
        run(
            [
                "scan",
                str(photo_folder),
                *pair,
                "--no-store",
                "--batch-size",
                str(batch),
                "-o",
                str(tmp_path / f"{number}.json"),
            ]
        )
    same(scores(tmp_path / "0.json"), scores(tmp_path / "1.json"))


def test_scores_do_not_depend_on_order_name_or_company(photo_folder, pair, tmp_path):
    run(["scan", str(photo_folder), *pair, "--no-store", "-o", str(tmp_path / "a.json")])
    files = sorted(photo_folder.rglob("*.jpg"))
    random.Random(1).shuffle(files)
    renamed = {}
    for number, file in enumerate(files):
        copy = tmp_path / f"another_name_{number}.png"
        shutil.copy(file, copy)
        renamed[copy.name] = file.name
    run(["scan", *(str(tmp_path / name) for name in renamed), *pair, "--no-store", "-o", str(tmp_path / "b.json")])
    same(scores(tmp_path / "a.json"), {renamed[name]: found for name, found in scores(tmp_path / "b.json").items()})


def test_each_method_alone_gives_identical_scores(photo_folder, pair, tiny_dinov2, tmp_path):
    run(["scan", str(photo_folder), *pair, "--no-store", "-o", str(tmp_path / "both.json")])
    both = scores(tmp_path / "both.json")
    for name in ("wepe", "rigid"):
        alone = tmp_path / f"{name}.json"
        run(["scan", str(photo_folder), "-m", name, "--weights", f"{name}={tiny_dinov2}", "--no-store", "-o", str(alone)])
        assert {file: found[name] for file, found in scores(alone).items()} == {
            file: found[name] for file, found in both.items()
        }


def test_several_outputs_at_once(photo_folder, tmp_path):
    outputs = [tmp_path / f"r.{suffix}" for suffix in ("json", "jsonl", "csv", "parquet")]
    assert run(["scan", str(photo_folder), *(part for one in outputs for part in ("-o", str(one)))]) == Status.DONE
    rows = list(csv.DictReader(outputs[2].read_text().splitlines()))
    lines = [json.loads(line) for line in outputs[1].read_text().splitlines()]
    assert len(rows) == len(lines) == 6
    assert [row["path"] for row in rows] == [line["path"] for line in lines]
    assert lines == json.loads(outputs[0].read_text())["files"]


def test_rows_on_stdout_words_on_stderr(photo_folder, capfdbinary):
    assert run(["scan", str(photo_folder)]) == Status.DONE
    streams = capfdbinary.readouterr()
    assert len([json.loads(line) for line in streams.out.splitlines()]) == 6
    assert b"6 files" in streams.err


def plugin(folder, monkeypatch, log, seconds=0.0):
    site = folder / "site"
    site.mkdir()
    install(site, "slow", code=SLOW.format(log=str(log), seconds=seconds))
    monkeypatch.syspath_prepend(site)
    sys.modules.pop("slow", None)
    return site


def aged(folder):
    """Wait until the files are older than the two seconds within which they might change unseen."""
    newest = max(file.stat().st_ctime for file in folder.rglob("*"))
    time.sleep(max(0.0, newest + 2.1 - time.time()))


def test_a_repeated_scan_does_only_what_is_missing(photo_folder, tmp_path, monkeypatch, capfd):
    log = tmp_path / "log"
    plugin(tmp_path, monkeypatch, log)
    aged(photo_folder)
    for number in range(3):
        run(["scan", str(photo_folder), "-m", "slow", "-o", str(tmp_path / f"{number}.json")])
        if number == 1:
            (photo_folder / "photo_0.jpg").rename(photo_folder / "renamed.jpg")
            shutil.copy(photo_folder / "photo_1.jpg", photo_folder / "copy.jpg")
    assert len(log.read_text().splitlines()) == 6
    first, second, third = (json.loads((tmp_path / f"{number}.json").read_text()) for number in range(3))
    assert first["files"] == second["files"]
    assert second["summary"]["from_store"] == 6
    assert third["summary"]["from_store"] == 7


def test_an_unchanged_file_is_not_even_opened(photo_folder, tmp_path, monkeypatch):
    aged(photo_folder)
    run(["scan", str(photo_folder), "-o", str(tmp_path / "a.json")])
    from forensic_cli import images

    monkeypatch.setattr(images, "read", lambda path: pytest.fail(f"{path} was read"))
    run(["scan", str(photo_folder), "-o", str(tmp_path / "b.json")])
    assert json.loads((tmp_path / "a.json").read_text())["files"] == json.loads((tmp_path / "b.json").read_text())["files"]


def test_a_changed_file_is_seen(photo_folder, tmp_path):
    aged(photo_folder)
    run(["scan", str(photo_folder), "-o", str(tmp_path / "a.json")])
    file = photo_folder / "photo_0.jpg"
    file.write_bytes(file.read_bytes() + b"more")
    run(["scan", str(photo_folder), "-o", str(tmp_path / "b.json")])
    rows = json.loads((tmp_path / "b.json").read_text())["files"]
    assert rows[-2]["bytes"] == file.stat().st_size or any(row["bytes"] == file.stat().st_size for row in rows)


@pytest.fixture
def slowly(start):
    """Start the program with these arguments and a plugin in `site`."""
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from forensic_cli.cli import main; main()"
    return lambda site, *arguments: start("-c", code, site, *arguments, stderr=subprocess.PIPE, text=True)


def wait_for_lines(log, count):
    deadline = time.monotonic() + 60
    while not log.exists() or len(log.read_text().splitlines()) < count:
        assert time.monotonic() < deadline, "the scan never began"
        time.sleep(0.02)


def test_ctrl_c_finishes_the_batch_and_writes_the_reports(photo_folder, tmp_path, monkeypatch, slowly):
    log = tmp_path / "log"
    site = plugin(tmp_path, monkeypatch, log, seconds=0.5)
    out = tmp_path / "r.json"
    process = slowly(site, "scan", photo_folder, "-m", "slow", "--batch-size", "1", "-o", out)
    wait_for_lines(log, 2)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == Status.INTERRUPTED
    assert "finishing the batch in hand" in words
    assert "goes on from here" in words
    report = json.loads(out.read_text())
    assert 2 <= report["summary"]["scanned"] < 6
    assert len(report["files"]) == report["summary"]["found"]
    assert report["run"]["finished"] is None


def test_kill_loses_at_most_the_batch_in_hand(photo_folder, tmp_path, monkeypatch, slowly):
    log = tmp_path / "log"
    site = plugin(tmp_path, monkeypatch, log, seconds=0.5)
    arguments = ["scan", str(photo_folder), "-m", "slow", "--batch-size", "1", "-o", str(tmp_path / "r.json")]
    process = slowly(site, *arguments)
    wait_for_lines(log, 3)
    process.kill()
    process.communicate(timeout=60)
    assert not (tmp_path / "r.json").exists()
    seen = len(log.read_text().splitlines())
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == Status.DONE
    again = len(log.read_text().splitlines()) - seen
    assert again <= 6 - (seen - 1)
    assert json.loads((tmp_path / "r.json").read_text())["summary"]["from_store"] >= seen - 1


def test_a_store_on_a_full_disk_costs_no_results(photo_folder, tmp_path, capfd):
    store = tmp_path / "scores.sqlite"
    assert run(["scan", str(photo_folder), "--store", str(store), "-o", str(tmp_path / "a.json")]) == Status.DONE
    import sqlite3

    with sqlite3.connect(store) as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON finding BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    (photo_folder / "photo_0.jpg").write_bytes((photo_folder / "photo_1.jpg").read_bytes() + b"x")
    assert run(["scan", str(photo_folder), "--store", str(store), "-o", str(tmp_path / "b.json")]) == Status.DONE
    assert "goes on without it" in capfd.readouterr().err
    assert json.loads((tmp_path / "b.json").read_text())["summary"]["scanned"] == 6


def test_the_hostile_folder(tmp_path, jpeg, pair, capfd):
    folder = tmp_path / "hostile"
    (folder / "deep").mkdir(parents=True)
    (folder / "good.jpg").write_bytes(jpeg)
    (folder / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "zero.png").write_bytes(b"")
    (folder / "text.jpg").write_text("not an image")
    (folder / "notes.txt").write_text("notes")
    (folder / "wrong.png").write_bytes(jpeg)
    (folder / "=cmd()\n.jpg").write_bytes(jpeg)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.jpg")).write_bytes(jpeg)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "loop").symlink_to(folder)
    (folder / "gone.jpg").symlink_to("nowhere")
    outputs = [part for suffix in ("json", "jsonl", "csv", "parquet") for part in ("-o", str(tmp_path / f"r.{suffix}"))]
    assert run(["scan", str(folder), *pair, *outputs]) == Status.FAILURES
    rows = {Path(row["path"]).name: row for row in json.loads((tmp_path / "r.json").read_text())["files"]}
    assert {name for name, row in rows.items() if row["status"] == "ok"} == {
        "good.jpg",
        "wrong.png",
        "=cmd()\n.jpg",
        "\\xff.jpg",
    }
    assert {name for name, row in rows.items() if row["status"] == "failed"} == {
        "cut.jpg",
        "zero.png",
        "text.jpg",
        "gone.jpg",
    }
    assert {name for name, row in rows.items() if row["status"] == "skipped"} == {"notes.txt", "pipe.jpg", "loop"}
    assert all(row["reason"] and "\n" not in row["reason"] for row in rows.values() if row["status"] != "ok")
    assert rows["wrong.png"]["format"] == "JPEG"
    assert "Traceback" not in capfd.readouterr().err


@each(
    "arguments, words",
    [
        (["-m", "wep"], "there is no method 'wep'; did you mean wepe?"),
        (["-m", ""], "--methods is empty"),
        (["--device", "gpu"], "expected auto, cpu, cuda"),
        (["-o", "r.jsom"], "r.jsom"),
        (["-f", "tabel"], "did you mean table?"),
        (["--set", "provenance.trust=x"], "did you mean trust_list?"),
        (["--set", "rigid.draws=2"], "not among the methods"),
        (["--set", "nonsense"], "expected METHOD.OPTION=VALUE"),
        (["--weights", "nonsense"], "expected METHOD=FOLDER"),
        (["--metods", "x"], "--met"),
        (["-m", "wepe", "--device", "tpu"], "expected auto, cpu, cuda"),
        (["-m", "wepe", "--device", "cuda:99"], "CUDA device"),
        (["-m", "wepe", "--weights", "wepe=/no/such/folder"], "/no/such/folder"),
        (["--store", "a", "--no-store"], "exclude each other"),
        (["--store", "nowhere/a.sqlite"], "there is no folder nowhere"),
        (["--plugin", "nowhere.py"], "nowhere.py: no such file"),
        (["--batch-size", "0"], "batch-size"),
    ],
)
def test_what_cannot_be_done_is_one_line(photo_folder, monkeypatch, tmp_path, capfd, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert run(["scan", str(photo_folder), *arguments]) == Status.USAGE
    streams = capfd.readouterr()
    assert streams.out == ""
    assert len(streams.err.splitlines()) == 1
    assert words in streams.err


def test_weights_that_do_not_load_fail_their_method_alone(photo_folder, pair, tmp_path, tiny_dinov2, capfd):
    broken = tmp_path / "broken"
    shutil.copytree(tiny_dinov2, broken)
    (broken / "model.safetensors").write_bytes(b"nonsense")
    out = tmp_path / "r.json"
    arguments = ["-m", "wepe,rigid", "--weights", f"wepe={broken}", "--weights", f"rigid={tiny_dinov2}"]
    assert run(["scan", str(photo_folder), *arguments, "-o", str(out)]) == Status.FAILURES
    for found in json.loads(out.read_text())["files"]:
        wepe, rigid = found["findings"]
        assert "cannot be read as a DINOv2" in wepe["error"]
        assert rigid["score"] > 0


def test_strict_stops_at_the_first_failure(tmp_path, jpeg, capfd):
    (tmp_path / "a.jpg").write_bytes(jpeg)
    (tmp_path / "b.jpg").write_bytes(b"")
    (tmp_path / "c.jpg").write_bytes(jpeg)
    out = tmp_path / "r.json"
    assert run(["scan", str(tmp_path), "--strict", "-o", str(out)]) == Status.FAILURES
    assert "b.jpg: " in capfd.readouterr().err
    assert [Path(row["path"]).name for row in json.loads(out.read_text())["files"]] == ["a.jpg", "b.jpg"]


def test_fail_on_generated(tmp_path, photographs):
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model: v1-5")
    photographs[0].save(tmp_path / "made.png", pnginfo=text)
    out = tmp_path / "r.json"
    assert run(["scan", str(tmp_path / "made.png"), "--fail-on", "generated", "-o", str(out)]) == Status.GENERATED
    (row,) = json.loads(out.read_text())["files"]
    assert (row["verdict"]["label"], row["verdict"]["basis"]) == ("generated", "provenance")
    assert run(["scan", str(tmp_path / "made.png"), "-o", str(out)]) == Status.DONE


def test_a_list_on_stdin(photo_folder, tmp_path):
    names = "\0".join(str(one) for one in sorted(photo_folder.rglob("*.jpg"))[:3])
    code = "from forensic_cli.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "scan", "-", *LIGHT],
        input=names.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3


def test_a_reader_who_leaves_early_is_no_error(photo_folder, start):
    process = start("-m", "forensic_cli", "scan", photo_folder, *LIGHT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    words = process.stderr.read()
    assert process.wait(timeout=60) == Status.DONE
    assert b"Traceback" not in words
    assert b"Exception" not in words


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_runs_and_stays_near(photo_folder, tmp_path, tiny_dinov2, dtype):
    """On a tiny network the noise of half precision is small beside a coarse perturbation."""
    arguments = ["scan", str(photo_folder), "-m", "wepe", "--weights", f"wepe={tiny_dinov2}", "--set", "wepe.ratio=1"]
    run([*arguments, "-o", str(tmp_path / "full.json")])
    assert run([*arguments, "--dtype", dtype, "-o", str(tmp_path / "half.json")]) == Status.DONE
    full, half = scores(tmp_path / "full.json"), scores(tmp_path / "half.json")
    for name, found in full.items():
        assert half[name]["wepe"] == pytest.approx(found["wepe"], rel=0.05)
        assert half[name]["wepe"] != found["wepe"]
    assert json.loads((tmp_path / "half.json").read_text())["run"]["dtype"] == dtype


def test_names_that_are_no_text_may_stand_in_reasons(tmp_path, jpeg):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "loop").symlink_to(folder)
    (folder / "a.jpg").write_bytes(jpeg)
    out = tmp_path / "r.json"
    assert run(["scan", str(folder), "-o", str(out)]) == Status.DONE
    loop = next(row for row in json.loads(out.read_text())["files"] if row["status"] == "skipped")
    assert "caf\\xe9" in loop["reason"]


def test_a_picture_of_one_row_costs_no_memory(tmp_path, pair):
    import resource

    from PIL import Image

    Image.new("RGB", (30000, 1), (90, 120, 150)).save(tmp_path / "line.png")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert run(["scan", str(tmp_path / "line.png"), *pair, "-o", str(tmp_path / "r.json")]) == Status.DONE
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_missing_standard_streams_are_no_verdict(photo_folder, tmp_path, closed):
    command = f"{sys.executable} -m forensic_cli scan {photo_folder} {' '.join(LIGHT)} -o {tmp_path / 'r.json'} {closed}"
    done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == Status.DONE, done.stderr
    assert json.loads((tmp_path / "r.json").read_text())["summary"]["scanned"] == 6


def test_our_own_mistakes_are_no_verdict_either(photo_folder, monkeypatch, capfd):
    from forensic_cli.engine import scan as engine

    monkeypatch.setattr(engine, "stated", lambda findings: 1 / 0)
    assert run(["scan", str(photo_folder), "--fail-on", "generated"]) == Status.FAILURES
    words = capfd.readouterr().err
    assert "ZeroDivisionError" in words
    assert "Traceback" not in words


def test_a_full_stdout_is_a_failure(photo_folder):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "forensic_cli", "scan", str(photo_folder), *LIGHT],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == Status.FAILURES
    assert "no space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_rows_come_while_the_list_is_still_written(photo_folder, start):
    process = start("-m", "forensic_cli", "scan", "-", *LIGHT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(b"".join(os.fsencode(path) + b"\n" for path in sorted(photo_folder.rglob("*.jpg"))[:2]))
    process.stdin.flush()
    rows = [json.loads(process.stdout.readline()) for _ in range(2)]  # would wait for ever if rows waited for more paths
    assert [row["status"] for row in rows] == ["ok", "ok"]
    process.stdin.close()
    assert process.wait(timeout=60) == Status.DONE


def test_a_plugin_that_prints_does_not_get_into_the_report(photo_folder, tmp_path, capfd):
    path = tmp_path / "loud.py"
    noise = "def __init__(self, *a):\n        print('hello')\n        super().__init__(*a)\n    def score"
    code = SLOW.format(log=str(tmp_path / "log"), seconds=0).replace("def score", noise)
    path.write_text("print('hello from an import')\n" + code)
    assert run(["scan", str(photo_folder), "--plugin", str(path), "-m", "slow"]) == Status.DONE
    streams = capfd.readouterr()
    assert len([json.loads(line) for line in streams.out.splitlines()]) == 6
    assert "hello from an import" in streams.err


def test_an_unusable_default_store_is_no_reason_not_to_scan(photo_folder, tmp_path, monkeypatch, capfd):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "scores.sqlite").write_text("no database " * 1000)
    monkeypatch.setenv("FORENSIC_CACHE", str(cache))
    assert run(["scan", str(photo_folder), "-o", str(tmp_path / "r.json")]) == Status.DONE
    assert "goes on without a store" in capfd.readouterr().err
    assert run(["scan", str(photo_folder), "--store", str(cache / "scores.sqlite")]) == Status.USAGE


@pytest.mark.parametrize(("size", "status"), [("auto", Status.DONE), ("2", Status.DONE), ("many", Status.USAGE)])
def test_a_batch_is_a_number_or_automatic(photo_folder, tmp_path, size, status):
    assert run(["scan", str(photo_folder), "--batch-size", size, "-o", str(tmp_path / "r.json")]) == status
