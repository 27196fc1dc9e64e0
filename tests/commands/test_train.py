"""`forensic train` as a user types it: from folders to a model folder that a scan uses."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import numpy as np
import pytest
import timm
import torch
from accelerate.state import AcceleratorState
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_sample_images
from torchvision.transforms import v2

from forensic_cli import profiles
from forensic_cli.classifier import IMAGENET_MEAN, IMAGENET_STD
from forensic_cli.cli import run
from forensic_cli.status import Status
from forensic_cli.training import fitting
from forensic_cli.training.fitting import Fitting

GENERATORS = ("sdxl", "Midjourney", "flux")
QUICK = ["--set", "commfor.pretrained=false", "--set", "commfor.size=32", "--workers", "0", "--device", "cpu"]
TINY = [*QUICK, "--set", "commfor.backbone=test_resnet", "--batch-size", "4"]
FILES = {
    "README.md",
    "calibration.json",
    "checkpoint.pt",
    "config.json",
    "curves.png",
    "metrics.json",
    "model.safetensors",
    "training.json",
}


pytestmark = pytest.mark.usefixtures("own_accelerator")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Parts of two photographs, and the same enlarged from a third of their pixels, for each of three generators."""
    folder = tmp_path_factory.mktemp("data")
    photographs = [Image.fromarray(image) for image in load_sample_images().images]
    for number, (generator, index) in enumerate((one, n) for one in GENERATORS for n in range(12)):
        left, top = 37 * number % 500, 29 * number % 330
        part = photographs[number % 2].crop((left, top, left + 90 + number, top + 80))
        for label, picture in (("real", part), ("fake", part.resize((30, 27)).resize(part.size))):
            place = folder / generator / label
            place.mkdir(parents=True, exist_ok=True)
            picture.save(place / f"{index}.jpg", quality=95)
    return folder


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    """As in the README, but smaller."""
    AcceleratorState._reset_state(reset_partial_state=True)
    folder = tmp_path_factory.mktemp("models") / "model"
    vit = [*QUICK, "--set", "commfor.backbone=vit_tiny_patch16_224", "--steps", "4", "--batch-size", "4"]
    assert run(["train", "commfor", str(data), "-o", str(folder), *vit]) == Status.DONE
    return folder


def scanned(model, pictures, tmp_path):
    target = tmp_path / "r.json"
    asked = ["-m", "commfor", "--weights", f"commfor={model}", "--no-store", "--dtype", "float32", "-o", str(target)]
    assert run(["scan", str(pictures), *asked]) == Status.DONE
    return {row["path"]: row["findings"][0]["score"] for row in json.loads(target.read_text())["files"]}


def test_a_model_folder_that_a_scan_uses(model, data, tmp_path):
    assert {path.name for path in model.iterdir()} == FILES
    scores = scanned(model, data / "flux", tmp_path)
    assert len(scores) == 24
    body = timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=1).eval()
    body.load_state_dict(load_file(model / "model.safetensors"))
    steps = v2.Compose([v2.Resize(37), v2.CenterCrop(32), v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)])
    normalise = v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)
    with torch.inference_mode():
        expected = [float(body(normalise(steps(Image.open(path).convert("RGB")))[None])) for path in scores]
    assert list(scores.values()) == pytest.approx(expected, abs=2e-3)  # another JPEG decoder
    assert len({round(score, 6) for score in scores.values()}) > 12


def test_everything_is_written_down(model, data):
    record = json.loads((model / "training.json").read_text())
    assert record["schema"] == "forensic/training/1"
    assert (record["step"], record["seed"], record["method"]) == (4, 0, "commfor")
    assert (record["recipe"]["backbone"], record["recipe"]["batch"]) == ("vit_tiny_patch16_224", 4)
    (held,) = record["held_out_sources"]
    assert held in GENERATORS
    assert record["data"]["trained_on"] == 48
    assert record["data"]["held_out"] == 24
    config = json.loads((model / "config.json").read_text())
    assert config["network"] == "vit_tiny_patch16_224"
    assert "thresholds" not in config  # they stand in its calibration alone
    metrics = json.loads((model / "metrics.json").read_text())
    assert [row["generator"] for row in metrics["generators"]] == [held]
    assert metrics["conditions"]["native"]["n_real"] == 12
    card = (model / "README.md").read_text()
    assert f"| {held} | photograph | 12 | not stated | held out |" in card
    assert card.count("held out |") == 2
    assert record["data"]["fingerprint"] in card
    profile = profiles.read(model / "calibration.json")
    assert (profile.photographs.number, profile.photographs.origin) == (12, (held,))
    with Image.open(model / "curves.png") as picture:
        assert picture.format == "PNG"


