"""Pairs of methods against scikit-learn, a resampling by hand and counting."""

import json

import numpy as np
import pytest
from hand_made import image
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from forensic_cli.engine.evaluating.measuring.comparing import comparisons, kinds
from forensic_cli.engine.evaluating.measuring.results import Image
from forensic_cli.statistics.delong import compare


def from_source(one, source):
    return Image(**{name: getattr(one, name) for name in Image.__slots__} | {"source": source})


@pytest.fixture(scope="module")
def images():
    found = [from_source(image(f"{n}.jpg", "photograph", kind=f"camera {n % 3}"), f"s{n % 10}") for n in range(150)]
    found += [from_source(image(f"g{n}.png", "generated", "flux"), f"g{n % 8}") for n in range(80)]
    return found + [image(f"h{n}.png", "handmade", kind="handmade: comic") for n in range(20)]


@pytest.fixture(scope="module")
def scores(images):
    draw = np.random.default_rng(0)
    generated = np.array([one.label == "generated" for one in images])
    content = draw.normal(0, 1, 250) + generated
    found = {(name, "none"): content + draw.normal(0, noise, 250) for name, noise in (("a", 0.3), ("b", 2), ("c", 0.5))}
    found["a", "blur"] = found["a", "none"] * 0.5
    found["b", "blur"] = content[::-1]
    found["b", "none"][[0, 3, 160]] = np.nan
    return found


def test_every_pair_on_the_images_that_both_scored(images, scores):
    table = comparisons(images, ["none", "blur"], scores, draws=200)
    assert [(row["transform"], row["method"], row["other"]) for row in table] == [
        ("none", "a", "b"),
        ("none", "a", "c"),
        ("none", "b", "c"),
        ("blur", "a", "b"),
    ]
    assert [(row["n_real"], row["n_generated"]) for row in table] == [(148, 79), (150, 80), (148, 79), (150, 80)]
    for row in table:
        values = [scores[row[side], row["transform"]] for side in ("method", "other")]
        some = np.isfinite(values[0] + values[1]) & (np.arange(250) < 230)
        truth = np.arange(250)[some] >= 150
        expected = [roc_auc_score(truth, one[some]) for one in values]
        assert [row["auroc"], row["auroc_other"]] == pytest.approx(expected, abs=1e-12)
        assert row["difference"] == pytest.approx(expected[0] - expected[1], abs=1e-12)
        one = compare(*((value[some][~truth], value[some][truth]) for value in values))
        assert (row["p_value"], row["interval"]) == (one.p_value, list(one.interval))
        assert row["interval_sources"][0] < row["difference"] < row["interval_sources"][1]
    json.dumps(table, allow_nan=False)


def test_both_methods_see_the_same_draws(images, scores):
    """Two methods that agree but for a little differ by little, however much a draw moves both."""
    both = {("a", "none"): scores["a", "none"], ("twin", "none"): scores["a", "none"] + 0.02 * scores["c", "none"]}
    (row,) = comparisons(images, ["none"], both, draws=200)
    low, high = row["interval_sources"]
    assert high - low < 0.02
    (wide,) = comparisons(
        images, ["none"], {("a", "none"): scores["a", "none"], ("b", "none"): scores["b", "none"]}, draws=200
    )
    assert wide["interval_sources"][1] - wide["interval_sources"][0] > 0.05


def test_by_hand_from_whole_sources(images, scores):
    (row,) = comparisons(images, ["blur"], scores, draws=400)
    of, values = np.array([one.source for one in images]), [scores[name, "blur"] for name in "ab"]
    draw, found = np.random.default_rng(9), []
    for _ in range(400):
        names = [f"s{n}" for n in draw.integers(0, 10, 10)], [f"g{n}" for n in draw.integers(0, 8, 8)]
        some = [np.concatenate([np.flatnonzero(of == name) for name in side]) for side in names]
        aurocs = [np.mean(value[some[1]][:, None] > value[some[0]]) for value in values]
        found.append(aurocs[0] - aurocs[1])
    assert row["interval_sources"] == pytest.approx(np.quantile(found, [0.025, 0.975]), abs=0.03)


def test_methods_that_are_the_same_differ_by_nothing_and_nothing_is_claimed(images, scores):
    (row,) = comparisons(
        images, ["none"], {("a", "none"): scores["a", "none"], ("b", "none"): scores["a", "none"]}, draws=20
    )
    assert (row["difference"], row["interval"], row["p_value"], row["interval_sources"]) == (0, None, None, None)


def test_a_pair_without_common_images_has_no_row(images, scores):
    first, second = scores["a", "none"].copy(), scores["c", "none"].copy()
    first[:100], second[100:150] = np.nan, np.nan
    assert comparisons(images, ["none"], {("a", "none"): first, ("b", "none"): second}) == []


def test_kinds_above_the_thresholds_of_all_photographs(images, scores):
    table = [row for row in kinds(images, ["none", "blur"], scores) if row["method"] == "a"]
    assert [row["transform"] for row in table] == ["none"] * 4 + ["blur"] * 4
    values = scores["a", "none"]
    limits = {"over_0.01": np.sort(values[:150])[-2], "over_0.05": np.sort(values[:150])[-8]}
    of = np.array([one.kind for one in images])
    for row in table:
        some = scores["a", row["transform"]][of == row["kind"]]
        assert row["n"] == len(some)
        for name, limit in limits.items():
            hits = int(np.sum(some > limit))
            exact = binomtest(hits, len(some)).proportion_ci(method="exact")
            assert row[name] == hits / len(some)
            assert row[f"{name}_interval"] == pytest.approx([exact.low, exact.high], abs=1e-9)
    assert {row["kind"] for row in table} == {"camera 0", "camera 1", "camera 2", "handmade: comic"}


def test_kinds_above_given_thresholds(images, scores):
    table = kinds(images, ["none"], scores, thresholds={"a": {0.001: 0.0}})
    rows = {row["method"]: row for row in table if row["kind"] == "camera 0"}
    assert rows["a"]["over_0.001"] == pytest.approx(np.mean(scores["a", "none"][:150:3] > 0))
    assert "over_0.05" not in rows["a"]
    assert "over_0.05" in rows["b"]


def test_a_rate_that_the_photographs_cannot_show_is_left_out(images):
    few = images[:60]
    for row in kinds(few, ["none"], {("a", "none"): np.arange(60.0)}):
        assert "over_0.05" in row
        assert "over_0.01" not in row
