"""The results folder: every file is there, can be read, and agrees with the others, whatever is missing."""

import csv
import io
import json
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from hand_made import HOSTILE, evaluation, image, pictures, run
from PIL import Image

from forensic_cli.engine.evaluating.figures.figures import FIGURES
from forensic_cli.engine.evaluating.figures.robustness import sweeps
from forensic_cli.engine.evaluating.page.page import sentence
from forensic_cli.engine.evaluating.tables.tables import NAMES
from forensic_cli.engine.evaluating.writing import write_results
from forensic_cli.errors import ReportError

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Fails where tags do not match; keeps what a test asks for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.text = [], Counter(), Counter(), [], ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        for name, value in attributes:
            if name == "id":
                self.ids[value] += 1
            if name in ("href", "src", "xlink:href"):
                self.links.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "svg"} & set(self.open):
            self.text += data


def strict(file):
    def refuse(word):
        raise AssertionError(f"{file} has {word}")

    return json.loads(file.read_text(), parse_constant=refuse)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """An evaluation with a bit of everything, and hostile names wherever a stranger gives one."""
    folder = tmp_path_factory.mktemp("full") / "new" / "results"
    images = [
        *pictures(generators=("flux", HOSTILE), each=20),
        image(HOSTILE, "photograph"),
        image("a\udcff.jpg", "photograph"),
    ]
    one = evaluation(
        images,
        methods=("commfor.lite", HOSTILE),
        transforms=("none", "jpeg:90", "jpeg:70", "webp:80", "noise:0.05@generated"),
        run=run(("commfor.lite", HOSTILE), f"forensic evaluate '{HOSTILE}'"),
        units={"commfor.lite": "log-odds", HOSTILE: "no such unit"},
        left_out=[(HOSTILE, HOSTILE), ("b\udcfe.jpg", "truncated")],
        controls=[
            {
                "name": "all",
                "auroc": 0.9,
                "warning": f"loud {HOSTILE}",
                "curve": {"fpr": [0.0, 0.1, 1.0], "tpr": [0.0, 0.8, 1.0]},
            },
            {"name": "size", "auroc": float("nan"), "warning": None},
        ],
        kinds=[{"method": HOSTILE, "kind": HOSTILE, "n": 3, "fpr": {"0.05": 0.1}}],
        comparisons=[{"a": "commfor.lite", "b": HOSTILE, "difference": 0.1, "difference_interval": [0.0, 0.2], "p": 0.04}],
        recipe={"name": "x", "title": HOSTILE, "paper": HOSTILE, "published": []},
    )
    lines = []
    write_results(one, folder, lines.append)
    assert "index.html" in lines[0]
    return one, folder


def test_json_agrees(full):
    one, folder = full
    found = strict(folder / "results.json")
    assert found["schema"] == "forensic/evaluation/1"
    assert found["rows"] == json.loads(json.dumps(one.rows))
    assert found["run"]["command"] == one.run.command
    assert found["controls"][1]["auroc"] is None
    assert found["kinds"] == one.kinds
    assert found["comparisons"] == one.comparisons
    assert found["recipe"]["title"] == HOSTILE
    assert found["left_out"] == [{"path": HOSTILE, "reason": HOSTILE}, {"path": "b\\xfe.jpg", "reason": "truncated"}]


