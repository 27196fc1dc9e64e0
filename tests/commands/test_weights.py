"""`forensic weights`, as a person uses it: exit codes, what is said and where, a trip to a machine without a network."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forensic_cli.cli import run
from forensic_cli.commands import completion
from forensic_cli.weights import locate
from hubs import COMMIT, CONFIG, Hub, fill_cache, point_at, serving, tensors, transformers_folder
from installing import install

NEEDS = """
from dataclasses import dataclass
from forensic_cli import Detector, Weights, hookimpl

class Needy(Detector):
    '''Made up.'''
    @dataclass(frozen=True)
    class Options:
        weights: Weights = Weights({source!r}, revision={revision!r}, licence="MIT", bytes={bytes!r})
    def score(self, batch):
        return [0.0] * len(batch)

@hookimpl
def register_detectors(register):
    register({name!r}, Needy)
"""
FILES = {"config.json": CONFIG, "model.safetensors": tensors()}


def needy(folder: Path, name: str, source: str, revision: str | None = COMMIT, size: int | None = None) -> None:
    install(folder, name, NEEDS.format(name=name, source=source, revision=revision, bytes=size))


@pytest.fixture
def site(tmp_path, monkeypatch) -> Iterator[Path]:
    """Two methods, first and second, that need owner/one and owner/two; nothing is here and the hub is closed."""
    folder = tmp_path / "site"
    folder.mkdir()
    needy(folder, "first", "owner/one", size=1_217_000_000)
    needy(folder, "second", "owner/two")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("FORENSIC_PLUGINS", "first,second,third,broken")
    point_at(monkeypatch, tmp_path / "hub")
    yield folder
    for name in ("first", "second", "third", "broken"):
        sys.modules.pop(name, None)


def test_list_tells_where_they_are(site, tmp_path, capsys):
    fill_cache(tmp_path / "hub", "owner/two", FILES)
    local = transformers_folder(tmp_path / "net")
    needy(site, "third", str(local), revision=None)
    assert run(["weights", "list"]) == 0
    out, err = capsys.readouterr()
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert "owner/one@c0ffee0" in rows["first"]
    assert "MIT" in rows["first"]
    assert "1.22 GB" in rows["first"]
    assert rows["first"].rstrip().endswith("not here")
    assert f"{sum(map(len, FILES.values()))} bytes" in rows["second"]
    assert rows["second"].rstrip().endswith("hub cache")
    assert rows["third"].rstrip().endswith("local files")
    assert err == ""


def test_list_tells_what_no_commit_pins(monkeypatch, capsys):
    monkeypatch.setenv("FORENSIC_PLUGINS", "commfor")
    assert run(["weights", "list"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "OwensLab/commfor-model-384 (not pinned; checked by SHA-256) MIT" in text
    assert "OwensLab/commfor-model-224 (nothing pins it) MIT" in text
    assert re.search(r"commfor/lite Apache-2.0 [\d.]+ MB comes with the tool", text)


def test_broken_plugin_is_one_line_and_status_three(site, capsys):
    install(site, "broken", "import no_such_module")
    assert run(["weights", "list"]) == 3
    out, err = capsys.readouterr()
    assert "first" in out
    assert len(err.splitlines()) == 1
    assert "broken 0.1 [broken]" in err
    assert "no_such_module" in err


def test_method_without_weights(site, capsys):
    install(site, "third")
    assert run(["weights", "list"]) == 0
    assert "third   needs none" in capsys.readouterr().out
    assert run(["weights", "bundle", "third", "-o", "x.tar"]) == 2
    assert "needs no weights" in capsys.readouterr().err


def test_pull_says_licence_and_size_first(site, tmp_path, monkeypatch, capsys):
    with serving(Hub({"owner/two": FILES})) as server:
        point_at(monkeypatch, tmp_path / "hub", server.endpoint, offline=False)
        assert run(["weights", "pull", "second"]) == 0
        first, last = capsys.readouterr().err.splitlines()
        assert "licence MIT" in first
        assert f"{sum(map(len, FILES.values()))} bytes" in first
        assert "snapshots" in last
        asked = len(server.asked)
        assert run(["weights", "pull", "second"]) == 0
        assert "is here already (hub cache)" in capsys.readouterr().err
        assert len(server.asked) == asked


def test_pull_goes_on_after_a_failure(site, tmp_path, monkeypatch, capsys):
    with serving(Hub({"owner/two": FILES})) as server:
        point_at(monkeypatch, tmp_path / "hub", server.endpoint, offline=False)
        assert run(["weights", "pull", "--all"]) == 3
    err = capsys.readouterr().err
    assert "forensic: first: owner/one is no local path, and " in err
    assert "run `forensic weights pull first` on a connected machine" in err
    assert "second: owner/two@c0ffee0 is at" in err


@pytest.mark.parametrize("arguments", [[], ["first", "--all"]])
def test_pull_wants_names_or_all(site, capsys, arguments):
    assert run(["weights", "pull", *arguments]) == 2
    assert "name the methods" in capsys.readouterr().err


def test_unknown_method(site, capsys):
    assert run(["weights", "pull", "frist"]) == 2
    assert "did you mean first?" in capsys.readouterr().err


def test_verify(site, tmp_path, capsys):
    assert run(["weights", "verify"]) == 0
    assert capsys.readouterr().out.count("not on this machine") == 2
    snapshot = fill_cache(tmp_path / "hub", "owner/two", FILES)
    assert run(["weights", "verify", "second"]) == 0
    assert "as expected, 2 files" in capsys.readouterr().out
    (snapshot / "model.safetensors").resolve().write_bytes(tensors(5))
    assert run(["weights", "verify"]) == 3
    out, err = capsys.readouterr()
    assert "second: owner/two@c0ffee0: NOT as expected" in out
    assert f"{snapshot / 'model.safetensors'}: its SHA-256 begins" in err


def test_verify_says_when_nothing_is_known(site, tmp_path, capsys):
    needy(site, "third", str(transformers_folder(tmp_path / "net")), revision=None)
    assert run(["weights", "verify", "third"]) == 0
    assert "nothing is known to compare with" in capsys.readouterr().out


def test_verify_of_weights_that_are_gone(site, tmp_path, capsys):
    needy(site, "third", str(tmp_path / "gone"), revision=None)
    assert run(["weights", "verify"]) == 3
    assert "third: " in capsys.readouterr().err


def test_bundle_and_unbundle(site, tmp_path, monkeypatch, capsys):
    fill_cache(tmp_path / "hub", "owner/two", FILES)
    tar = tmp_path / "two.tar"
    assert run(["weights", "bundle", "second", "--offline", "-o", str(tar)]) == 0
    assert "forensic weights unbundle two.tar" in capsys.readouterr().err
    point_at(monkeypatch, tmp_path / "empty")
    assert run(["weights", "unbundle", str(tar)]) == 0
    assert "owner/two@c0ffee000000: 2 files checked" in capsys.readouterr().err
    assert run(["weights", "list"]) == 0
    assert "unbundled" in capsys.readouterr().out
    assert run(["weights", "verify", "second"]) == 0
    assert "as expected, 2 files" in capsys.readouterr().out


def test_bundle_of_what_is_not_here(site, tmp_path, capsys):
    assert run(["weights", "bundle", "first", "--offline", "-o", str(tmp_path / "one.tar")]) == 2
    assert "owner/one@c0ffee000000 is no local path" in capsys.readouterr().err
    assert not (tmp_path / "one.tar").exists()


def test_unbundle_of_something_else(site, tmp_path, capsys):
    (tmp_path / "x.tar").write_text("hello")
    assert run(["weights", "unbundle", str(tmp_path / "x.tar")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_loose_plugin_file(site, tmp_path, capsys):
    local = transformers_folder(tmp_path / "net")
    loose = tmp_path / "loose.py"
    loose.write_text(NEEDS.format(name="loose", source=str(local), revision=None, bytes=None))
    assert run(["weights", "verify", "loose", "--plugin", str(loose)]) == 0
    assert "loose: " in capsys.readouterr().out
    assert run(["weights", "bundle", "loose", "--plugin", str(loose), "-o", str(tmp_path / "loose.tar")]) == 0


def test_completion(site):
    assert completion.methods("") == ["first", "second"]
    assert completion.methods("se") == ["second"]
    assert completion.methods("first,") == ["first,second"]
    assert completion.methods("x") == []
    assert "jsonl" in completion.formats("js")


def test_completion_and_help_import_no_plugin(site, tmp_path):
    code = (
        "import sys; from forensic_cli.commands import completion, weights, doctor; completion.methods(''); "
        "completion.formats(''); heavy = {'torch', 'numpy', 'huggingface_hub', 'sqlite3', 'rich.table', 'first'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_default_of_an_option_is_what_is_located(site, tmp_path):
    """The commands and a scan find the same weights: both go through the record in the method's options."""
    from forensic_cli.options import weights_of
    from forensic_cli.plugins import Plugins

    snapshot = fill_cache(tmp_path / "hub", "owner/two", FILES)
    (weights,) = weights_of(Plugins().detector("second").factory.Options())
    assert locate(weights, offline=True).path == snapshot