def test_the_same_command_again_goes_on_where_it_stood(model, data, tmp_path, capfd):
    """Here at the end: nothing is trained, the same is measured and written."""
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    (copy / "README.md").unlink()
    vit = [*QUICK, "--set", "commfor.backbone=vit_tiny_patch16_224", "--steps", "4", "--batch-size", "4"]
    assert run(["train", "commfor", str(data), "-o", str(copy), *vit]) == Status.DONE
    said = capfd.readouterr().err
    assert "measures 24 held-out images" in said
    assert f"--weights commfor={copy}" in said
    assert (copy / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    assert (copy / "metrics.json").read_text() == (model / "metrics.json").read_text()
    assert (copy / "README.md").is_file()


def test_a_finished_training_is_not_done_again(model, data, tmp_path, capfd):
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    before = {path.name: path.stat().st_mtime_ns for path in copy.iterdir()}
    vit = [*QUICK, "--set", "commfor.backbone=vit_tiny_patch16_224", "--steps", "4", "--batch-size", "4"]
    asked = ["train", "commfor", str(data), "-o", str(copy), *vit]
    assert run(asked) == Status.DONE
    (line,) = capfd.readouterr().err.splitlines()
    assert line == (
        f"forensic: {copy} is finished: nothing is left to train or measure "
        f"(use it: forensic scan PATH -m commfor --weights commfor={copy})"
    )
    assert {path.name: path.stat().st_mtime_ns for path in copy.iterdir()} == before
    assert run([*asked, "--seed", "1"]) == Status.USAGE
    assert "holds a training with other data, seed or options" in capfd.readouterr().err


def test_files_of_a_former_training_finish_nothing(model, data, tmp_path, capfd):
    """Its checkpoint was removed to begin anew, and the new one was killed before it wrote the model."""
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    record = json.loads((copy / "training.json").read_text())
    (copy / "training.json").write_text(json.dumps(record | {"seconds": record["seconds"] + 1}))
    vit = [*QUICK, "--set", "commfor.backbone=vit_tiny_patch16_224", "--steps", "4", "--batch-size", "4"]
    assert run(["train", "commfor", str(data), "-o", str(copy), *vit]) == Status.DONE
    assert "goes on after step 4 of 4" in capfd.readouterr().err
    assert json.loads((copy / "training.json").read_text())["seconds"] == record["seconds"]


def trained(data, folder, *more):
    assert run(["train", "commfor", str(data), "-o", str(folder), *TINY, "--steps", "3", *more]) == Status.DONE
    return load_file(folder / "model.safetensors")


def equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_seed_says_everything(data, tmp_path):
    one = trained(data, tmp_path / "one")
    torch.rand(7)
    assert equal(one, trained(data, tmp_path / "other", "--workers", "2"))
    assert not equal(one, trained(data, tmp_path / "seed", "--seed", "1"))


ALONE = """
import sys
from forensic_cli.cli import run
from forensic_cli.training import fitting
fitting._SELDOM = 0.0  # a checkpoint at every step
run(sys.argv[1:])
"""


def test_killed_while_it_trains_it_ends_with_the_same_file(data, tmp_path, capfd, start):
    """kill -9 as soon as there is a checkpoint, then the same command."""
    asked = [
        "train",
        "commfor",
        str(data),
        *QUICK,
        "--set",
        "commfor.backbone=test_resnet",
        "--set",
        "commfor.augment=wild",
    ]
    asked += ["--set", "commfor.average=0.9", "--batch-size", "4", "--steps", "24", "--holdout", "0"]
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    alone = {"stderr": subprocess.PIPE, "text": True, "env": environment}
    process = start("-c", ALONE, *asked, "-o", tmp_path / "killed", **alone)
    end = time.monotonic() + 150
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    said = process.communicate(timeout=30)[1]
    assert checkpoint.exists(), said
    assert not (tmp_path / "killed" / "training.json").exists()  # it was still at work
    assert run([*asked, "-o", str(tmp_path / "killed")]) == Status.DONE
    assert re.search(r"goes on after step [1-9]\d* of 24", capfd.readouterr().err)
    AcceleratorState._reset_state(reset_partial_state=True)
    assert run([*asked, "-o", str(tmp_path / "straight")]) == Status.DONE
    assert "goes on" not in capfd.readouterr().err
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("killed", "straight")]
    assert files[0] == files[1]
    records = [json.loads((tmp_path / name / "training.json").read_text()) for name in ("killed", "straight")]
    assert records[0]["losses"] == records[1]["losses"]
    assert "Nothing was held out" in (tmp_path / "killed" / "README.md").read_text()


