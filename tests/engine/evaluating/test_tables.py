"""What stands in the tables of an evaluation, and what does not stand there."""

import numpy as np
import pytest
from hand_made import evaluation, image, pictures

from forensic_cli.engine.evaluating.measuring.by_generator import rows
from forensic_cli.engine.evaluating.measuring.comparing import comparisons, kinds
from forensic_cli.engine.evaluating.tables.cells import WIDE, Within, from_records
from forensic_cli.engine.evaluating.tables.tables import index, metric, tables, warnings


def cells(table):
    return {row[0]: dict(zip(table.header[1:], row[1:], strict=True)) for row in table.rows}


def test_each_number_is_that_of_its_row():
    one = evaluation()
    made = tables(one)
    assert list(made) == ["summary", "auroc", "ap", "tpr", "robustness"]
    found, ap, tpr, robustness = (cells(made[name]) for name in ("auroc", "ap", "tpr", "robustness"))
    for row in one.rows:
        method, generator, transform = row["method"], row["generator"], row["transform"]
        if transform == "none":
            assert found[method][generator] == (row["auroc"], *row["auroc_interval"])
            assert ap[method][generator] == row["ap"]
            assert tpr[method][generator] == row["tpr_at_fpr"]["0.05"]
        if generator == "(mean)":
            assert robustness[method][transform].value == row["auroc"]
    assert made["auroc"].header == ("method", "flux", "midjourney", "sdxl", "(mean)", "(pooled)")
    pooled = index(one)["rigid", "none", "(pooled)"]
    summary = cells(made["summary"])["rigid"]
    assert summary["accuracy at 0.5 (uncalibrated)"] == pooled["accuracy_0.5"]
    assert (summary["AP"], summary["found at 5 % FPR"]) == (pooled["ap"], pooled["tpr_at_fpr"]["0.05"])
    assert "0.5 is uncalibrated" in made["summary"].note


def test_what_is_measured_is_what_is_shown():
    """With the real rows, which have more keys than the contract asks for."""
    one = evaluation(pictures(80, 20))
    given = (one.images, one.transforms, one.scores)
    measured = rows(*given, one.units, draws=20)
    made = tables(evaluation(one.images, rows=measured, kinds=kinds(*given), comparisons=comparisons(*given, draws=20)))
    assert [type(cell) for cell in made["auroc"].rows[0]] == [str, *[Within] * 5]
    assert isinstance(cells(made["summary"])["commfor.lite"]["found at 5 % FPR"], Within)
    assert all(isinstance(value, Within | float | int) for value in cells(made["summary"])["commfor.lite"].values())
    flagged = made["kinds"]
    assert (
        flagged.header
        == ("method", "transform", "kind", "images", "flagged at 1 % FPR", "flagged at 5 % FPR")[:4] + flagged.header[4:]
    )
    assert flagged.header == ("method", "transform", "kind", "images", "flagged at 5 % FPR")
    assert {row[1] for row in flagged.rows[:4]} == {"none"}
    assert {row[2] for row in flagged.rows} == {"photograph", "handmade: painting"}
    pairs = made["comparisons"]
    assert pairs.header[:6] == ("transform", "method", "other", "n photographs", "n generated", "AUROC")
    assert pairs.header[6:9] == ("AUROC of the other", "difference", "p")
    assert pairs.rows[0][0] == "none"
    assert isinstance(pairs.rows[0][7], Within)


def test_many_generators_go_down_the_side():
    names = tuple(f"generator {number:02}" for number in range(WIDE + 3))
    table = tables(evaluation(pictures(generators=names, each=4)))["auroc"]
    assert table.header == ("", "commfor.lite", "rigid")
    assert [row[0] for row in table.rows] == [*names, "(mean)", "(pooled)"]


def test_without_untouched_images_the_first_transform_is_told():
    made = tables(evaluation(transforms=("jpeg:90", "jpeg:70")))
    assert made["auroc"].title.endswith("images after jpeg:90")
    assert made["auroc"].rows[0][1] is not None


def test_published_figures_stand_beside_ours():
    published = [
        {"method": "rigid", "generator": "flux", "transform": "none", "metric": "auroc", "value": 0.9},
        {"method": "rigid", "generator": "(mean)", "transform": "jpeg:90", "metric": "tpr_at_fpr_0.05", "value": 0.5},
        {"method": "theirs", "generator": "(mean)", "transform": "none", "metric": "ap", "value": 0.7},
    ]
    one = evaluation(recipe={"name": "a", "title": "Table 1", "paper": "arXiv:1", "published": published})
    rows = tables(one)["published"].rows
    ours = next(row for row in one.rows if (row["method"], row["transform"], row["generator"]) == ("rigid", "none", "flux"))
    assert rows[0][4:] == (0.9, ours["auroc"], pytest.approx(ours["auroc"] - 0.9))
    assert rows[1][5] == metric({"tpr_at_fpr": {"0.05": rows[1][5]}}, "tpr_at_fpr_0.05")
    assert rows[1][6] == pytest.approx(rows[1][5] - 0.5)
    assert rows[2][4:] == (0.7, None, None)


def test_records_become_columns():
    records = [
        {
            "name": "suffix",
            "auroc": 0.9,
            "auroc_interval": [0.8, 1.0],
            "warning": "loud",
            "curve": {"fpr": [0] * 9, "tpr": [0] * 9},
        },
        {"name": "size", "auroc": None, "fpr": {"0.01": 0.02}, "never": None, "range": [1, 2], "ok": True},
    ]
    table = from_records("controls", "title", records)
    assert table.header == ("name", "AUROC", "FPR, 0.01", "range, low", "range, high", "ok")
    assert table.rows == (
        ("suffix", Within(0.9, 0.8, 1.0), None, None, None, None),
        ("size", None, 0.02, 1, 2, "yes"),
    )
    assert warnings([*records, *records]) == ["loud"]


def test_a_method_that_failed_everywhere_has_a_row_without_numbers():
    one = evaluation()
    scores = {pair: np.full(len(one.images), np.nan) if pair[0] == "rigid" else some for pair, some in one.scores.items()}
    kept = [row for row in one.rows if row["method"] != "rigid"]
    made = tables(evaluation(scores=scores, rows=kept))
    assert set(cells(made["summary"])["rigid"].values()) == {None}


def test_no_rows_at_all():
    assert list(tables(evaluation([image("a.jpg", "photograph")], methods=(), rows=[]))) == []
