"""Against counting one by one and scipy's exact binomial limits; ties, infinities and knife-edges included."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from forensic_cli.statistics.conformal import at_most, fewest, p_values, rates, threshold

quick = settings(max_examples=40, deadline=None)
numbers = st.integers(-3, 3) | st.floats(-1e6, 1e6) | st.sampled_from([float("inf"), float("-inf")])
calibrations = st.lists(numbers, max_size=40).map(lambda one: np.array(one, float))
several = st.lists(numbers | st.just(float("nan")), max_size=8).map(lambda one: np.array(one, float))
levels = st.sampled_from([0.001, 0.01, 0.05, 0.07, 0.1, 0.25, 0.5, 0.9, 0.99])
tails = st.sampled_from([0.01, 0.05, 0.1, 0.3])


def reached(score, calibration):
    return sum(1 for other in calibration if other >= score)


@quick
@given(several, calibrations)
def test_p_values_are_counted(scores, calibration):
    found = p_values(scores, calibration)
    for score, p in zip(scores, found, strict=True):
        expected = (1 + reached(score, calibration)) / (len(calibration) + 1)
        assert np.isnan(p) if np.isnan(score) else p == expected


def test_the_direction_and_the_ends():
    calibration = np.arange(9.0)
    assert p_values(np.array([100.0, 8.0, 7.5, 0.0, -1.0]), calibration).tolist() == [0.1, 0.2, 0.2, 1.0, 1.0]
    assert p_values(np.array([5.0]), np.array([])).tolist() == [1.0]


def test_shapes_orders_and_inputs_are_left_alone():
    draw = np.random.default_rng(0)
    scores, calibration = draw.normal(size=(3, 4)), draw.normal(size=30)
    before = scores.copy(), calibration.copy()
    found, limits = p_values(scores, calibration), rates(scores, calibration)
    assert found.shape == limits[0].shape == limits[1].shape == (3, 4)
    assert np.array_equal(found, p_values(scores, np.sort(calibration)))
    assert np.array_equal(scores, before[0])
    assert np.array_equal(calibration, before[1])


@quick
@given(several, calibrations.filter(len), tails)
def test_rates_are_scipys_one_sided_exact_limits(scores, calibration, tail):
    for score, low, high in zip(scores, *rates(scores, calibration, tail), strict=True):
        if np.isnan(score):
            assert np.isnan([low, high]).all()
            continue
        hits = reached(score, calibration)
        above = binomtest(hits, len(calibration), alternative="less").proportion_ci(1 - tail, method="exact").high
        below = binomtest(hits, len(calibration), alternative="greater").proportion_ci(1 - tail, method="exact").low
        assert (low, high) == pytest.approx((below, above), abs=1e-9)


@pytest.mark.parametrize(("n", "enough"), [(298, False), (299, True)])
def test_299_photographs_guarantee_one_percent(n, enough):
    _, high = rates(np.array([1.0]), np.zeros(n))
    assert bool(high[0] <= 0.01) is enough
    assert (threshold(np.zeros(n), 0.01).score_interval[1] is not None) is enough
    if enough:
        assert high[0] == pytest.approx(0.00997, abs=5e-6)


@pytest.mark.parametrize(("fpr", "number"), [(0.05, 59), (0.01, 299), (0.001, 2995)])
def test_how_many_it_takes(fpr, number):
    assert fewest(fpr) == number


@quick
@given(st.floats(0.002, 0.9), tails)
def test_one_fewer_is_too_few(fpr, tail):
    number = fewest(fpr, tail)
    assert rates(np.array([1.0]), np.zeros(number), tail)[1][0] <= fpr
    if number > 1:
        assert rates(np.array([1.0]), np.zeros(number - 1), tail)[1][0] > fpr


def test_where_the_limit_is_met_exactly():
    assert fewest(0.5, 0.25) == 2


@quick
@given(calibrations, levels, several)
def test_above_the_threshold_is_where_the_p_value_is_small_enough(calibration, fpr, scores):
    limit = threshold(calibration, fpr)
    near = [np.nextafter(one, side) for one in calibration for side in (-np.inf, np.inf)]
    scores = np.concatenate((scores[~np.isnan(scores)], calibration, near))
    above = np.zeros(len(scores), bool) if limit.score is None else scores > limit.score
    assert np.array_equal(above, at_most(p_values(scores, calibration), fpr))
    assert limit.flagged == (0 if limit.score is None else sum(calibration > limit.score))
    assert (limit.fpr, limit.photographs) == (fpr, len(calibration))


@quick
@given(calibrations, levels, several, tails)
def test_the_interval_is_where_rates_cross(calibration, fpr, scores, tail):
    under, over = threshold(calibration, fpr, tail).score_interval
    near = [np.nextafter(one, side) for one in calibration for side in (-np.inf, np.inf)]
    scores = np.concatenate((scores[~np.isnan(scores)], calibration, near))
    low, high = rates(scores, calibration, tail)
    assert np.array_equal(high <= fpr, np.zeros(len(scores), bool) if over is None else scores > over)
    assert np.array_equal(low > fpr, np.zeros(len(scores), bool) if under is None else scores <= under)


@quick
@given(calibrations, levels)
def test_the_score_lies_in_its_interval(calibration, fpr):
    limit = threshold(calibration, fpr)
    under, over = limit.score_interval
    if limit.score is not None:
        assert under is None or under <= limit.score
        assert over is None or limit.score <= over


def test_a_threshold_by_hand():
    """Of 1 to 1000: p <= 0.05 leaves 49 above, and the binomial tail with p = 0.05 gives the order statistics."""
    limit = threshold(np.random.default_rng(0).permutation(np.arange(1.0, 1001.0)), 0.05)
    assert (limit.score, limit.flagged, limit.photographs) == (951.0, 49, 1000)
    surely = max(k for k in range(1000) if binom.cdf(k, 1000, 0.05) <= 0.05)
    surely_not = min(k for k in range(1000) if binom.sf(k - 1, 1000, 0.05) < 0.05)
    assert limit.score_interval == (1001.0 - surely_not, 1000.0 - surely)
    expected = binomtest(49, 1000).proportion_ci(0.95, method="exact")
    assert limit.share_interval == pytest.approx((expected.low, expected.high), abs=1e-9)
    with pytest.raises(FrozenInstanceError):
        limit.score = 0.0


def test_where_photographs_tie_the_upper_end_is_as_if_they_did_not():
    tied, spread = threshold(np.repeat([0.0, 1.0], [900, 100]), 0.05), threshold(np.arange(1000.0), 0.05)
    assert (tied.score, tied.flagged, spread.flagged) == (1.0, 0, 49)
    assert tied.share_interval == (0.0, spread.share_interval[1])


def test_too_few_photographs_to_say():
    """18 cannot have a p-value of 0.05; 19 can, but guarantee nothing; 58 neither, 59 do."""
    assert threshold(np.arange(18.0), 0.05).score is None
    assert threshold(np.arange(18.0), 0.05).flagged == 0
    assert threshold(np.arange(19.0), 0.05).score == 18.0
    assert threshold(np.arange(58.0), 0.05).score_interval[1] is None
    assert threshold(np.arange(59.0), 0.05).score_interval[1] == 58.0
    assert threshold(np.arange(1.0), 0.04).score_interval == (0.0, None)  # what one photograph reached, 5 % surely reach
    assert threshold(np.arange(1.0), 0.06).score_interval == (None, None)
    assert threshold(np.array([]), 0.05).score_interval == (None, None)
    assert threshold(np.array([]), 0.05).share_interval == (0.0, 1.0)


def test_a_level_that_is_met_exactly_is_met():
    fractions = [(several, rank, n) for n in (99, 299, 999, 2999) for rank in (1, 2, 3) for several in (1, 2, 3, 5, 6, 7)]
    products = np.array([several * (rank / (n + 1)) for several, rank, n in fractions])
    named = np.array([float(f"{several * rank / (n + 1):.10g}") for several, rank, n in fractions])
    assert (products > named).any()  # by the last bit, which a bare comparison would decide by
    assert all(at_most(p, level) for p, level in zip(products, named, strict=True) if abs(p - level) < 1e-15)
    assert not at_most(0.05 + 1e-9, 0.05)
    assert at_most(np.array([0.01, np.nan, 0.06]), 0.05).tolist() == [True, False, False]


def test_what_cannot_be_is_refused():
    broken = np.array([0.0, np.nan])
    for call in (lambda: p_values(broken, broken), lambda: rates(broken, broken), lambda: threshold(broken, 0.05)):
        with pytest.raises(ValueError, match="NaN"):
            call()
    for fpr in (0, 1, -1, float("nan")):
        with pytest.raises(ValueError, match="fpr is"):
            threshold(np.zeros(3), fpr)
        with pytest.raises(ValueError, match="fpr is"):
            fewest(fpr)
    for tail in (0, 0.5, 1):
        with pytest.raises(ValueError, match="tail is"):
            rates(np.zeros(3), np.zeros(3), tail)
        with pytest.raises(ValueError, match="tail is"):
            threshold(np.zeros(3), 0.1, tail)


def test_millions_of_scores_at_once():
    """Every hundred-thousandth is counted."""
    draw = np.random.default_rng(0)
    scores, calibration = draw.normal(size=1_000_000).astype(np.float32), draw.normal(size=5000).astype(np.float32)
    p, (low, high) = p_values(scores, calibration), rates(scores, calibration)
    for place in range(0, len(scores), 100_000):
        hits = np.count_nonzero(calibration >= scores[place])
        assert p[place] == (1 + hits) / 5001
        assert low[place] <= hits / 5000 <= high[place]
