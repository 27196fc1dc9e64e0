"""Against scikit-learn, against the plain functions on images really drawn, and by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, average_precision_score, brier_score_loss, roc_auc_score, roc_curve

from forensic_cli.statistics import ranking, resampling
from forensic_cli.statistics.performance import right, squared_errors
from forensic_cli.statistics.resampling import Estimate, Sourced, bootstrap

several = st.lists(st.integers(-3, 3) | st.floats(-1e6, 1e6), min_size=1, max_size=30).map(lambda one: np.array(one, float))
quick = settings(max_examples=40, deadline=None)


def joined(real, generated):
    return np.repeat([0, 1], [len(real), len(generated)]), np.concatenate((real, generated))


def tpr_at(real, generated, rate):
    return np.mean(generated > ranking.threshold_at(real, rate))


def values(found):
    return {name: one.value for name, one in found.items()}


def scored(scores, sources, generated=False, limit=0.0):
    """With two terms: the share of right answers at `limit`, and the square of a number made of the score."""
    terms = {"right": right(scores, limit, generated), "far": scores**2 + generated}
    return Sourced(scores, sources, terms)


@quick
@given(several, several)
def test_all_images_once_agree_with_scikit_learn(real, generated):
    labels, scores = joined(real, generated)
    found = values(
        bootstrap(scored(real, ["r"] * len(real)), {"g": scored(generated, ["g"] * len(generated), True)}, draws=2)["g"]
    )
    assert found["auroc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert found["ap"] == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    assert found["right"] == pytest.approx(accuracy_score(labels, scores > 0), abs=1e-12)
    for rate in resampling.MEASURED_AT:
        assert found[f"tpr_at_fpr_{rate:g}"] == pytest.approx(tpr_at(real, generated, rate), abs=1e-12)


def test_a_toy_problem_to_twelve_places():
    draw = np.random.default_rng(5)
    labels = draw.integers(0, 2, 400)
    odds = np.round(draw.normal(labels, 1), 1)  # with many ties
    share = 1 / (1 + np.exp(-odds))
    sides = [
        Sourced(
            odds[labels == side],
            ["s"] * int((labels == side).sum()),
            {"brier": squared_errors(share[labels == side], side)},
        )
        for side in (0, 1)
    ]
    found = values(bootstrap(sides[0], {"all": sides[1]}, (0.01, 0.05, 0.1), draws=1)["all"])
    assert abs(found["brier"] - brier_score_loss(labels, share)) < 1e-12
    assert abs(found["auroc"] - roc_auc_score(labels, odds)) < 1e-12
    assert abs(found["ap"] - average_precision_score(labels, odds)) < 1e-12
    fpr, tpr, _ = roc_curve(labels, odds, drop_intermediate=False)
    for rate in (0.01, 0.05, 0.1):
        assert abs(found[f"tpr_at_fpr_{rate:g}"] - tpr[fpr <= rate + 1e-12].max()) < 1e-12


def plainly(real, generated, rates):
    """What `bootstrap` measures, from functions that sort whatever they are given."""
    found = {"auroc": ranking.auroc(real, generated), "ap": average_precision_score(*joined(real, generated))}
    found |= {f"tpr_at_fpr_{rate:g}": tpr_at(real, generated, rate) for rate in rates}
    sides = scored(real, [""]).terms, scored(generated, [""], True).terms
    for name in ("right", "far"):
        found[name] = np.concatenate([side[name] for side in sides]).mean()
        found[f"balanced_{name}"] = np.mean([side[name].mean() for side in sides])
    return found


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("places", [0, 3])
def test_each_draw_is_what_the_drawn_images_give(monkeypatch, shared, places):
    draw = np.random.default_rng(1)
    names = draw.integers(0, 7, 90), draw.integers(0, 7, 60) + (0 if shared else 100)
    real, generated = (np.round(draw.normal(shift, 1, len(some)), places) for shift, some in enumerate(names))
    drawn = {0: [], 1: []}
    plain = resampling._weights

    def kept(units, draws, seed):
        for weights in plain(units, draws, seed):
            drawn[len(seed) - 1].append(weights)
            yield weights

    monkeypatch.setattr(resampling, "_weights", kept)
    rates = (0.001, 0.05, 0.1, 0.5)
    found = bootstrap(scored(real, names[0]), {"g": scored(generated, names[1], True)}, rates, draws=25)["g"]
    assert all(len(one.drawn) == 25 for one in found.values())
    assert bool(drawn[1]) is not shared
    for number in range(26):
        weights = [drawn[0][number], drawn[0 if shared else 1][number]]
        assert all(some.sum() == 7 for some in weights)
        again = [
            np.repeat(scores, some[np.unique(where, return_inverse=True)[1]].astype(int))
            for scores, some, where in zip((real, generated), weights, names, strict=True)
        ]
        for name, value in plainly(*again, rates).items():
            one = found[name]
            assert (one.value if number == 0 else one.drawn[number - 1]) == pytest.approx(value, abs=1e-12), name


def sources(draw, count, each, spread, shift):
    """Scores that resemble each other within a source."""
    names = np.repeat(np.arange(count), each) + 1000 * int(shift > 0)
    return shift + np.repeat(draw.normal(0, spread, count), each) + draw.normal(0, 1, count * each), names


def test_the_interval_over_sources_covers_the_truth():
    """Of 80 repetitions nearly all should; as if each image were a source of its own covers far fewer."""
    hits = naive = 0
    truth = 0.5
    for repetition in range(80):
        draw = np.random.default_rng(repetition)
        real, first = sources(draw, 15, 6, 2.0, 0.0)
        generated, second = sources(draw, 15, 6, 2.0, 1e-9)
        for groups in ((first, second), (np.arange(90), np.arange(90) + 500)):
            low, high = bootstrap(Sourced(real, groups[0]), {"": Sourced(generated, groups[1])}, (), 60, seed=repetition)[
                ""
            ]["auroc"].interval
            hits += (low <= truth <= high) and groups[0] is first
            naive += (low <= truth <= high) and groups[0] is not first
    assert hits >= 66
    assert naive < hits - 12


def test_a_single_source_is_drawn_image_by_image():
    found = bootstrap(Sourced(np.arange(20.0), ["a"] * 20), {"g": Sourced(np.arange(5.0, 25), ["a"] * 20)})["g"]["auroc"]
    low, high = found.interval
    assert 0.55 < low < found.value < high < 0.97
    two = bootstrap(Sourced(np.arange(20.0), ["a", "b"] * 10), {"g": Sourced(np.arange(5.0, 25), ["c", "d"] * 10)})["g"]
    assert len(set(two["auroc"].drawn.round(9))) <= 9  # three draws of either class


def test_the_draws_are_the_same_for_the_same_seed_and_any_order():
    draw = np.random.default_rng(3)
    real, first = sources(draw, 6, 5, 1.0, 0.0)
    generated, second = sources(draw, 4, 5, 1.0, 1.0)
    found = bootstrap(Sourced(real, first), {"g": Sourced(generated, second)})["g"]
    turned = bootstrap(Sourced(real[::-1], first[::-1]), {"g": Sourced(generated[::-1], second[::-1])})["g"]
    other = bootstrap(Sourced(real, first), {"g": Sourced(generated, second)}, seed=1)["g"]
    for name, one in found.items():
        assert np.allclose(one.drawn, turned[name].drawn)
        assert one.interval[0] <= one.value <= one.interval[1]
    assert not np.allclose(found["auroc"].drawn, other["auroc"].drawn)


def test_a_set_is_measured_the_same_whatever_stands_beside_it():
    draw = np.random.default_rng(3)
    real, first = sources(draw, 6, 5, 1.0, 0.0)
    sets = {name: Sourced(draw.normal(1, 1, size), np.arange(size)) for name, size in (("x", 7), ("y", 20), ("z", 7))}
    together = bootstrap(Sourced(real, first), sets)
    alone = bootstrap(Sourced(real, first), {"z": sets["z"]})["z"]
    assert all(np.array_equal(together["z"][name].drawn, one.drawn) for name, one in alone.items())
    x, z = (np.argsort(together[name]["auroc"].drawn) for name in "xz")
    assert not np.array_equal(x, z)


def test_the_percentiles_are_the_interval():
    assert Estimate(0.0, np.arange(1001.0)).interval == pytest.approx((25, 975))


@pytest.mark.parametrize(
    ("real", "generated", "words"),
    [
        ([], [1.0], "there are no photographs to measure with"),
        ([1.0], [], "there are no generated images to measure with"),
        ([1.0, np.nan], [1.0], "a score of the photographs is not a number"),
        ([1.0], [np.nan], "a score of the generated images is not a number"),
    ],
)
def test_what_cannot_be_measured_is_refused(real, generated, words):
    with pytest.raises(ValueError, match=words):
        bootstrap(
            Sourced(np.array(real), [""] * len(real)),
            {"g": Sourced(np.array(generated), [""] * len(generated))},
        )


def test_of_no_sets_there_is_nothing():
    assert bootstrap(Sourced(np.array([1.0]), ["a"]), {}) == {}


def test_both_classes_need_the_same_terms():
    with pytest.raises(ValueError, match="different terms"):
        bootstrap(scored(np.ones(2), ["a", "b"]), {"g": Sourced(np.ones(2), ["a", "b"])})
