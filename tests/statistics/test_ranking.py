"""Against scikit-learn, brute force and simulation, ties and tiny numbers included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from forensic_cli.statistics.ranking import auroc, average_precision, bootstrap, summary, threshold_at, tpr_at

several = st.lists(st.integers(-3, 3) | st.floats(-1e6, 1e6), min_size=1, max_size=30).map(lambda one: np.array(one, float))
quick = settings(max_examples=40, deadline=None)
shares = st.sampled_from([0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0])


def joined(real, generated):
    return np.repeat([0, 1], [len(real), len(generated)]), np.concatenate((real, generated))


@quick
@given(several, several)
def test_auroc_and_average_precision_are_those_of_scikit_learn(real, generated):
    assert auroc(real, generated) == pytest.approx(roc_auc_score(*joined(real, generated)), abs=1e-12)
    expected = average_precision_score(*joined(real, generated))
    assert average_precision(real, generated) == pytest.approx(expected, abs=1e-12)


def test_the_direction():
    low, high = np.arange(5.0), np.arange(10.0, 13.0)
    assert (auroc(low, high), average_precision(low, high), tpr_at(low, high, 0.0)) == (1, 1, 1)
    assert (auroc(high, low), tpr_at(high, low, 0.0)) == (0, 0)
    assert auroc(low, low) == 0.5


@quick
@given(several, shares)
def test_the_threshold_is_the_lowest_score_that_few_enough_exceed(real, fpr):
    allowed = [score for score in real if sum(other > score for other in real) <= fpr * len(real) + 1e-9]
    assert threshold_at(real, fpr) == min(allowed)


@quick
@given(several, several, shares)
def test_recall_counts_what_is_above_the_threshold(real, generated, fpr):
    limit = min(score for score in real if sum(other > score for other in real) <= fpr * len(real) + 1e-9)
    assert tpr_at(real, generated, fpr) == sum(score > limit for score in generated) / len(generated)


def test_a_share_that_floats_cannot_hold_counts_whole_images():
    """0.07 * 100 is 7.000000000000001, and 0.29 * 100 is 28.999999999999996."""
    real = np.arange(100.0)
    for percent in range(101):
        assert np.sum(real > threshold_at(real, percent / 100)) == min(percent, 99)


def test_the_order_of_the_scores_does_not_matter():
    draw = np.random.default_rng(0)
    real, generated = draw.integers(0, 9, 50).astype(float), draw.integers(3, 12, 30).astype(float)
    assert summary(draw.permutation(real), draw.permutation(generated)) == pytest.approx(summary(real, generated))


def test_the_summary_names_what_it_holds():
    real, generated = np.arange(200.0), np.arange(150.0, 250.0)
    found = summary(real, generated)
    assert found == {
        "auroc": auroc(real, generated),
        "ap": average_precision(real, generated),
        "tpr_at_fpr_0.01": 0.52,  # two photographs are allowed: 198 and 199; 197 is the threshold
        "tpr_at_fpr_0.05": 0.60,
    }


def sources(draw, count, each, spread, shift):
    """Scores that resemble each other within a source."""
    names = np.repeat([f"s{number}" for number in range(count)], each)
    return shift + np.repeat(draw.normal(0, spread, count), each) + draw.normal(0, 1, count * each), names.tolist()


def test_the_interval_over_sources_covers_the_truth():
    """Of 100 repetitions nearly 95 should; drawing single images covers far fewer."""
    single = [str(number) for number in range(60)]
    hits = naive = 0
    for repetition in range(100):
        draw = np.random.default_rng(repetition)
        real, first = sources(draw, 15, 4, 2.0, 0.0)
        generated, second = sources(draw, 15, 4, 2.0, 1.5)
        for groups in ((first, second), (single, single)):
            low, high = bootstrap(_difference, real, generated, groups, draws=40, seed=repetition)["difference"]
            covers = low <= 1.5 <= high
            hits += covers and groups[0] is first
            naive += covers and groups[0] is single
    assert hits >= 85
    assert naive < hits - 15


def _difference(real, generated):
    return {"difference": generated.mean() - real.mean()}


def test_whole_sources_are_drawn():
    real, generated = np.array([0.0, 1.0, 10.0]), np.array([5.0, 6.0])
    seen = set()

    def measure(some, others):
        seen.add((tuple(sorted(some)), tuple(sorted(others))))
        return {"n": float(len(some))}

    bootstrap(measure, real, generated, (["a", "a", "b"], ["c", "c"]), draws=100)
    assert seen == {
        ((0.0, 1.0, 10.0), (5.0, 6.0)),
        ((0.0, 0.0, 1.0, 1.0), (5.0, 6.0)),
        ((10.0, 10.0), (5.0, 6.0)),
    }


def test_the_interval_is_the_same_for_the_same_seed_and_any_order():
    draw = np.random.default_rng(3)
    real, first = sources(draw, 6, 5, 1.0, 0.0)
    generated, second = sources(draw, 4, 5, 1.0, 1.0)
    found = bootstrap(summary, real, generated, (first, second))
    assert found == bootstrap(summary, real, generated, (first, second))
    assert found != bootstrap(summary, real, generated, (first, second), seed=1)
    turned = bootstrap(summary, real[::-1], generated[::-1], (first[::-1], second[::-1]))
    assert all(turned[name] == pytest.approx(found[name]) for name in found)
    assert all(low <= summary(real, generated)[name] <= high for name, (low, high) in found.items())


def test_one_source_each_is_an_interval_without_width():
    found = bootstrap(summary, np.array([0.0, 2.0]), np.array([1.0]), (["a", "a"], ["b"]), draws=5)
    assert found["auroc"] == (0.5, 0.5)
