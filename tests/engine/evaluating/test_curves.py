"""The lines of the figures are those of scikit-learn, and as few points as a screen shows keep their shape."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import auc, roc_curve

from forensic_cli.engine.evaluating.figures.curves import reliability, roc, thinned

DRAW = np.random.default_rng(1)
REAL, GENERATED = DRAW.normal(size=400), DRAW.normal(1.2, size=300)


@pytest.mark.parametrize(
    ("real", "generated"),
    [
        (REAL, GENERATED),
        (np.round(REAL, 1), np.round(GENERATED, 1)),
        (np.zeros(5), np.zeros(3)),
        (np.array([0.0]), np.array([1.0])),
        (np.array([1.0]), np.array([0.0])),
    ],
)
def test_roc_is_that_of_scikit_learn(real, generated):
    labels = np.concatenate((np.zeros(len(real)), np.ones(len(generated))))
    fpr, tpr, _ = roc_curve(labels, np.concatenate((real, generated)), drop_intermediate=False)
    line = roc(real, generated)
    np.testing.assert_allclose(line.x, fpr, atol=1e-12)
    np.testing.assert_allclose(line.y, tpr, atol=1e-12)


@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_thinned_line_looks_the_same(logarithmic):
    whole = roc(DRAW.normal(size=50_000), DRAW.normal(0.7, size=50_000))
    thin = thinned(whole, logarithmic)
    assert len(thin.x) < 4000 < len(whole.x)
    assert (thin.x[0], thin.y[0], thin.x[-1], thin.y[-1]) == (0, 0, 1, 1)
    at = np.geomspace(1e-3, 1, 500)
    assert np.abs(np.interp(at, thin.x, thin.y) - np.interp(at, whole.x, whole.y)).max() < 0.004
    assert auc(thin.x, thin.y) == pytest.approx(auc(whole.x, whole.y), abs=0.002)


def test_a_short_line_is_not_thinned_to_another():
    line = roc(np.array([0.0, 1.0, 2.0]), np.array([1.5, 2.5]))
    np.testing.assert_array_equal(thinned(line).x, line.x)
    np.testing.assert_array_equal(thinned(line).y, line.y)


def test_reliability_is_that_of_scikit_learn():
    probability = DRAW.random(5000)
    generated = DRAW.random(5000) < probability**2
    bins = reliability(probability, generated)
    observed, predicted = calibration_curve(generated, probability, n_bins=10)
    np.testing.assert_allclose([one.observed for one in bins], observed, atol=1e-12)
    np.testing.assert_allclose([one.predicted for one in bins], predicted, atol=1e-12)
    assert sum(one.images for one in bins) == 5000
    assert all(one.low < one.observed < one.high for one in bins)


def test_certainty_has_a_bin_and_empty_bins_have_none():
    bins = reliability(np.array([0.0, 1.0, 1.0]), np.array([False, True, True]))
    assert [(one.observed, one.images) for one in bins] == [(0.0, 1), (1.0, 2)]
