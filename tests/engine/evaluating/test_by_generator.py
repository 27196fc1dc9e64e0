"""Rows from images and scores made by hand, against scikit-learn, scipy and counting."""

import hashlib
import json

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, average_precision_score, brier_score_loss, roc_auc_score

from forensic_cli.engine.evaluating.measuring.by_generator import rows
from forensic_cli.engine.evaluating.measuring.cast import Cast
from forensic_cli.engine.evaluating.measuring.results import Image
from forensic_cli.statistics.ranking import threshold_at

KEYS = {"method", "transform", "generator", "n_real", "n_generated", "n_left_out", "auroc", "auroc_interval", "ap"}
KEYS |= {"accuracy_0.5", "accuracy_calibrated", "tpr_at_fpr", "brier"}
RATES = ("0.001", "0.01", "0.05", "0.1")


def image(number, label, source, generator="", kind="photograph"):
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return Image(f"{number}.jpg", digest, label, generator, source, kind, "JPEG", 64, 64, 1000)


def pictures(photographs=240, sources=12, generators=(("flux", 60), ("sdxl", 60), ("tiny", 3)), handmade=10):
    found = [image(number, "photograph", f"camera {number % sources}") for number in range(photographs)]
    for name, count in generators:
        found += [image(1000 + len(found), "generated", f"{name}.zip", name) for _ in range(count)]
    return found + [image(9000 + number, "handmade", "art", kind="handmade: comic") for number in range(handmade)]


def labels(images):
    return np.array([one.label for one in images])


def scores(images, apart=2.0, seed=0):
    draw = np.random.default_rng(seed)
    odds = draw.normal(0, 1, len(images)) + apart * (labels(images) == "generated") - 1
    odds[labels(images) == "handmade"] = 50.0
    return odds


def by_name(found, method="m", transform="none"):
    return {row["generator"]: row for row in found if (row["method"], row["transform"]) == (method, transform)}


@pytest.fixture(scope="module")
def images():
    return pictures()


@pytest.fixture(scope="module")
def found(images):
    values = scores(images)
    values[[2, 250]] = np.nan
    return values, rows(images, ["none"], {("m", "none"): values}, {"m": "log-odds"}, draws=200)


def chosen(images, values, generator):
    """Labels and scores, as scikit-learn wants them, of the photographs and one generator's images."""
    of = labels(images)
    some = np.isfinite(values) & (of != "handmade")
    some &= np.array([one.label == "photograph" or generator in ("(pooled)", one.generator) for one in images])
    return (of[some] == "generated").astype(int), values[some]


def test_a_row_for_each_generator_their_mean_and_all_pooled(found):
    _, table = found
    assert [row["generator"] for row in table] == ["flux", "sdxl", "tiny", "(mean)", "(pooled)"]
    assert all(set(row) >= KEYS for row in table)
    assert len({frozenset(row) - {"n_generators"} for row in table}) == 1
    json.dumps(table, allow_nan=False)


@pytest.mark.parametrize("generator", ["flux", "sdxl", "tiny", "(pooled)"])
def test_measures_are_those_of_scikit_learn(images, found, generator):
    values, table = found
    row = by_name(table)[generator]
    truth, odds = chosen(images, values, generator)
    assert (row["n_real"], row["n_generated"]) == tuple(np.bincount(truth))
    assert abs(row["auroc"] - roc_auc_score(truth, odds)) < 1e-12
    assert abs(row["ap"] - average_precision_score(truth, odds)) < 1e-12
    assert abs(row["accuracy_0.5"] - accuracy_score(truth, expit(odds) > 0.5)) < 1e-12
    assert abs(row["brier"] - brier_score_loss(truth, expit(odds))) < 1e-12
    for rate in RATES[1:]:
        assert row["tpr_at_fpr"][rate] == pytest.approx(
            np.mean(odds[truth == 1] > threshold_at(odds[truth == 0], float(rate)))
        )


def test_images_without_a_score_are_counted_in_the_rows_that_miss_them(found):
    left_out = {name: row["n_left_out"] for name, row in by_name(found[1]).items()}
    assert left_out == {"flux": 2, "sdxl": 1, "tiny": 1, "(mean)": 2, "(pooled)": 2}


