"""Beside the `lir` package of the Netherlands Forensic Institute, where it is installed.

Three things are defined otherwise. Its logistic regression penalises the slope in the unit of the scores, ours that of
standardised scores. Its ELUB tries thresholds in steps of 0.01, ours is exact. Our kernel densities are straight lines
between a thousand points of its, and level beyond the scores seen.
"""

import warnings

import numpy as np
import pytest

from forensic_cli.statistics.bounds import elub
from forensic_cli.statistics.costs import cllr, cllr_min, empirical_cross_entropy
from forensic_cli.statistics.ratio_fitting import fit

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("lir")
    from lir.algorithms.bayeserror import elub as lir_elub
    from lir.algorithms.isotonic_regression import IsotonicCalibrator
    from lir.algorithms.kde import KDECalibrator
    from lir.algorithms.logistic_regression import LogitCalibrator
    from lir.data.models import LLRData
    from lir.metrics import cllr as lir_cllr
    from lir.metrics import cllr_min as lir_cllr_min
    from lir.plotting.expected_calibration_error import calculate_ece

pytestmark = pytest.mark.filterwarnings("ignore")
X = np.linspace(-2.5, 4.5, 200)


@pytest.fixture(params=range(4))
def both(request):
    draw = np.random.default_rng(request.param)
    real = draw.normal(0, 1, draw.integers(20, 200))
    return np.round(real, 1), np.round(draw.normal(1.5, 1.2, draw.integers(20, 200)), 1)


def joined(both):
    return np.concatenate(both), np.repeat([0, 1], [len(some) for some in both])


def data(both):
    llrs, labels = joined(both)
    return LLRData(features=llrs, labels=labels)


def lir_log10(llrs):
    """Its calibrators answer with log10 odds."""
    return np.asarray(llrs).reshape(-1)


def test_logistic_on_standardised_scores(both):
    scores, labels = joined(both)
    middle, spread = scores.mean(), scores.std()
    theirs = LogitCalibrator(tol=1e-10).fit((scores - middle) / spread, labels)
    expected = lir_log10(theirs.transform((X - middle) / spread))
    assert fit("logistic", *both).model.llr10(X) == pytest.approx(expected, abs=1e-6)


def test_isotonic(both):
    theirs = IsotonicCalibrator().fit(*joined(both))
    with np.errstate(divide="ignore"):
        expected = lir_log10(theirs.transform(X))
    found = fit("isotonic", *both).model.llr10(X)
    finite = np.isfinite(expected) & np.isfinite(found)
    assert finite.sum() > 50
    assert found[finite] == pytest.approx(expected[finite], abs=1e-9)
    assert np.all(np.abs(np.concatenate((found[~finite], expected[~finite]))) > 9)


def test_kernel_density(both):
    found = fit("kde", *both).model
    theirs = KDECalibrator(bandwidth="silverman").fit(joined(both)[0], joined(both)[1])
    knots = np.linspace(found.first, found.last, len(found.llrs))
    assert found.llrs == pytest.approx(lir_log10(theirs.transform(knots)), abs=1e-9)
    inside = X[np.clip(X, found.first, found.last) == X]
    assert found.llr10(inside) == pytest.approx(lir_log10(theirs.transform(inside)), abs=1e-3)


def test_cost(both):
    both = tuple(some / 2 - 0.3 for some in both)
    assert cllr(*both) == pytest.approx(lir_cllr(data(both)), abs=1e-12)
    with np.errstate(divide="ignore"):
        assert cllr_min(*both) == pytest.approx(lir_cllr_min(data(both)), abs=1e-9)


def test_cross_entropy(both):
    llrs, labels = joined(both)
    odds = np.linspace(-3, 3, 25)
    expected = calculate_ece(10**llrs, labels, 10**odds / (1 + 10**odds))
    assert empirical_cross_entropy(*both, odds) == pytest.approx(expected, abs=1e-9)


def test_bounds_are_those_of_its_grid_to_a_step_or_two(both):
    both = fit("logistic", *both).model.llr10(both[0]), fit("logistic", *both).model.llr10(both[1])
    expected = lir_elub(*joined(both))
    assert elub(*both) == pytest.approx(expected, abs=0.0201)
