"""Commands, layouts, recipes and transforms of other packages: found without an import, named where they break."""

import sys

import numpy as np
import pytest
from PIL import Image

from forensic_cli.cli import run
from forensic_cli.datasets import read_dataset
from forensic_cli.datasets.layouts import layouts
from forensic_cli.entries import _installed, _tables
from forensic_cli.errors import PluginError, UsageError
from forensic_cli.recipes import every, load
from forensic_cli.transforms import expand, parse
from installing import install

LAYOUT = """
from forensic_cli.datasets import Layout

MINE = {"zoo": Layout("two made-up generators", "GENERATOR/{real,fake}", ("lion", "tiger"))}
"""
TRANSFORM = """
from forensic_cli.transforms import Kind, Number

def darker(image, by):
    return image - (image * by).astype("uint8")

MINE = {"darker": Kind(darker, "Darker by a share", (Number("by", 0, 1, 0.5),))}
"""
COMMAND = """
'''Counts the letters of a word.

More about it.
'''

def letters(word: str) -> None:
    '''Count the letters of WORD.'''
    print(len(word) if word != "crash" else 1 / 0)
"""
RECIPE = """
title = "Zoo, table 1"
paper = "arXiv:0000.00000"
shows = "Whether it works."
metrics = ["auroc"]
[data]
name = "The zoo"
layout = "folders"
where = "Nowhere."
[[methods]]
method = "probe"
"""


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Installs a package that offers something in one group; its module is forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)

    def offered(name, group, value, code, entry=None):
        _tables.cache_clear()
        _installed.cache_clear()
        install(tmp_path, name, code, offers=f"[forensic.{group}]\n{entry or name} = {value}\n")

    yield offered
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)


def pictures(folder, *names):
    for name in names:
        (folder / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / name / "a.png")


def test_a_layout_is_listed_named_and_recognised(offer, tmp_path):
    offer("zoo_layouts", "layouts", "zoo_layouts:MINE", LAYOUT)
    assert layouts()["zoo"] == "two made-up generators"
    pictures(tmp_path / "data", "lion/real", "LION/fake", "tiger/fake")
    assert read_dataset([str(tmp_path / "data")]).layout == "zoo"
    assert {item.generator for item in read_dataset([str(tmp_path / "data")], "zoo").items} == {"lion", "tiger", ""}


@pytest.mark.parametrize(
    ("name", "value", "code", "words"),
    [
        ("broken_import", "broken_import:MINE", "import no_such_module", "No module named 'no_such_module'"),
        ("broken_name", "broken_name:THEIRS", LAYOUT, "has no attribute 'THEIRS'"),
        ("broken_module", "broken_module", LAYOUT, "is no mapping of names"),
        ("broken_value", "broken_value:MINE", "MINE = {'zoo': 3}", "'zoo' is not a Layout"),
        ("broken_word", "broken_word:MINE", LAYOUT.replace('"zoo"', '"The Zoo"'), "'The Zoo' is no name"),
    ],
)
def test_a_broken_package_is_left_out_and_named(offer, tmp_path, name, value, code, words):
    offer(name, "layouts", value, code)
    assert "zoo" not in layouts()
    pictures(tmp_path / "data", "real", "fake")
    (note,) = read_dataset([str(tmp_path / "data")]).notes
    assert note.startswith(f"{name} 0.1 [{name}]: ")
    assert words in note
    assert note.endswith(f"(to remove it: pip uninstall {name})")
    with pytest.raises(UsageError, match=f"there is no layout 'zoo'.*{name} 0.1"):
        read_dataset([str(tmp_path / "data")], "zoo")


def test_two_packages_with_one_name_are_both_named_and_neither_is_used(offer):
    offer("one", "layouts", "one:MINE", LAYOUT)
    offer("two", "layouts", "two:MINE", LAYOUT)
    assert "zoo" not in layouts()
    with pytest.raises(UsageError, match=r"one 0.1 \[one\] and two 0.1 \[two\] both offer the layout 'zoo'"):
        read_dataset(["."], "zoo")


def test_nobody_takes_a_name_of_ours(offer, tmp_path):
    before = layouts()["genimage"]
    offer("thief", "layouts", "thief:MINE", LAYOUT.replace("zoo", "genimage"))
    assert layouts()["genimage"] == before
    pictures(tmp_path / "data", "real", "fake")
    assert "thief 0.1" in read_dataset([str(tmp_path / "data")]).notes[0]


def test_a_transform_is_typed_like_ours(offer):
    offer("dark", "transforms", "dark:MINE", TRANSFORM)
    assert expand("darker:0.25/0.5+none") == ["darker:0.25", "darker:0.5"]
    image = parse("darker:0.5")(np.full((2, 2, 3), 100, np.uint8), seed=0)
    assert (image == 50).all()
    with pytest.raises(UsageError, match=r"by is a number from 0 to 1, not '2'; for example darker:0\.5"):
        parse("darker:2")


