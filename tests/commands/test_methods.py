"""`forensic methods` and the bare command."""

import sys

import pytest

from forensic_cli import __version__
from forensic_cli.cli import run
from forensic_cli.status import Status
from installing import DETECTOR, install


def test_the_list_names_everything_and_marks_the_defaults(capsys):
    assert run(["methods"]) == Status.DONE
    lines = capsys.readouterr().out.splitlines()
    starts = [line.split()[:2] for line in lines if not line.startswith("    ")]
    assert ["*", "provenance"] in starts
    assert {"rigid", "wepe"} <= {words[0] for words in starts if words}
    assert f"forensic-cli {__version__}" in " ".join(lines)


def test_a_broken_plugin_is_listed_without_harm(tmp_path, monkeypatch, capsys):
    install(tmp_path, "stranger", code='"""A sentence."""\n1/0')
    monkeypatch.syspath_prepend(tmp_path)
    assert run(["methods"]) == Status.DONE
    out = capsys.readouterr().out
    assert "A sentence." in out
    assert "stranger 0.1" in out
    assert run(["methods", "stranger"]) == Status.USAGE
    err = capsys.readouterr().err
    assert "stranger 0.1 [stranger]: ZeroDivisionError" in err
    assert len(err.splitlines()) == 1
    sys.modules.pop("stranger", None)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "wepe",
            [
                "arXiv:2412.05897",
                "Eq. 3",
                "facebook/dinov2-large@47b73ee",
                "Apache-2.0",
                "--set wepe.ratio=0.1",
                "1,218 MB",
            ],
        ),
        ("commfor", ["OwensLab/commfor-model-384 (MIT, 87 MB, not pinned; checked by SHA-256)"]),
        ("commfor.224", ["OwensLab/commfor-model-224 (MIT, 87 MB, nothing pins it)"]),
        ("rigid", ["arXiv:2405.20112", "--set rigid.ratio=0.05", "shared|paper"]),
        ("provenance", ["C2PA", "the file, not its pixels", "--set provenance.trust_list=none"]),
    ],
)
def test_one_method_is_explained(name, words, capsys):
    assert run(["methods", name]) == Status.DONE
    out = capsys.readouterr().out
    for word in words:
        assert word in out


def test_a_loose_file_is_listed_and_explained(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(DETECTOR.format(name="mine"))
    assert run(["methods", "--plugin", str(path)]) == Status.DONE
    assert "mine" in capsys.readouterr().out
    assert run(["methods", "mine", "--plugin", str(path)]) == Status.DONE
    assert "A made-up detector." in capsys.readouterr().out


def test_version(capsys):
    assert run(["--version"]) == Status.DONE
    assert capsys.readouterr().out == f"forensic {__version__}\n"


def test_no_command_shows_the_help(capsys):
    assert run([]) == Status.USAGE
    assert "Commands:" in capsys.readouterr().out


def test_a_wrong_command_is_one_line(capsys):
    assert run(["scna"]) == Status.USAGE
    streams = capsys.readouterr()
    assert streams.out == ""
    assert len(streams.err.splitlines()) == 1
    assert "scna" in streams.err


def test_the_traceback_is_shown_on_request(capsys, monkeypatch):
    from forensic_cli.commands.parameters import Shown

    monkeypatch.setattr(Shown, "traceback", False)
    assert run(["methods", "nonsense", "--debug"]) == Status.USAGE
    assert "Traceback" in capsys.readouterr().err
