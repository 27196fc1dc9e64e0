"""Every recipe from end to end on a miniature of its data set; a stand-in that measures brightness is each method."""

import json
from dataclasses import make_dataclass

import pytest
from miniatures import miniature

from forensic_cli import Detector
from forensic_cli.cli import run
from forensic_cli.engine.evaluating import writing
from forensic_cli.entries import Entry
from forensic_cli.plugins import Offer, Plugins
from forensic_cli.recipes import every
from forensic_cli.status import Status

RECIPES = {recipe.name: recipe for recipe in list(every())}


def stand_in(recipe, name):
    """A detector with the options that the recipe sets for this method."""
    names = {option for entry in recipe.entries if entry.method == name for option in entry.settings}

    class Bright(Detector):
        """Bright images look generated to it."""

        Options = make_dataclass("Options", [(option, str, "") for option in sorted(names)], frozen=True)

        def score(self, batch):
            return [float(image.mean()) for image in batch.images]

    entry = Entry("forensic.detectors", name, "nowhere", "stand-in", "1.0")
    return Offer(name, Bright, entry)


@pytest.fixture
def standing_in(monkeypatch):
    def use(recipe):
        monkeypatch.setattr(Plugins, "detector", lambda self, name: stand_in(recipe, name))

    return use


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_from_end_to_end(name, tmp_path, standing_in, monkeypatch):
    recipe = RECIPES[name]
    standing_in(recipe)
    if name not in ("wepe-table1", "pretext-figure4"):
        monkeypatch.setattr(writing, "drawings", lambda evaluation: iter(()))  # they take seconds each
    typed = miniature(recipe, tmp_path / "data")
    out = tmp_path / "results"
    assert run(["evaluate", "--recipe", name, *typed, "-o", str(out), "--draws", "10", "--no-store"]) == Status.DONE
    found = json.loads((out / "results.json").read_text())
    assert found["recipe"]["published"] == [one.to_json() for one in recipe.published]
    assert {row["method"] for row in found["rows"]} == {entry.label for entry in recipe.entries}
    assert {row["transform"] for row in found["rows"]} == {"none", *recipe.transforms}
    shown = {row["generator"] for row in found["rows"]}
    assert set(recipe.data.generators) <= shown
    published = (out / "tables" / "published.csv").read_text() if recipe.published else ""
    assert all(
        entry.label in published for entry in recipe.entries if entry.label in {one.method for one in recipe.published}
    )


def test_a_method_that_is_not_installed_is_named_and_left_out(tmp_path, monkeypatch, capsys):
    recipe = RECIPES["wepe-table3"]
    real = Plugins.detector
    lacking = lambda self, name: real(self, "nothing") if name == "rigid" else stand_in(recipe, name)  # noqa: E731
    monkeypatch.setattr(Plugins, "detector", lacking)
    monkeypatch.setattr(writing, "drawings", lambda evaluation: iter(()))
    typed = miniature(recipe, tmp_path / "data")
    out = tmp_path / "results"
    assert run(["evaluate", "--recipe", recipe.name, *typed, "-o", str(out), "--draws", "10", "--no-store"]) == Status.DONE
    rows = json.loads((out / "results.json").read_text())["rows"]
    assert "rigid" not in {row["method"] for row in rows}
    assert "rigid is left out" in capsys.readouterr().err


def test_a_recipe_without_its_data_says_what_it_needs(capsys):
    assert run(["evaluate", "--recipe", "wepe-table3"]) == Status.USAGE
    assert "GenImage" in capsys.readouterr().err
