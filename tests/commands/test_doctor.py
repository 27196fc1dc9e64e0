"""`forensic doctor` describes this machine, and tells each kind of trouble with its repair."""

import json
import sys
from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pytest

from forensic_cli.cli import run
from forensic_cli.commands import checkup, providers
from forensic_cli.commands.sizes import human
from installing import install


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """One whole examination for all tests that only read it: it imports torch and starts onnxruntime."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORENSIC_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("FORENSIC_PLUGINS", raising=False)
        return checkup.examine()


@pytest.fixture
def seen(report, monkeypatch):
    monkeypatch.setattr(checkup, "examine", lambda: report)
    return report


def only(name: str) -> checkup.Checkup:
    """One examination alone."""
    found = checkup.Checkup()
    found.sections[name] = checkup._EXAMINATIONS[name](found)
    return found


def test_versions_are_those_that_are_installed(report):
    assert report.sections["program"]["forensic"] == metadata.version("forensic-cli")
    for name in ("torch", "transformers", "pillow", "c2pa-python"):
        assert report.sections["libraries"][name] == metadata.version(name)
    assert "pytest" not in report.sections["libraries"], "an extra is no requirement"


def test_devices(report):
    import torch

    devices = report.sections["torch"]["devices"]
    assert devices[0]["device"] == "cpu"
    assert devices[0]["threads"] == torch.get_num_threads()
    assert [one["device"] for one in devices if one["device"].startswith("cuda")] == [
        f"cuda:{index}" for index in range(torch.cuda.device_count())
    ]


def test_plugins_and_formats(report):
    assert report.sections["plugins"]["methods"]["provenance"].startswith("forensic-cli ")
    assert "json" in report.sections["plugins"]["reports"]
    assert report.sections["formats"] == dict.fromkeys(["JPEG", "PNG", "WebP", "AVIF", "TIFF", "HEIC"], True)


def test_plain_report(seen, capsys):
    assert run(["doctor"]) == (3 if seen.problems else 0)
    out, err = capsys.readouterr()
    for title in seen.sections:
        assert f"\n{title}\n" in f"\n{out}"
    assert err == ""


def test_json_holds_the_same(seen, capsys):
    run(["doctor", "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["schema"] == "forensic/doctor/1"
    assert {name: printed[name] for name in seen.sections} == json.loads(json.dumps(seen.sections))


def test_problems_are_marked_and_counted(monkeypatch, capsys):
    ill = checkup.Checkup({"program": {"forensic": "0.1"}}, [("this is broken", "mend it"), ("that too", "buy a new one")])
    monkeypatch.setattr(checkup, "examine", lambda: ill)
    assert run(["doctor"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[-5:] == [
        "2 problems found:",
        "  ! this is broken",
        "    repair: mend it",
        "  ! that too",
        "    repair: buy a new one",
    ]
    assert run(["doctor", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["problems"][0] == {"problem": "this is broken", "repair": "mend it"}


def test_a_healthy_report(monkeypatch, capsys):
    monkeypatch.setattr(checkup, "examine", lambda: checkup.Checkup({"program": {"forensic": "0.1"}}))
    assert run(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "No problem found."


def test_two_kinds_of_onnxruntime(tmp_path, monkeypatch):
    for name in ("onnxruntime", "onnxruntime-gpu"):
        folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(checkup, "trial", lambda names: (["CPUExecutionProvider"], ""))
    found = only("onnxruntime")
    what, repair = found.problems[0]
    assert what.startswith("onnxruntime and onnxruntime-gpu are installed together")
    assert repair.startswith("pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime")


def test_onnxruntime_that_was_overwritten(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(__version__="1.0"))
    found = only("onnxruntime")
    assert len(found.problems) == 1
    assert "get_available_providers" in found.problems[0][0]


def test_the_hand_written_model_is_the_identity():
    import onnxruntime

    session = onnxruntime.InferenceSession(providers.MODEL, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"x": np.array(1.25, np.float32)})
    assert answer == np.float32(1.25)


def test_only_what_runs_is_usable():
    usable, _ = providers.trial(["NoSuchExecutionProvider", "CPUExecutionProvider"])
    assert usable == ["CPUExecutionProvider"]


def test_cuda_that_is_only_listed(monkeypatch):
    fake = SimpleNamespace(
        __version__="1.0", get_available_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    monkeypatch.setattr(checkup, "trial", lambda names: (["CPUExecutionProvider"], "libcudnn.so.9: not found"))
    monkeypatch.setattr(checkup, "nvidia_driver", lambda: False)
    found = only("onnxruntime")
    assert found.sections["onnxruntime"]["usable"] == ["CPUExecutionProvider"]
    assert "libcudnn.so.9" in found.sections["onnxruntime"]["cuda"]
    assert found.problems == [], "no GPU, no complaint"
    monkeypatch.setattr(checkup, "nvidia_driver", lambda: True)
    ((what, repair),) = only("onnxruntime").problems
    assert "libcudnn.so.9" in what
    assert "onnxruntime-gpu[cuda,cudnn]" in repair


def test_a_driver_without_a_gpu_in_torch(monkeypatch):
    import torch

    monkeypatch.setattr(checkup, "nvidia_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    ((what, _),) = only("torch").problems
    assert "torch" in what
    assert "sees no GPU" in what
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert only("torch").problems == [], "hidden on purpose"


def test_broken_torch_is_a_line(report, monkeypatch):
    """After the whole report, so that whatever else needs torch is imported already and does not break half-way."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torch"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "import of torch halted" in only("torch").sections["torch"]["error"]
    assert any(what.startswith("torch cannot be imported") for what, _ in only("libraries").problems)


