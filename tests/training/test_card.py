"""The card tells what was measured, on what, and how to do it again; the curves are drawn from what was kept."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from forensic_cli.datasets import Labelled
from forensic_cli.datasets.families import family
from forensic_cli.engine.measuring import Measured, by_generator, by_kind, table
from forensic_cli.profiles import Calibrated
from forensic_cli.records import MethodUse
from forensic_cli.training.card import Card, write_card
from forensic_cli.training.curves import draw_curves
from forensic_cli.training.fitting import State


def some(count, source, generator="", kind="photograph", licence="CC0"):
    return [Labelled(f"{source}/{n}.jpg", bool(generator), generator, source, kind, licence) for n in range(count)]


KNOWN = [*some(40, "flickr", licence="CC BY 4.0"), *some(30, "phone", licence=""), *some(50, "sdxl", "sdxl", "generated")]
UNSEEN = [
    *some(60, "museum", licence="CC0"),
    *some(60, "street | night", licence="all rights\nreserved"),
    *some(30, "midjourney", "midjourney", "generated", ""),
    *some(30, "flux", "flux", "generated"),
    *some(9, "comics", kind="handmade: comic"),
]
RECORD = {
    "method": "commfor.lite",
    "command": "forensic train commfor.lite data/ -o model/ --seed 7",
    "seed": 7,
    "dtype": "float32",
    "recipe": {"backbone": "tf_efficientnet_lite0", "steps": 3600, "batch": 32, "lr": 0.0003},
    "started_from": "efficientnet-lite0.pth",
    "data": {"fingerprint": "ab" * 32, "trained_on": 120, "held_out": 1189},
}


@pytest.fixture(scope="module")
def measured():
    scores = np.random.default_rng(0).normal(0, 1, len(UNSEEN)) + [2.0 * one.generated for one in UNSEEN]
    return figures(UNSEEN, scores, {"native": scores, "jpeg:70": scores / 2}, 0.731)


def figures(items, scores, conditions, control):
    use = MethodUse("commfor.lite", "forensic-cli", "0", {}, ())
    real = [number for number, one in enumerate(items) if one.label == "photograph"]
    calibrated = Calibrated.of(use, scores[real], beside=True, sources=[items[one].source for one in real])
    limits = calibrated.verdict_thresholds
    return Measured(
        calibrated=calibrated,
        conditions={name: table(items, some, some, limits) for name, some in conditions.items()},
        families=by_generator(items, scores, scores, limits, "family", family),
        generators=by_generator(items, scores, scores, limits),
        kinds=by_kind(items, scores, limits),
        zero_pixel=control,
        items=items,
        scores=scores,
    )


def written(tmp_path, measured, record=RECORD, known=KNOWN, unseen=UNSEEN):
    write_card(tmp_path / "README.md", Card(record, known, unseen, measured))
    return (tmp_path / "README.md").read_text()


def rows(text, first):
    """The rows of the table whose head begins with `first`, as lists of cells."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").replace("\\|", "\0").split("|")])
    return [[cell.replace("\0", "|") for cell in row] for row in found]


def test_sources_stand_with_their_licence_and_whether_they_were_held_out(tmp_path, measured):
    assert rows(written(tmp_path, measured), "source") == [
        ["comics", "handmade", "9", "CC0", "held out"],
        ["flickr", "photograph", "40", "CC BY 4.0", ""],
        ["flux", "generated", "30", "CC0", "held out"],
        ["midjourney", "generated", "30", "not stated", "held out"],
        ["museum", "photograph", "60", "CC0", "held out"],
        ["phone", "photograph", "30", "not stated", ""],
        ["sdxl", "generated", "50", "CC0", ""],
        ["street | night", "photograph", "60", "all rights reserved", "held out"],
    ]
    assert "are not redistributed" in written(tmp_path, measured)


