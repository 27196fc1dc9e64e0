"""Against scikit-learn."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import accuracy_score, balanced_accuracy_score, brier_score_loss

from forensic_cli.statistics.performance import accuracy, balanced_accuracy, brier, probabilities, right


@pytest.fixture
def both():
    draw = np.random.default_rng(0)
    return np.round(draw.normal(-1, 2, 130), 1), np.round(draw.normal(1, 2, 47), 1)


def test_measures_are_those_of_scikit_learn(both):
    labels, odds = np.repeat([0, 1], [130, 47]), np.concatenate(both)
    for threshold in (-1.0, 0.0, 0.3):
        assert abs(accuracy(*both, threshold) - accuracy_score(labels, odds > threshold)) < 1e-12
        assert abs(balanced_accuracy(*both, threshold) - balanced_accuracy_score(labels, odds > threshold)) < 1e-12
    assert abs(brier(*map(probabilities, both)) - brier_score_loss(labels, expit(odds))) < 1e-12


def test_probabilities_of_the_largest_odds():
    odds = np.array([-np.inf, -1e300, -800.0, -1.5, 0.0, 2.5, 800.0, np.inf])
    assert probabilities(odds) == pytest.approx(expit(odds), abs=1e-15)
    assert np.isnan(probabilities(np.array([np.nan]))).all()


def test_the_threshold_itself_is_not_flagged():
    assert right(np.array([-1.0, 0.0, 1.0]), 0.0, True).tolist() == [0, 0, 1]
    assert right(np.array([-1.0, 0.0, 1.0]), 0.0, False).tolist() == [1, 1, 0]


def test_saying_nothing_costs_a_quarter():
    assert brier(np.full(3, 0.5), np.full(7, 0.5)) == 0.25


@pytest.mark.parametrize(
    "measure", [brier, lambda *both: accuracy(*both, 0.0), lambda *both: balanced_accuracy(*both, 0.0)]
)
def test_a_missing_class_is_refused(measure):
    with pytest.raises(ValueError, match="there are no photographs"):
        measure(np.empty(0), np.ones(2))
    with pytest.raises(ValueError, match="there are no generated images"):
        measure(np.ones(2), np.empty(0))
    with pytest.raises(ValueError, match="not a number"):
        measure(np.array([np.nan]), np.ones(2))