def test_the_mean_is_that_of_the_generators(found):
    table = by_name(found[1])
    singles = [table[name] for name in ("flux", "sdxl", "tiny")]
    mean = table["(mean)"]
    assert mean["n_generators"] == 3
    for name in ("auroc", "ap", "accuracy_0.5", "accuracy_calibrated", "balanced_accuracy_0.5", "brier", "tpr_calibrated"):
        assert mean[name] == pytest.approx(np.mean([one[name] for one in singles])), name
    assert mean["tpr_at_fpr"]["0.05"] == pytest.approx(np.mean([one["tpr_at_fpr"]["0.05"] for one in singles]))
    for name in ("auroc", "ap", "brier", "accuracy_calibrated"):
        assert mean[f"{name}_interval"][0] < mean[name] < mean[f"{name}_interval"][1], name


def test_intervals_hold_the_figure_and_shares_are_never_told_too_narrowly(found):
    for name in ("flux", "sdxl", "(pooled)"):
        row = by_name(found[1])[name]
        for measure in ("auroc", "ap", "brier", "accuracy_0.5", "accuracy_calibrated", "balanced_accuracy_calibrated"):
            low, high = row[f"{measure}_interval"]
            assert 0 <= low < row[measure] < high <= 1, measure
        for rate in RATES[1:]:
            exact = binomtest(round(row["tpr_at_fpr"][rate] * row["n_generated"]), row["n_generated"])
            exact = exact.proportion_ci(method="exact")
            low, high = row["tpr_at_fpr_interval"][rate]
            assert low <= exact.low + 1e-9
            assert high >= exact.high - 1e-9


def test_three_images_keep_their_row_with_exact_intervals_of_shares_and_no_others(found):
    row = by_name(found[1])["tiny"]
    assert row["n_generated"] == 3
    for measure in ("auroc", "ap", "brier", "accuracy_0.5", "accuracy_calibrated"):
        assert row[measure] is not None
        assert row[f"{measure}_interval"] is None
    exact = binomtest(round(3 * row["tpr_at_fpr"]["0.05"]), 3).proportion_ci(method="exact")
    assert row["tpr_at_fpr_interval"]["0.05"] == pytest.approx([exact.low, exact.high], abs=1e-9)


def test_a_rate_that_the_photographs_cannot_show_is_not_told(found):
    for row in found[1]:
        assert row["tpr_at_fpr"]["0.001"] is None
        assert row["tpr_at_fpr_interval"]["0.001"] is None
    enough = pictures(1000, generators=(("x", 20),))
    table = rows(enough, ["none"], {("m", "none"): scores(enough)}, {}, draws=20)
    assert all(row["tpr_at_fpr"]["0.001"] is not None for row in table)


def test_without_probabilities_there_is_no_accuracy_at_one_half(images):
    for row in rows(images, ["none"], {("m", "none"): scores(images)}, {"m": ""}, draws=20):
        assert [row[name] for name in ("accuracy_0.5", "accuracy_0.5_interval", "brier", "brier_interval")] == [None] * 4
        assert row["accuracy_calibrated"] is not None


def test_a_probability_is_taken_at_its_word(images):
    odds = scores(images)
    both = {("odds", "none"): odds, ("share", "none"): expit(odds)}
    table = rows(images, ["none"], both, {"odds": "log-odds", "share": "probability"}, draws=20)
    first, second = by_name(table, "odds"), by_name(table, "share")
    for name, row in first.items():
        for measure in ("auroc", "accuracy_0.5", "brier", "accuracy_calibrated"):
            assert second[name][measure] == pytest.approx(row[measure]), (name, measure)


def test_pictures_made_by_hand_are_in_neither_class(images):
    odds = scores(images)
    without = labels(images) != "handmade"
    kept = [one for one, keep in zip(images, without, strict=True) if keep]
    settings = {"units": {"m": "log-odds"}, "draws": 50}
    assert rows(images, ["none"], {("m", "none"): odds}, **settings) == rows(
        kept, ["none"], {("m", "none"): odds[without]}, **settings
    )


