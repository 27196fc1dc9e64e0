"""Against scikit-learn and brute force, ties and tiny numbers included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from forensic_cli.statistics.ranking import auroc, threshold_at

several = st.lists(st.integers(-3, 3) | st.floats(-1e6, 1e6), min_size=1, max_size=30).map(lambda one: np.array(one, float))
quick = settings(max_examples=40, deadline=None)
shares = st.sampled_from([0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0])


def joined(real, generated):
    return np.repeat([0, 1], [len(real), len(generated)]), np.concatenate((real, generated))


@quick
@given(several, several)
def test_auroc_is_that_of_scikit_learn(real, generated):
    assert auroc(real, generated) == pytest.approx(roc_auc_score(*joined(real, generated)), abs=1e-12)


def test_the_direction():
    low, high = np.arange(5.0), np.arange(10.0, 13.0)
    assert (auroc(low, high), auroc(high, low), auroc(low, low)) == (1, 0, 0.5)


@quick
@given(several, shares)
def test_the_threshold_is_the_lowest_score_that_few_enough_exceed(real, fpr):
    allowed = [score for score in real if sum(other > score for other in real) <= fpr * len(real) + 1e-9]
    assert threshold_at(real, fpr) == min(allowed)


def test_a_share_that_floats_cannot_hold_counts_whole_images():
    """0.07 * 100 is 7.000000000000001, and 0.29 * 100 is 28.999999999999996."""
    real = np.arange(100.0)
    for percent in range(101):
        assert np.sum(real > threshold_at(real, percent / 100)) == min(percent, 99)


def test_the_order_of_the_scores_does_not_matter():
    draw = np.random.default_rng(0)
    real, generated = draw.integers(0, 9, 50).astype(float), draw.integers(3, 12, 30).astype(float)
    assert auroc(draw.permutation(real), draw.permutation(generated)) == pytest.approx(auroc(real, generated))
    assert threshold_at(draw.permutation(real), 0.05) == threshold_at(real, 0.05)