def test_missing_and_old_libraries(monkeypatch):
    required = ["no-such-library>=2", "numpy>=999", "pillow>=1", "pytest>=999; extra == 'test'"]
    monkeypatch.setattr(checkup.metadata, "requires", lambda name: required)
    found = only("libraries")
    assert [repair for _, repair in found.problems] == ["pip install 'no-such-library>=2'", "pip install 'numpy>=999'"]
    assert found.problems[0][0] == "no-such-library is not installed"
    assert found.problems[1][0].endswith("needed is >=999")


def test_broken_plugin(tmp_path, monkeypatch):
    install(tmp_path, "brokenone", "import no_such_module")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("FORENSIC_PLUGINS", "provenance,brokenone")
    found = only("plugins")
    ((what, _),) = found.problems
    assert "brokenone 0.1 [brokenone]" in what
    assert "no_such_module" in what
    assert list(found.sections["plugins"]["methods"]) == ["provenance"]


def test_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("FORENSIC_CACHE", str(tmp_path))
    (tmp_path / "scores").write_bytes(b"x" * 1234)
    ours = only("caches").sections["caches"]["ours"]
    assert (ours["path"], ours["bytes"], ours["writable"]) == (str(tmp_path), 1234, True)


def test_cache_that_cannot_be_used(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FORENSIC_CACHE", str(tmp_path / "file" / "x"))
    assert "cannot be made" in only("caches").problems[0][0]


def test_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=5_000_000))
    assert "has 5 MB of free disk" in only("caches").problems[0][0]


def test_what_nobody_foresaw_stops_no_other_examination(monkeypatch):
    def breaks(found):
        raise RuntimeError("surprise")

    monkeypatch.setattr(checkup, "_EXAMINATIONS", {"torch": breaks, "program": checkup._program})
    found = checkup.examine()
    assert found.sections["torch"] == {"error": "RuntimeError: surprise"}
    assert "forensic" in found.sections["program"]
    assert len(found.problems) == 1


def test_environment_without_secrets(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("FORENSIC_PLUGINS", "wepe")
    environment = only("program").sections["program"]["environment"]
    assert environment["FORENSIC_PLUGINS"] == "wepe"
    assert "hf_secret" not in json.dumps(environment)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (None, "size unknown"),
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (1_217_000_000, "1.22 GB"),
        (999_999, "1000 kB"),
        (78_100_000_000, "78.1 GB"),
    ],
)
def test_sizes_as_people_say_them(size, words):
    assert human(size) == words
