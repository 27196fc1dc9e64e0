"""Against scipy's exact binomial interval, and ranks."""

import pytest
from scipy.stats import binomtest

from forensic_cli.statistics.intervals import clopper_pearson, percentiles
from loops import each


@each("of", [1, 2, 3, 10, 37, 1000])
@each("confidence", [0.5, 0.9, 0.95, 0.99])
def test_it_is_scipys_exact_interval(of, confidence):
    for hits in {0, 1, of // 3, of // 2, of - 1, of}:
        low, high = binomtest(hits, of).proportion_ci(confidence, method="exact")
        assert clopper_pearson(hits, of, confidence) == pytest.approx((low, high), abs=1e-9)


def test_95_percent_unless_told_otherwise():
    low, high = binomtest(7, 50).proportion_ci(0.95, method="exact")
    assert clopper_pearson(7, 50) == pytest.approx((low, high), abs=1e-9)


def test_the_middle_of_what_was_drawn():
    assert percentiles(list(range(1001))) == pytest.approx((25, 975))
    assert percentiles(list(range(1001)), 0.5) == pytest.approx((250, 750))