def test_every_condition_with_its_intervals(tmp_path, measured):
    text = written(tmp_path, measured)
    found = rows(text, "files")
    assert [row[0] for row in found] == ["native", "jpeg:70"]
    native = measured.conditions["native"]
    low, high = native["auroc_interval"]
    assert found[0][1] == f"{native['auroc']:.3f} ({low:.3f} to {high:.3f})"
    assert len(found[0]) == 6
    real, fake = native["over"]["0.05"]
    assert found[0][4] == f"{real:.1%} and {fake:.1%}"
    assert "120 photographs" in text
    assert "60 generated images" in text
    assert "AUROC 0.731" in text


def test_the_weakest_generators_come_first(tmp_path, measured):
    found = rows(written(tmp_path, measured), "generator")
    assert len(found) == 2
    assert float(found[0][2]) <= float(found[1][2])


def test_wrongly_flagged_by_kind(tmp_path, measured):
    found = rows(written(tmp_path, measured), "kind of picture")
    assert [(row[0], row[1]) for row in found] == [("photograph", "120"), ("handmade: comic", "9")]
    assert len(found[0]) == 2 + len(measured.calibrated.verdict_thresholds)
    assert float(found[0][-1].partition("%")[0]) <= 10


def test_how_to_make_it_again(tmp_path, measured):
    text = written(tmp_path, measured)
    assert RECORD["command"] in text
    assert "Seed 7" in text
    assert "ab" * 32 in text
    for name, value in RECORD["recipe"].items():
        assert f"- {name}: {value}" in text
    assert "efficientnet-lite0.pth" in text
    assert "1,189 images" in text
    assert 'not "authentic"' in text


def test_where_nothing_was_held_out_no_figure_is_given(tmp_path):
    text = written(tmp_path, None, unseen=[])
    assert "Nothing was held out, so nothing was measured" in text
    assert "AUROC" not in text
    assert all(row[-1] == "" for row in rows(text, "source"))


def test_names_that_are_no_text_are_written_all_the_same(tmp_path, measured):
    odd = some(2, "caf\udce9", licence="\u00a9 somebody")
    text = written(tmp_path, None, known=[*KNOWN, *odd], unseen=[])
    assert "| caf\\udce9 | photograph | 2 | \u00a9 somebody |" in text


def test_thresholds_that_so_few_cannot_show_are_left_out(tmp_path):
    few = [*some(4, "a"), *some(6, "g", "g", "generated")]
    scores = np.arange(10.0)
    text = written(tmp_path, figures(few, scores, {"native": scores}, None), unseen=few)
    assert len(rows(text, "files")[0]) == 4
    assert "There are too few photographs for a threshold" in text
    assert "AUROC not known" in text


@pytest.mark.parametrize(
    "state",
    [
        State(
            3600,
            [],
            [[10 * n, 0.7 - 0.001 * n, 1e-4] for n in range(1, 361)],
            [{"step": 360 * n, "auroc": 0.5 + n / 30} for n in range(1, 11)],
        ),
        State(4, [], [[4, 0.69, 1e-4]], []),
        State(),
    ],
    ids=["long", "short", "empty"],
)
def test_the_curves_are_a_picture(tmp_path, state):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_curves(tmp_path / "curves.png", state, "vit_tiny_patch16_224")
    with Image.open(io.BytesIO((tmp_path / "curves.png").read_bytes())) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels.shape[0] > 400
    blue = (np.abs(pixels - [0, 0x72, 0xB2]).sum(axis=2) < 30).sum()
    orange = (np.abs(pixels - [0xD5, 0x5E, 0]).sum(axis=2) < 30).sum()
    assert bool(blue > 500) == (len(state.losses) > 1)
    assert bool(orange > 100) == bool(state.checks)


def test_the_curves_are_the_same_at_every_run(tmp_path):
    state = State(20, [], [[10, 0.7, 1e-4], [20, 0.5, 1e-5]], [{"step": 20, "auroc": 0.9}])
    draw_curves(tmp_path / "a.png", state, "x")
    draw_curves(tmp_path / "b.png", state, "x")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
