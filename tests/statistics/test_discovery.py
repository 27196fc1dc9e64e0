"""Against scipy and the step-up procedure word for word."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from forensic_cli.statistics.discovery import benjamini_hochberg, cutoff

quick = settings(max_examples=60, deadline=None)
values = st.sampled_from([0.0, 0.001, 0.01, 0.02, 0.05, 1.0]) | st.floats(0, 1)
lists = st.lists(values | st.just(float("nan")), max_size=30).map(lambda one: np.array(one, float))
levels = st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.2, 0.5])


def largest_rejected(p, fdr):
    """Sort; find the last place i of m at which the p-value is at most fdr i / m (Benjamini and Hochberg 1995)."""
    ordered = sorted(one for one in p if not np.isnan(one))
    passed = [one for place, one in enumerate(ordered, 1) if one * len(ordered) <= fdr * place * (1 + 1e-12)]
    return max(passed, default=0.0)


@quick
@given(lists)
def test_q_values_are_those_of_scipy(p):
    known = ~np.isnan(p)
    found = benjamini_hochberg(p)
    assert np.isnan(found[~known]).all()
    if known.any():
        assert found[known] == pytest.approx(false_discovery_control(p[known]), rel=1e-12, abs=1e-300)


@quick
@given(lists, levels)
def test_the_cutoff_is_that_of_the_step_up_procedure(p, fdr):
    limit = cutoff(p, fdr)
    assert limit == largest_rejected(p, fdr)
    below = benjamini_hochberg(p) <= fdr * (1 + 1e-12)
    assert np.array_equal(below, (p <= limit) & below.any())


@quick
@given(lists, st.randoms())
def test_order_ties_and_direction(p, random):
    order = list(range(len(p)))
    random.shuffle(order)
    q = benjamini_hochberg(p)
    assert np.array_equal(benjamini_hochberg(p[order]), q[order], equal_nan=True)
    known = ~np.isnan(p)
    assert ((q >= p * (1 - 1e-15)) & (q <= 1))[known].all()
    for one in range(len(p)):
        for other in range(len(p)):
            assert p[one] != p[other] or q[one] == q[other]
            assert not p[one] < p[other] or q[one] <= q[other]


def test_by_hand():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.5])
    assert benjamini_hochberg(p) == pytest.approx([0.04, np.nan, 0.16 / 3, 0.16 / 3, 0.5], nan_ok=True)
    assert (cutoff(p, 0.05), cutoff(p, 0.06), cutoff(p, 0.01)) == (0.01, 0.04, 0.0)


def test_nothing_is_no_trouble():
    assert benjamini_hochberg(np.array([])).tolist() == []
    assert np.isnan(benjamini_hochberg(np.array([np.nan]))).all()
    assert cutoff(np.array([]), 0.05) == cutoff(np.array([np.nan]), 0.05) == 0.0


def test_a_level_met_exactly_counts():
    """i / (n + 1) for the i-th of m where level (n + 1) / m is 1: every one lies on the line."""
    for n, m, fdr in ((1999, 200, 0.1), (999, 50, 0.05), (2999, 90, 0.03)):
        p = np.concatenate((np.arange(1, 31) / (n + 1), np.ones(m - 30)))
        assert cutoff(p, fdr) == 30 / (n + 1)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"shape \(1, 2\)"):
        benjamini_hochberg(np.array([[0.1, 0.2]]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        benjamini_hochberg(np.array([1.2]))
    for fdr in (0, 1, float("nan")):
        with pytest.raises(ValueError, match="fdr is"):
            cutoff(np.array([0.1]), fdr)