def test_the_photographs_of_a_generator_are_its_partners():
    images = [image(n, "photograph", ("flux", "sdxl", "coco")[n % 3]) for n in range(90)]
    images += [image(100 + n, "generated", ("flux", "sdxl", "other")[n % 3]) for n in range(60)]
    values = np.random.default_rng(0).normal(0, 1, 150) + (labels(images) == "generated")
    of = np.array([one.source for one in images])

    def expected(name, *sources):
        some = ((labels(images) == "photograph") & np.isin(of, sources)) | ((labels(images) == "generated") & (of == name))
        return roc_auc_score(labels(images)[some] == "generated", values[some])

    table = by_name(rows(images, ["none"], {("m", "none"): values}, {}, draws=20))
    everything = ("flux", "sdxl", "coco")
    assert {name: table[name]["n_real"] for name in table} == {
        **{"flux": 30, "sdxl": 30, "other": 90},
        **{"(mean)": 90, "(pooled)": 90},
    }
    assert table["flux"]["auroc"] == pytest.approx(expected("flux", "flux"))
    assert table["other"]["auroc"] == pytest.approx(expected("other", *everything))
    pairs = {"flux": ("coco", "sdxl"), "other": (), "sdxl": ("nobody",)}
    table = by_name(rows(images, ["none"], {("m", "none"): values}, {}, pairs=pairs, draws=20))
    assert table["flux"]["auroc"] == pytest.approx(expected("flux", "coco", "sdxl"))
    assert table["sdxl"]["auroc"] == pytest.approx(expected("sdxl", *everything))
    assert table["other"]["n_real"] == 90


def test_halves_share_no_source_and_each_judges_the_other(images):
    cast = Cast(images)
    values = np.random.default_rng(4).permutation(len(images)).astype(float)
    parts = cast._parts[0]
    sources = np.array([one.source for one in images[:240]])
    assert not set(sources[parts == 0]) & set(sources[parts == 1])
    over = cast.flagged(values, values, 0.05)
    for half in (0, 1):
        limit = threshold_at(values[:240][parts != half], 0.05)
        assert np.array_equal(over[:240][parts == half], values[:240][parts == half] > limit)
    limits = [threshold_at(values[:240][parts == half], 0.05) for half in (0, 1)]
    assert over[240:].tolist() == [np.mean([value > limit for limit in limits]) for value in values[240:]]


@pytest.mark.parametrize(("photographs", "sources", "told"), [(38, 4, False), (41, 1, True), (60, 6, True), (39, 1, False)])
def test_halves_too_small_for_the_rate_set_no_threshold(photographs, sources, told):
    images = pictures(photographs, sources)
    table = rows(images, ["none"], {("m", "none"): scores(images)}, {}, draws=5)
    assert all((row["accuracy_calibrated"] is not None) is told for row in table)
    assert all((row["fpr_calibrated"] is not None) is told for row in table)


def test_an_unlucky_source_does_not_leave_a_half_without_a_threshold():
    images = [image(n, "photograph", "small" if n < 4 else "large") for n in range(100)]
    images += [image(200 + n, "generated", "g") for n in range(20)]
    (row, *_) = rows(images, ["none"], {("m", "none"): scores(images)}, {}, draws=5)
    assert row["accuracy_calibrated"] is not None


def test_the_calibrated_rate_is_kept_on_photographs_not_seen():
    rates = []
    for seed in range(20):
        images = pictures(400, 20, (("g", 30),), 0)
        (row, *_) = rows(images, ["none"], {("m", "none"): scores(images, seed=seed)}, {}, draws=2)
        rates.append(row["fpr_calibrated"])
    assert np.mean(rates) == pytest.approx(0.05, abs=0.012)