def test_what_is_missing_for_a_transform_is_told(offer):
    offer("dusk", "transforms", "dusk:MINE", "raise SystemExit('sold')")
    with pytest.raises(UsageError, match=r"no transform is called 'darker'.*dusk 0\.1.*sold"):
        parse("darker:0.5")


def test_a_command_runs_and_help_does_not_import_it(offer, capsys):
    offer("letters", "commands", "letters:letters", COMMAND)
    assert run(["--help"]) == 0
    assert "letters      Counts the letters of a word (letters)." in capsys.readouterr().out
    assert "letters" not in sys.modules
    assert run(["letters", "abc"]) == 0
    assert capsys.readouterr().out == "3\n"
    assert run(["letters", "--help"]) == 0
    assert "Count the letters of WORD." in capsys.readouterr().out
    assert run(["letters"]) == 2
    assert capsys.readouterr().err == "forensic: Missing argument 'word' (see --help)\n"


def test_a_command_that_breaks_is_named_with_its_package(offer, capsys):
    offer("letters", "commands", "letters:letters", COMMAND)
    assert run(["letters", "crash"]) == 3
    assert capsys.readouterr().err.startswith("forensic: letters 0.1 [letters]: a mistake of this package")
    offer("worse", "commands", "worse:worse", "import no_such_module")
    assert run(["worse"]) == 2
    assert "worse 0.1 [worse]: ModuleNotFoundError: No module named 'no_such_module'" in capsys.readouterr().err
    assert run(["no-such-word"]) == 2
    assert "No such command 'no-such-word'" in capsys.readouterr().err


def test_two_packages_with_one_command(offer, capsys):
    offer("letters", "commands", "letters:letters", COMMAND)
    offer("rival", "commands", "rival:letters", COMMAND, entry="letters")
    assert run(["letters", "abc"]) == 2
    assert "letters 0.1 and rival 0.1 both offer the command 'letters'" in capsys.readouterr().err
    assert run(["--help"]) == 0
    assert "(letters and rival)" in " ".join(capsys.readouterr().out.split())


def test_nobody_takes_a_command_of_ours(offer, capsys):
    offer("thief_command", "commands", "thief_command:letters", COMMAND, entry="methods")
    assert run(["methods"]) == 0
    run(["doctor"])
    assert "forensic-cli 0.1.0 and thief_command 0.1 both offer the command 'methods'" in capsys.readouterr().out


def test_what_is_no_command_is_named(offer, capsys):
    offer("number", "commands", "number:LETTERS", "LETTERS = 3")
    assert run(["number"]) == 2
    assert "number 0.1 [number]: number:LETTERS is no function, and no Typer app" in capsys.readouterr().err


def test_lists_name_what_is_missing(offer, capsys):
    offer("lost_layouts", "layouts", "lost_layouts:MINE", "MINE = 1")
    offer("lost_transforms", "transforms", "lost_transforms:MINE", "MINE = 1")
    for option, name in (("--layout", "lost_layouts"), ("--transform", "lost_transforms")):
        assert run(["evaluate", option, "list"]) == 0
        assert f"{name} 0.1 [{name}]: " in capsys.readouterr().err


def test_recipes_are_files_of_a_package(offer, tmp_path, capsys):
    offer("zoo_paper", "recipes", "zoo_recipes", "", entry="zoo")
    folder = tmp_path / "zoo_recipes"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise ValueError('nobody imports me')")
    (folder / "table1.toml").write_text(RECIPE)
    (folder / "table2.toml").write_text("colour = 3\n" + RECIPE)
    assert load("zoo-table1").title == "Zoo, table 1"
    with pytest.raises(PluginError, match=r"zoo_paper 0.1 \[zoo\]: .*table2.toml: .*colour") as broken:
        load("zoo-table2")
    assert [str(one) for one in every() if isinstance(one, PluginError)] == [str(broken.value)]
    assert run(["evaluate", "--recipe", "list"]) == 0
    shown = capsys.readouterr()
    assert "Zoo, table 1" in shown.out
    assert shown.err.count("zoo_paper 0.1 [zoo]: ") == 1


def test_a_package_without_recipes_is_named(offer):
    offer("empty", "recipes", "empty", "")
    (error,) = (one for one in every() if isinstance(one, PluginError))
    assert "empty 0.1 [empty]: empty is no package with TOML files in it" in str(error)


def test_doctor_tells_what_cannot_be_used(offer, capsys):
    offer("letters", "commands", "letters:letters", "import no_such_module")
    offer("broken", "layouts", "broken:MINE", "MINE = 1")
    offer("dim", "transforms", "dim:MINE", "MINE = 1")
    offer("empty", "recipes", "empty", "")
    run(["doctor"])
    shown = capsys.readouterr().out
    assert [name for name in ("letters", "broken", "dim", "empty") if f"{name} 0.1 [{name}]: " not in shown] == []
