"""`forensic weights convert`, as a person uses it: what is refused and why, what is written where, and that it is used."""

import json
import os
import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from forensic_cli import digests
from forensic_cli.cli import run
from installing import install

METHODS = """
from dataclasses import dataclass
from forensic_cli import Detector, Weights, hookimpl
from forensic_cli.errors import WeightsError
from forensic_cli.weights import locate
from safetensors.numpy import load_file

class Plain(Detector):
    '''Made up.'''
    @dataclass(frozen=True)
    class Options:
        weights: Weights = Weights("owner/plain", licence="MIT")
    def score(self, batch):
        return [0.0] * len(batch)

class Judge(Detector):
    '''Made up: its score is its bias.'''
    caution = "weights under CC BY-NC 4.0: not for commercial use"
    @dataclass(frozen=True)
    class Options:
        weights: Weights = Weights(
            "https://example.org/judge", licence="CC BY-NC 4.0", pickle="nets/judge.pth", pickle_sha256="ab" * 32
        )
        wide: int = 3
    def converted(self, tensors, where):
        wanted = {"weight": (1, self.options.wide), "bias": (1,)}
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        if shapes != wanted:
            raise WeightsError(f"{where} does not fit: {sorted(shapes.items() ^ wanted.items())}")
        return tensors
    def score(self, batch):
        path = locate(self.options.weights, offline=True).path
        return [float(load_file(path)["bias"][0])] * len(batch)

class Yours(Judge):
    '''Made up: without weights of its own.'''
    caution = ""
    @dataclass(frozen=True)
    class Options:
        weights: Weights = Weights("", licence="yours", pickle="*.pth")
        wide: int = 3

@hookimpl
def register_detectors(register):
    register("judge", Judge)
    register("judge.plain", Plain)
    register("judge.yours", Yours)
"""