def test_a_threshold_from_outside(images):
    values = scores(images)
    of = labels(images)
    both = {("m", "none"): values, ("m", "blur"): values - 1}
    table = rows(images, ["none", "blur"], both, {}, thresholds={"m": 0.25}, draws=20)
    for transform, some in (("none", values), ("blur", values - 1)):
        row = by_name(table, transform=transform)["(pooled)"]
        assert row["fpr_calibrated"] == pytest.approx(np.mean(some[of == "photograph"] > 0.25))
        assert row["tpr_calibrated"] == pytest.approx(np.mean(some[of == "generated"] > 0.25))
        kept = of != "handmade"
        assert row["accuracy_calibrated"] == pytest.approx(accuracy_score(of[kept] == "generated", some[kept] > 0.25))


def test_thresholds_are_set_on_images_as_they_are(images):
    values = scores(images)
    both = {("m", "none"): values, ("m", "up"): values + 1.0}
    table = rows(images, ["none", "up"], both, {}, draws=5)
    assert by_name(table, transform="up")["(pooled)"]["fpr_calibrated"] > 0.15
    alone = rows(images, ["up"], {("m", "up"): values + 1.0}, {}, draws=5)
    plain = by_name(table)["(pooled)"]["fpr_calibrated"]
    assert by_name(alone, transform="up")["(pooled)"]["fpr_calibrated"] == plain


def test_perfect_ranking_is_not_told_as_certainty(images):
    values = scores(images, apart=100.0)
    table = by_name(rows(images, ["none"], {("m", "none"): values}, {"m": "log-odds"}, draws=50))
    low, high = table["flux"]["auroc_interval"]
    assert table["flux"]["auroc"] == high == 1
    assert low == pytest.approx(0.025 ** (1 / 60))  # sixty pairs, all in order
    assert table["flux"]["tpr_at_fpr_interval"]["0.05"][0] == pytest.approx(0.025 ** (1 / 60))
    assert table["(mean)"]["auroc_interval"] is None


def test_a_class_without_scores_has_rows_without_figures(images):
    nobody = np.full(len(images), np.nan)
    some = scores(images)
    lost = np.where([one.generator == "flux" for one in images], np.nan, some)
    table = rows(images, ["none", "blur"], {("m", "none"): lost, ("m", "blur"): nobody}, {"m": "log-odds"}, draws=20)
    first = by_name(table)
    assert (first["flux"]["n_generated"], first["flux"]["n_left_out"], first["flux"]["auroc"]) == (0, 60, None)
    assert first["(mean)"]["n_generators"] == 2
    assert first["(mean)"]["auroc"] == pytest.approx((first["sdxl"]["auroc"] + first["tiny"]["auroc"]) / 2)
    second = by_name(table, transform="blur")
    for row in second.values():
        assert (row["auroc"], row["brier"], row["fpr_calibrated"], row["tpr_at_fpr"]["0.1"]) == (None,) * 4
    assert second["(pooled)"]["n_left_out"] == 240 + 123
    only = [one for one in images if one.label == "photograph"]
    table = rows(only, ["none"], {("m", "none"): np.arange(240.0)}, {}, draws=5)
    assert [(row["generator"], row["auroc"]) for row in table] == [("(mean)", None), ("(pooled)", None)]
    json.dumps(table, allow_nan=False)


def test_of_no_images_there_are_two_empty_rows():
    table = rows([], ["none"], {("m", "none"): np.empty(0)}, {})
    assert [(row["generator"], row["n_real"], row["auroc"]) for row in table] == [
        ("(mean)", 0, None),
        ("(pooled)", 0, None),
    ]


def test_infinite_log_odds_are_scores(images):
    values = scores(images)
    values[300] = np.inf
    values[5] = -np.inf
    table = rows(images, ["none"], {("m", "none"): values}, {"m": "log-odds"}, draws=20)
    truth, odds = chosen(images, np.clip(values, -99, 99), "(pooled)")
    assert by_name(table)["(pooled)"]["auroc"] == pytest.approx(roc_auc_score(truth, odds))
    json.dumps(table, allow_nan=False)


def test_only_what_was_scored_has_rows(images):
    both = {("a", "none"): scores(images), ("b", "jpeg:70"): scores(images, seed=1)}
    table = rows(images, ["none", "jpeg:70"], both, {}, draws=5)
    assert {(row["method"], row["transform"]) for row in table} == {("a", "none"), ("b", "jpeg:70")}