def test_every_score_has_its_line(full):
    one, folder = full
    rows = list(csv.DictReader(io.StringIO((folder / "scores.csv").read_text(), newline="")))
    assert len(rows) == len(one.images) * len(one.scores)
    assert list(rows[0]) == ["path", "sha256", "label", "generator", "transform", "method", "score"]
    place = {picture.sha256: number for number, picture in enumerate(one.images)}
    for row in rows[:: len(rows) // 50]:
        number, method = place[row["sha256"]], "commfor.lite" if row["method"] == "commfor.lite" else HOSTILE
        assert float(row["score"]) == one.scores[method, row["transform"]][number]
        assert row["label"] == one.images[number].label
    assert {row["path"] for row in rows} >= {"photos/0.jpg", "a\\xff.jpg"}


def test_every_table_and_figure_is_there_and_valid(full):
    _, folder = full
    here = {file.name for file in (folder / "tables").iterdir()}
    assert here == {f"{name}.{suffix}" for name in NAMES if name != "published" for suffix in ("csv", "tex", "md")}
    assert {file.name for file in (folder / "figures").iterdir()} == {
        f"{name}.{end}" for name in FIGURES for end in ("svg", "png")
    }
    for name in FIGURES:
        assert ElementTree.parse(folder / "figures" / f"{name}.svg").getroot().tag.endswith("svg")
        with Image.open(folder / "figures" / f"{name}.png") as picture:
            picture.load()
            assert len(picture.convert("L").getcolors()) > 10  # something is drawn


def test_the_page_is_well_formed_and_strangers_names_are_text(full):
    _, folder = full
    text = (folder / "index.html").read_text()
    page = Page(text)
    assert not {"script", "iframe", "object"} & set(page.tags)
    assert page.tags["svg"] == len(FIGURES)
    assert page.ids
    assert set(page.ids.values()) == {1}
    outside = [link for link in page.links if not link.startswith("#")]
    assert outside
    for link in outside:
        assert (folder / link).exists(), link
    for link in set(page.links) - set(outside):
        assert link[1:] in page.ids
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(page.ids)
    shown = HOSTILE.replace("\u202e", r"\u202e").replace("\x07", r"\x07")
    assert page.text.count(shown) >= 8
    assert "\u202e" not in text
    assert "b\\xfe.jpg" in page.text


def test_the_page_tells_in_order(full):
    one, folder = full
    text = Page((folder / "index.html").read_text()).text
    words = (
        *(sentence(one), "Before you read on", "Controls", "How well each method does", "(uncalibrated)", "Figures"),
        *(
            "After compression",
            "False alarms by kind",
            "compared in pairs",
            "What was left out",
            "The run",
            "forensic evaluate",
        ),
    )
    places = [text.index(word) for word in words]
    assert places == sorted(places)


def test_what_was_evaluated_in_a_sentence(full):
    assert sentence(full[0]) == (
        "2 methods judged 82 photographs, 20 handmade pictures and 40 generated images by 2 generators, "
        "as they are and after 4 transforms."
    )


def test_the_same_evaluation_gives_the_same_files(tmp_path):
    for name in ("first", "second"):
        write_results(evaluation(FLAT, methods=("one",), transforms=("none",)), tmp_path / name, lambda line: None)
    files = list((tmp_path / "first").rglob("*.*"))
    assert len(files) > 20
    for file in files:
        assert file.read_bytes() == (tmp_path / "second" / file.relative_to(tmp_path / "first")).read_bytes(), file


PHOTOGRAPHS = [image(f"{number}.jpg", "photograph") for number in range(5)]
FLAT = pictures(10, 0, ("flux",), 10)
BARE = {
    "nothing": {"images": [], "methods": (), "transforms": (), "rows": []},
    "no generated image": {"images": PHOTOGRAPHS},
    "one of each": {
        "images": [PHOTOGRAPHS[0], image("x.png", "generated", "flux")],
        "methods": ("one",),
        "transforms": ("none",),
    },
    "no generator named": {"images": [*PHOTOGRAPHS, image("x.png", "generated")]},
    "all failed": {"scores": {("one", "none"): np.full(190, np.nan)}, "rows": [], "methods": ("one",)},
    "all scores equal": {
        "images": FLAT,
        "scores": {("one", "none"): np.full(20, 1e9)},
        "rows": [],
        "units": {"one": "log-odds"},
    },
    "probabilities out of range": {
        "images": FLAT,
        "scores": {("one", "none"): np.linspace(-1, 2, 20)},
        "units": {"one": "probability"},
    },
    "probabilities at the ends": {
        "images": FLAT,
        "scores": {("one", "none"): np.repeat([0.0, 1.0], 10)},
        "units": {"one": "probability"},
    },
    "another script": {
        "images": pictures(9, 0, ("\u5feb\u624b", "\u0628\u0631"), 9),
        "transforms": ("none", "\u5feb:1", "\u5feb:2"),
    },
}


@pytest.mark.parametrize("name", BARE)
def test_empty_parts_break_nothing(name, tmp_path):
    one = evaluation(**{"transforms": ("none",), **BARE[name]})
    write_results(one, tmp_path, lambda line: None)
    assert strict(tmp_path / "results.json")["rows"] == json.loads(json.dumps(one.rows))
    Page((tmp_path / "index.html").read_text())
    rows = list(csv.reader(io.StringIO((tmp_path / "scores.csv").read_text(), newline="")))
    assert len(rows) == 1 + len(one.images) * len(one.scores)


def test_what_an_earlier_evaluation_left_is_not_shown(full, tmp_path):
    shutil.copytree(full[1], tmp_path, dirs_exist_ok=True)
    (tmp_path / "tables" / "mine.csv").write_text("mine")
    write_results(evaluation(PHOTOGRAPHS, rows=[]), tmp_path, lambda line: None)
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"scores.svg", "scores.png"}
    assert (tmp_path / "tables" / "mine.csv").exists()
    assert not (tmp_path / "tables" / "kinds.csv").exists()


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "results").write_text("mine")
    with pytest.raises(ReportError, match="cannot be made a folder"):
        write_results(evaluation(PHOTOGRAPHS), tmp_path / "results", lambda line: None)


def test_sweeps_are_told_from_single_transforms():
    lines, single = sweeps(["none", "jpeg:90", "webp:80", "jpeg:70", "noise:0.1@generated", "noise:0.2@generated", "crop"])
    assert lines == {
        "jpeg": {"90": "jpeg:90", "70": "jpeg:70"},
        "noise@generated": {"0.1": "noise:0.1@generated", "0.2": "noise:0.2@generated"},
    }
    assert single == ["none", "webp:80", "crop"]