class Trap:
    """A pickle that writes a file when it is opened with trust."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.fixture(autouse=True)
def judge(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    install(folder, "judge", METHODS)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("FORENSIC_PLUGINS", "judge")
    yield
    sys.modules.pop("judge", None)


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def saved(path, content, **settings):
    torch.save(content, path, **settings)
    return path


def refused(capsys, *arguments):
    """The one line on stderr, without our name."""
    assert run(["weights", "convert", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if "not for commercial use" not in line]
    assert len(lines) == 1
    return lines[0].removeprefix("forensic: ")


def test_without_weights_a_scan_says_where_they_are_and_what_to_type(photo_folder, capsys):
    assert run(["scan", str(photo_folder), "-m", "judge"]) == 2
    assert capsys.readouterr().err == (
        "forensic: judge: its weights are not here: get nets/judge.pth from https://example.org/judge, "
        "then `forensic weights convert judge judge.pth`\n"
    )


def test_converted_weights_are_found_by_the_method(layer, tmp_path, photo_folder, capsys):
    file = saved(tmp_path / "judge.pth", layer.state_dict())
    assert run(["weights", "convert", "judge", str(file)]) == 0
    out, err = capsys.readouterr()
    rows = dict(line.split(None, 1) for line in out.splitlines())
    assert rows["from"] == f"{file}  SHA-256 {digests.sha256(file)}, NOT the file that the authors publish"
    assert rows["licence"] == "CC BY-NC 4.0"
    assert rows["holds"].startswith("2 tensors")
    assert err.splitlines() == [
        "forensic: judge: weights under CC BY-NC 4.0: not for commercial use",
        "forensic: to use it: forensic scan PATH --methods judge",
    ]
    place, digest = rows["to"].split("  SHA-256 ")
    report = tmp_path / "report.json"
    assert run(["scan", str(photo_folder), "-m", "judge", "-o", str(report)]) == 0
    err = capsys.readouterr().err
    assert err.count("judge: weights under CC BY-NC 4.0: not for commercial use") == 1, (
        "said once, whatever the number of files"
    )
    scan = json.loads(report.read_text())
    assert scan["run"]["methods"][0]["weights"][0]["sha256"] == digest == digests.sha256(Path(place))
    assert {file["findings"][0]["score"] for file in scan["files"]} == {layer.bias.item()}
    assert run(["weights", "verify", "judge"]) == 0
    assert run(["weights", "list"]) == 0
    out = capsys.readouterr().out
    assert "as expected, 1 files" in out
    assert "not here" not in next(line for line in out.splitlines() if line.startswith("judge "))


def test_the_published_file_is_known_by_its_digest(layer, tmp_path, capsys, monkeypatch):
    file = saved(tmp_path / "judge.pth", layer.state_dict())
    code = (tmp_path / "site" / "judge.py").read_text().replace('"ab" * 32', repr(digests.sha256(file)))
    (tmp_path / "site" / "judge.py").write_text(code)
    assert run(["weights", "convert", "judge", str(file)]) == 0
    assert "SHA-256 " + digests.sha256(file) + ", the file that the authors publish" in capsys.readouterr().out


def test_to_a_file_with_its_origin_inside(layer, tmp_path, photo_folder, capsys):
    file = saved(tmp_path / "net.pth", layer.state_dict())
    output = tmp_path / "net.safetensors"
    assert run(["weights", "convert", "judge.yours", str(file), "-o", str(output)]) == 0
    out, err = capsys.readouterr()
    assert f"--methods judge.yours --weights judge.yours={output}" in err
    assert "publish" not in out
    with safe_open(output, "pt") as opened:
        facts = opened.metadata()
    assert (facts["origin"], facts["origin_sha256"], facts["method"]) == ("net.pth", digests.sha256(file), "judge.yours")
    assert run(["scan", str(photo_folder), "-m", "judge.yours", "--weights", f"judge.yours={output}", "-f", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["findings"][0]["score"] == layer.bias.item()


WRAPPED = {
    "bare": lambda tensors: OrderedDict(tensors),
    "model": lambda tensors: {"model": tensors, "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}}, "total_steps": 3},
    "state_dict": lambda tensors: {"epoch": 3, "best": torch.tensor(0.9), "state_dict": tensors},
    "model_state_dict": lambda tensors: {"model_state_dict": tensors, "loss": 0.1},
    "twice": lambda tensors: {"model": {"state_dict": tensors, "ema": None}},
    "parallel": lambda tensors: {f"module.{name}": tensor for name, tensor in tensors.items()},
    "compiled": lambda tensors: {"model": {f"module._orig_mod.{name}": tensor for name, tensor in tensors.items()}},
    "beside": lambda tensors: {**tensors, "iteration": 7, "optimizer": {"lr": 0.1}},
    "parameters": lambda tensors: {name: nn.Parameter(tensor) for name, tensor in tensors.items()},
    "views": lambda tensors: {"weight": torch.cat([tensors["weight"]] * 2)[:1], "bias": tensors["bias"][None].T[:, 0]},
}


@pytest.mark.parametrize("wrapping", WRAPPED)
@pytest.mark.parametrize("zipped", [True, False])
def test_what_trainings_wrap_around_tensors(layer, tmp_path, wrapping, zipped):
    content = WRAPPED[wrapping](layer.state_dict())
    file = saved(tmp_path / "net.pth", content, _use_new_zipfile_serialization=zipped)
    output = tmp_path / "net.safetensors"
    assert run(["weights", "convert", "judge", str(file), "-o", str(output)]) == 0
    found = load_file(output)
    assert found.keys() == {"weight", "bias"}
    for name, tensor in layer.state_dict().items():
        assert torch.equal(found[name], tensor)


def test_code_is_never_run(tmp_path, capsys):
    for content in ({"model": Trap(tmp_path / "trapped")}, nn.Linear(3, 1)):
        file = saved(tmp_path / "net.pth", content)
        line = refused(capsys, "judge", file)
        assert line.startswith(f"{file} is a pickle that holds code or objects (")
    assert not (tmp_path / "trapped").exists()
    assert "torch.nn.modules.linear.Linear" in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no checkpoint of torch"),
        (b"hello, this is no pickle at all", "is no checkpoint of torch, or holds code"),
        (b"PK\3\4" + b"\0" * 100, "is no checkpoint of torch"),
        (b"\x80\x02}q\0.", "holds no tensors by name"),
        (b"\x80\x02K\x05.", "is no checkpoint of torch"),
    ],
)
def test_what_is_no_checkpoint(tmp_path, capsys, content, words):
    file = tmp_path / "net.pth"
    file.write_bytes(content)
    line = refused(capsys, "judge", file)
    assert line.startswith(str(file))
    assert words in line or "is no checkpoint of torch" in line


def test_cut_short(layer, tmp_path, capsys):
    file = saved(tmp_path / "net.pth", layer.state_dict())
    file.write_bytes(file.read_bytes()[:-200])
    assert refused(capsys, "judge", file).startswith(f"{file} is no checkpoint of torch")


def test_nothing_is_written_of_what_does_not_fit(layer, tmp_path, capsys):
    file = saved(tmp_path / "net.pth", {"weight": torch.zeros(1, 4), "bias": torch.zeros(1)})
    output = tmp_path / "net.safetensors"
    output.write_bytes(b"old")
    assert "does not fit" in refused(capsys, "judge", file, "-o", output)
    assert output.read_bytes() == b"old"
    assert run(["weights", "convert", "judge", str(file), "-o", str(output), "--set", "judge.wide=4"]) == 0
    assert load_file(output)["weight"].shape == (1, 4)
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]


def test_words_for_wrong_requests(layer, tmp_path, capsys):
    file = saved(tmp_path / "net.pth", layer.state_dict())
    assert "no such file" in refused(capsys, "judge", tmp_path / "none.pth")
    assert "not a file" in refused(capsys, "judge", tmp_path)
    assert "did you mean judge" in refused(capsys, "jugde", file)
    assert "judge.plain has no checkpoints" in refused(capsys, "judge.plain", file)
    assert "name a file with -o" in refused(capsys, "judge.yours", file)
    assert "must end in .safetensors" in refused(capsys, "judge", file, "-o", tmp_path / "net.bin")
    assert "'other'" in refused(capsys, "judge", file, "--set", "other.wide=4")
    assert "no folder" in refused(capsys, "judge", file, "-o", tmp_path / "no" / "net.safetensors")


def test_a_pickle_given_as_weights_is_told_how_to_become_some(layer, tmp_path, photo_folder, capsys):
    file = saved(tmp_path / "net.pth", layer.state_dict())
    assert run(["scan", str(photo_folder), "-m", "judge", "--weights", f"judge={file}"]) == 2
    line = capsys.readouterr().err
    assert "is a pickle, which can run code when opened" in line
    assert f"`forensic weights convert judge {file}` makes safetensors of it" in line


def test_what_a_person_fetches_is_no_download(capsys):
    assert run(["weights", "pull", "judge"]) == 3
    err = capsys.readouterr().err
    assert "get nets/judge.pth from https://example.org/judge" in err
    assert run(["weights", "list"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "not here" in rows["judge"]


def test_caution_is_shown_before_use(capsys):
    assert run(["methods", "judge"]) == 0
    assert "Caution:  weights under CC BY-NC 4.0: not for commercial use" in capsys.readouterr().out
    assert run(["methods", "judge.plain"]) == 0
    assert "Caution" not in capsys.readouterr().out
