"""What photographs that come in sources are worth, and that thresholds drawn with it hold for a new source."""

import numpy as np
import pytest
from scipy.stats import norm

from forensic_cli.statistics import conformal
from forensic_cli.statistics.clusters import correlation, worth

SIZES = [38, 25, 25, 22, 22, 20, 18, 17, 16, 16, *[14] * 6, *[10] * 10, *[5] * 10, *[2] * 6]


def drawn(rng, within):
    """Scores of as many sources as a calibration has, normal with variance 1, of which `within` is between sources."""
    source = np.repeat(np.arange(len(SIZES)), SIZES)
    between = np.sqrt(within) * rng.normal(size=len(SIZES))[source]
    return between + np.sqrt(1 - within) * rng.normal(size=len(source)), source


def test_the_correlation_is_that_of_one_way_analysis_of_variance():
    values = np.array([3.0, 4.0, 5.0, 8.0, 9.0, 7.0, 1.0, 2.0, 0.0])
    place = np.repeat([0, 1, 2], 3)
    means = values.reshape(3, 3).mean(axis=1)
    between = 3 * np.var(means, ddof=1)
    inside = np.mean(values.reshape(3, 3).var(axis=1, ddof=1))
    assert correlation(values, place) == pytest.approx((between - inside) / (between + 2 * inside))


@pytest.mark.parametrize(("values", "place"), [([1, 1, 1], [0, 0, 1]), ([1, 2], [0, 1]), ([1, 2], [0, 0])])
def test_where_nothing_can_be_told_there_is_no_correlation(values, place):
    assert correlation(np.array(values), np.array(place)) == 0


def test_photographs_of_their_own_are_worth_one_each():
    assert worth(np.arange(100.0), [str(one) for one in range(100)]) == 1
    assert worth(np.arange(100.0), ["one folder"] * 100) == 1
    assert worth(np.array([]), []) == 1
    with pytest.raises(ValueError, match="3 scores have 2 sources"):
        worth(np.arange(3.0), ["a", "b"])


def test_sources_of_which_each_is_one_photograph_over_and_over():
    source = np.repeat(np.arange(50), 8)
    assert worth(np.random.default_rng(0).normal(size=50)[source], source.tolist()) == pytest.approx(1 / 8, rel=0.02)


def test_what_sources_do_not_explain_costs_little():
    rng = np.random.default_rng(0)
    assert np.mean([worth(*pair) for pair in (drawn(rng, 0.0) for _ in range(50))]) > 0.85


@pytest.mark.parametrize("within", [0.1, 0.25, 0.4])
def test_a_threshold_over_sources_keeps_its_rate(within):
    """0.25 is the correlation of the shipped detector's scores within sources; plain limits fail there."""
    rng = np.random.default_rng(1)
    kept = {"plain": 0, "over sources": 0}
    for _ in range(200):
        scores, source = drawn(rng, within)
        for name, share in (("plain", 1.0), ("over sources", worth(scores, source.tolist()))):
            limit = conformal.threshold(scores, 0.05, worth=share).score_interval[1]
            kept[name] += norm.sf(limit) <= 0.05
    assert kept["over sources"] >= 0.95 * 200 - 6  # two standard errors
    if within >= 0.25:
        assert kept["plain"] < 0.92 * 200