def test_ctrl_c_says_what_is_kept_and_how_it_goes_on(data, tmp_path, capfd, monkeypatch):
    step = Fitting._step

    def pressed(self, crops, labels):
        if self.state.step == 2:
            raise KeyboardInterrupt
        return step(self, crops, labels)

    asked = ["train", "commfor", str(data), *TINY, "--steps", "4", "-o", str(tmp_path / "model")]
    with monkeypatch.context() as patch:
        patch.setattr(Fitting, "_step", pressed)
        assert run(asked) == Status.INTERRUPTED
        last = capfd.readouterr().err.splitlines()[-1]
        assert last.endswith("before the first checkpoint: nothing is kept; the same command begins anew")
        patch.setattr(fitting, "_SELDOM", 0.0)  # a checkpoint at every step
        assert run(asked) == Status.INTERRUPTED
    last = capfd.readouterr().err.splitlines()[-1]
    assert last == (
        f"forensic: interrupted: the last checkpoint is kept in {tmp_path / 'model'}; the same command goes on from there"
    )
    assert run(asked) == Status.DONE
    assert "goes on after step 2 of 4" in capfd.readouterr().err


def test_two_processes_train_what_one_would(data, tmp_path, start):
    """Each half of every batch: a network without batch statistics ends the same but for rounding."""
    asked = ["train", "commfor", str(data), *QUICK, "--set", "commfor.backbone=test_vit", "--set", "commfor.lr=0.001"]
    asked += ["--batch-size", "4", "--steps", "6", "--holdout", "0"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    both = []
    for rank in ("0", "1"):  # as torchrun and accelerate launch start them
        environment = {**os.environ, **place, "RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": "1"}
        command = ["-m", "forensic_cli", *asked, "-o", tmp_path / "two"]
        both.append(start(*command, stderr=subprocess.PIPE, text=True, env=environment))
    said = [one.communicate(timeout=150)[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert ["step 6 of 6" in words for words in said] == [True, False]  # one of them speaks
    assert run([*asked, "-o", str(tmp_path / "one")]) == Status.DONE
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-3, atol=1e-4)
    assert one["head.weight"].abs().max() > 1e-3


def test_frozen_only_the_last_layer_changes(data, tmp_path):
    torch.manual_seed(0)
    state = timm.create_model("test_resnet", num_classes=10).state_dict()
    for name, one in state.items():
        if name.endswith("running_mean"):
            one.normal_()
    save_file(state, tmp_path / "start.safetensors")
    frozen = [
        "--set",
        "commfor.frozen=yes",
        "--set",
        f"commfor.start={tmp_path / 'start.safetensors'}",
        "--set",
        "commfor.lr=0.1",
    ]
    found = trained(data, tmp_path / "model", *frozen)
    changed = {name for name, one in state.items() if not torch.equal(one, found[name])}
    assert changed == {"fc.weight", "fc.bias"}
    assert found["fc.weight"].any()
    assert "from start.safetensors" in (tmp_path / "model" / "README.md").read_text()


def test_folded_on_native_crops_with_evidence(data, tmp_path):
    """As a small network may be trained in half the time."""
    asked = ["--set", "commfor.lite.backbone=test_efficientnet", "--set", "commfor.lite.pretrained=no", "--workers", "0"]
    asked += ["--set", "commfor.lite.size=32", "--set", "commfor.lite.window=48", "--steps", "3", "--batch-size", "4"]
    asked += ["--set", "commfor.lite.graph=no", "--set", "commfor.lite.folded=yes", "--device", "cpu"]
    asked += ["--set", "commfor.lite.dropout=0.2", "--set", "commfor.lite.depth=0.1"]
    folder = tmp_path / "model"
    assert run(["train", "commfor.lite", str(data), "-o", str(folder), *asked]) == Status.DONE
    config = json.loads((folder / "config.json").read_text())
    assert config["look"]["size"] == 48
    assert config["settings"] == {"drop_rate": 0.2, "drop_path_rate": 0.1, "folded": True}
    assert {one.dtype for one in load_file(folder / "model.safetensors").values()} == {torch.float16}
    maps = tmp_path / "maps"
    asked = ["-m", "commfor.lite", "--weights", f"commfor.lite={folder}", "--no-store", "--heatmaps", str(maps)]
    assert run(["scan", str(data / "flux" / "real"), *asked, "-o", str(tmp_path / "r.json")]) == Status.DONE
    rows = json.loads((tmp_path / "r.json").read_text())["files"]
    assert len(rows) == 12
    assert all(np.isfinite(row["findings"][0]["score"]) and row["findings"][0]["heatmap"] for row in rows)


def test_a_corrupt_image_is_told_once_and_stops_nothing(data, tmp_path, capfd):
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    bad = [copy / generator / label / "3.jpg" for generator in GENERATORS for label in ("real", "fake")]
    for path in bad:
        path.write_bytes(path.read_bytes()[:500])
    (copy / "sdxl" / "notes.txt").write_text("not a picture")
    trained(copy, tmp_path / "model", "--steps", "30", "--workers", "2")
    lines = capfd.readouterr().err.splitlines()
    told = [line for line in lines if line.startswith("forensic: left out: ")]
    assert len(told) == len(set(told))
    assert sum("notes.txt" in line for line in told) == 1
    assert 1 <= sum("3.jpg" in line for line in told) <= len(bad)  # those that are trained on, and those that are measured
    assert not any("Traceback" in line or "Warning" in line for line in lines)


def told(capfd, *arguments):
    """The one line that a command which cannot be done leaves behind."""
    capfd.readouterr()
    assert run(["train", *map(str, arguments)]) == Status.USAGE
    lines = [line for line in capfd.readouterr().err.splitlines() if line]
    assert all(line.startswith("forensic: ") for line in lines), lines
    return lines[-1].removeprefix("forensic: ")


def test_a_data_set_with_one_class(data, tmp_path, capfd):
    line = told(capfd, "commfor", data / "flux" / "real", "-o", tmp_path / "model", *TINY)
    assert "adds no labelled image" in line
    shutil.copytree(data / "flux" / "real", tmp_path / "one" / "flux" / "real")
    line = told(capfd, "commfor", tmp_path / "one", "-o", tmp_path / "model", *TINY)
    begin = f"{tmp_path / 'one'} has 12 photographs and no generated images; name a data set that has some as well"
    assert line.startswith(begin)
    assert not (tmp_path / "model").exists()


def test_a_data_set_that_is_not_there(tmp_path, capfd):
    line = told(capfd, "commfor", tmp_path / "nowhere", "-o", tmp_path / "model", *TINY)
    assert re.fullmatch(rf"{re.escape(str(tmp_path / 'nowhere'))}: .*", line)
    assert not (tmp_path / "model").exists()


def test_one_source_is_held_out_image_by_image_and_the_card_says_what_that_is_worth(data, tmp_path, capfd):
    shutil.copytree(data / "flux", tmp_path / "one" / "flux")
    trained(tmp_path / "one", tmp_path / "model")
    doubt = "All generated images are from one source (flux). Single images of it are held out"
    assert doubt in capfd.readouterr().err
    assert doubt in (tmp_path / "model" / "README.md").read_text()
    trained(tmp_path / "one", tmp_path / "all", "--holdout", "0")


def test_who_is_held_out_stands_in_a_file(data, tmp_path, capfd):
    (tmp_path / "split.csv").write_text("source,part\nsdxl,train\nMidjourney,judge\nflux,train\n")
    trained(data, tmp_path / "model", "--split", str(tmp_path / "split.csv"))
    assert json.loads((tmp_path / "model" / "training.json").read_text())["held_out_sources"] == ["Midjourney"]
    (tmp_path / "split.csv").write_text("source,part\nsdxl,train\nflux,train\n")
    line = told(capfd, "commfor", data, "-o", tmp_path / "other", *TINY, "--split", tmp_path / "split.csv")
    assert line == "--split says nothing of Midjourney: give each source of the data a part"


def test_drawings_alone_are_no_photographs_to_measure_on(data, tmp_path, capfd):
    for generator in GENERATORS:
        shutil.copytree(data / generator / "fake", tmp_path / "one" / generator / "fake")
        shutil.copytree(data / generator / "real", tmp_path / "one" / generator / "other")
    line = told(capfd, "commfor", tmp_path / "one", "-o", tmp_path / "model", *TINY)
    assert line == "nothing that is held out is a photograph: add photographs from other sources, or use --holdout 0"


def test_an_unknown_backbone(data, tmp_path, capfd):
    line = told(capfd, "commfor", data, "-o", tmp_path / "model", *TINY, "--set", "commfor.backbone=vit_tiny_patch16_225")
    assert line == "timm knows no network 'vit_tiny_patch16_225'; did you mean vit_tiny_patch16_224?"


def test_weights_of_another_network_to_start_from(data, tmp_path, capfd):
    save_file(timm.create_model("test_vit").state_dict(), tmp_path / "vit.safetensors")
    line = told(
        capfd, "commfor", data, "-o", tmp_path / "m", *TINY, "--set", f"commfor.start={tmp_path / 'vit.safetensors'}"
    )
    assert line.startswith(
        f"{tmp_path / 'vit.safetensors'} does not fit test_resnet: it lacks, or has in another shape, conv1."
    )
    line = told(capfd, "commfor", data, "-o", tmp_path / "m", *TINY, "--set", "commfor.start=no/such.pth")
    assert "no such file" in line


def test_pretrained_without_the_network(data, tmp_path, capfd):
    asked = [*TINY, "--set", "commfor.pretrained=yes", "--offline"]
    line = told(capfd, "commfor", data, "-o", tmp_path / "model", *asked)
    assert line == "ImageNet weights of test_resnet are not here, and --offline forbids the network"


def test_an_unfinished_training_of_something_else(data, tmp_path, capfd):
    trained(data, tmp_path / "model")
    line = told(capfd, "commfor", data, "-o", tmp_path / "model", *TINY, "--steps", "5")
    assert line == f"{tmp_path / 'model'} holds a training with other data, seed or options: name another folder"


def test_a_diverging_loss(data, tmp_path, capfd, monkeypatch):
    """The network is drawn to infinity by hand: no learning rate does that within a test."""
    step = Fitting._step

    def wild(self, crops, labels):
        if self.state.step == 2:
            with torch.no_grad():
                next(iter(self._net.parameters())).fill_(float("inf"))
        return step(self, crops, labels)

    monkeypatch.setattr(Fitting, "_step", wild)
    line = told(capfd, "commfor", data, "-o", tmp_path / "model", *TINY, "--steps", "6")
    assert line == "the loss is nan at step 3: try a lower learning rate; there is no checkpoint yet"


def test_held_out_photographs_that_cannot_be_read(data, tmp_path, capfd):
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    trained(data, tmp_path / "first")
    (held,) = json.loads((tmp_path / "first" / "training.json").read_text())["held_out_sources"]
    for path in (copy / held / "real").iterdir():
        path.write_bytes(b"broken")
    line = told(capfd, "commfor", copy, "-o", tmp_path / "model", *TINY, "--steps", "2")
    assert line == "none of the photographs held out could be read and scored, so nothing can be measured"
    assert (tmp_path / "model" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["rigid", "{data}"], "rigid cannot be trained: it has nothing that learns"),
        (["commfor", "{data}", "--set", "commfor.lite.size=64"], "--set commfor.lite"),
        (["commfor", "{data}", "--set", "commfor.sizes=64"], "commfor has no option 'sizes'; did you mean size?"),
        (["commfor", "{data}", "--device", "tpu"], "--device tpu: expected auto, cpu, cuda, cuda:N or mps"),
        (["commfor", "{data}", "--set", "commfor.lr=3"], "the options of commfor do not fit: lr lies in (0, 1]"),
        (["commfor", "{data}", "--dtype", "float16"], "float16 trains on a GPU alone"),
        (["nobody", "{data}"], "nobody"),
    ],
    ids=["rigid", "other", "option", "device", "value", "dtype", "method"],
)
def test_what_cannot_be_done_is_one_line(data, tmp_path, capfd, asked, words):
    asked = [one.format(data=data) for one in asked]
    quick = TINY if asked[0] == "commfor" and "--device" not in asked else []
    line = told(capfd, *asked, "-o", tmp_path / "model", *quick)
    assert words in line


def test_a_folder_that_is_a_file(data, tmp_path, capfd):
    (tmp_path / "model").write_text("")
    line = told(capfd, "commfor", data, "-o", tmp_path / "model", *TINY)
    assert line.startswith(f"{tmp_path / 'model'}: cannot be made a folder")
