"""The promises, simulated: stated rates hold over many calibrations, and what breaks them is seen to break them.

A tolerance is four standard errors of the mean over independent draws of calibration and images.
"""

from functools import lru_cache

import numpy as np
import pytest
from scipy.stats import beta, chi2

from forensic_cli.statistics.combining import combine
from forensic_cli.statistics.conformal import at_most, p_values, rates, threshold
from forensic_cli.statistics.discovery import benjamini_hochberg, cutoff

RULES = ["bonferroni", "median", "mean", "harmonic"]
DEPENDENCES = ["agree", "contradict", "trade"]
every_rule = pytest.mark.parametrize("rule", RULES)
every_dependence = pytest.mark.parametrize("dependence", DEPENDENCES)


def mean_and_tolerance(per_draw):
    per_draw = np.asarray(per_draw, float)
    return per_draw.mean(), 4 * per_draw.std(ddof=1) / np.sqrt(len(per_draw))


def keeps(per_draw, level):
    mean, tolerance = mean_and_tolerance(per_draw)
    return mean <= level + tolerance


def breaks(per_draw, level):
    mean, tolerance = mean_and_tolerance(per_draw)
    return mean > level + tolerance


def photographs(draw, methods, count, dependence, traded=0.1):
    """Scores of photographs by each method: (methods, count), marginally the same for every dependence of `methods`.

    "agree": correlated by 0.95; "contradict": by as little as so many can be; "trade": what one method finds suspicious
    within its upper `traded`, the next finds the less suspicious, and beyond that they are equal.
    """
    if dependence == "trade":
        u = draw.random(count)
        return np.stack([u if one % 2 == 0 else np.where(u > 1 - traded, 2 - traded - u, u) for one in range(methods)])
    correlation = 0.95 if dependence == "agree" else -1 / (methods - 1)
    values, vectors = np.linalg.eigh(np.full((methods, methods), correlation) + (1 - correlation) * np.eye(methods))
    return vectors @ (np.sqrt(np.maximum(values, 0))[:, np.newaxis] * draw.normal(size=(methods, count)))


@lru_cache
def of_photographs(dependence, methods, traded=0.1, draws=800, calibrating=199, tested=40):
    """p-values of photographs alone, a calibration of its own in each draw: (draws, methods, tested)."""
    draw = np.random.default_rng(7)
    found = np.empty((draws, methods, tested))
    for one in range(draws):
        scores = photographs(draw, methods, calibrating + tested, dependence, traded)
        found[one] = [p_values(row[calibrating:], row[:calibrating]) for row in scores]
    return found


def shares(p, level):
    """Of each draw, the share flagged at `level`."""
    return at_most(p, level).mean(axis=-1)


def combined(p, rule):
    draws, methods, tested = p.shape
    return combine(p.transpose(1, 0, 2).reshape(methods, -1), rule).reshape(draws, tested)


def fisher(p):
    """For independent p-values (1925); along the axis of methods."""
    return chi2.sf(-2 * np.log(p).sum(axis=-2), 2 * p.shape[-2])


@pytest.mark.parametrize("level", [0.005, 0.05, 0.1, 0.5])
def test_one_method_flags_exactly_the_stated_share_of_photographs(level):
    p = of_photographs("agree", 2)[:, 0]
    mean, tolerance = mean_and_tolerance(shares(p, level))
    assert mean == pytest.approx(level, abs=tolerance)  # level (n + 1) is whole


def test_a_p_value_without_the_image_itself_would_break_it():
    p = of_photographs("agree", 2)[:, 0]
    without = (p * 200 - 1) / 199
    assert breaks(shares(without, 0.001), 0.001)  # above all photographs it is 0


@every_rule
@every_dependence
@pytest.mark.parametrize("methods", [2, 3])
def test_the_stated_rate_holds_however_methods_depend(rule, dependence, methods):
    p = combined(of_photographs(dependence, methods), rule)
    for level in (0.01, 0.05, 0.1, 0.3):
        assert keeps(shares(p, level), level)


@every_rule
def test_it_holds_where_methods_are_missing(rule):
    p = of_photographs("contradict", 3)
    p = np.where(np.random.default_rng(0).random(p.shape) < 0.4, np.nan, p)
    found = combined(p, rule)
    assert np.array_equal(np.isnan(found), np.isnan(p).all(axis=1))
    flagged = at_most(found, 0.1).sum(axis=1) / np.maximum(1, (~np.isnan(found)).sum(axis=1))
    assert keeps(flagged, 0.1)


@pytest.mark.parametrize("methods", [2, 3])
def test_fishers_combination_breaks_it(methods):
    assert breaks(shares(fisher(of_photographs("agree", methods)), 0.05), 0.05)


def test_the_smallest_and_the_mean_break_it_without_their_factor():
    assert breaks(shares(of_photographs("contradict", 2).min(axis=1), 0.1), 0.1)
    assert breaks(shares(of_photographs("trade", 2, traded=0.15).mean(axis=1), 0.1), 0.1)


IMAGES, GENERATED, CALIBRATING, FDR = 200, 20, 1999, 0.1


@lru_cache
def mixtures(dependence, draws=400):
    """p-values of two methods for folders of which a tenth is generated and scores higher: (draws, 2, images).

    All images of a folder share the calibration of its draw. The generated ones come first.
    """
    draw = np.random.default_rng(11)
    found = np.empty((draws, 2, IMAGES))
    for one in range(draws):
        scores = photographs(draw, 2, CALIBRATING + IMAGES, dependence)
        scores[:, CALIBRATING : CALIBRATING + GENERATED] += 3
        found[one] = [p_values(row[CALIBRATING:], row[:CALIBRATING]) for row in scores]
    return found


def discoveries(p, adjust=benjamini_hochberg):
    """Of each folder, the share of photographs among the flagged, and the share of generated images flagged."""
    flagged = np.array([at_most(adjust(one), FDR) for one in p])
    false = flagged[:, GENERATED:].sum(axis=1) / np.maximum(1, flagged.sum(axis=1))
    return false, flagged[:, :GENERATED].mean(axis=1)


def test_the_false_discovery_rate_of_one_method_is_the_stated_one_times_the_share_of_photographs():
    """Exactly, where fdr (n + 1) / N is whole (Marandon, Lei, Mary and Roquain 2024)."""
    false, found = discoveries(mixtures("agree")[:, 0])
    mean, tolerance = mean_and_tolerance(false)
    assert mean == pytest.approx(FDR * (IMAGES - GENERATED) / IMAGES, abs=tolerance)
    assert found.mean() > 0.5


def test_flagging_below_the_cutoff_is_flagging_by_q_values():
    p = mixtures("agree")[0, 0]
    assert np.array_equal(p <= cutoff(p, FDR), at_most(benjamini_hochberg(p), FDR))


@every_rule
@pytest.mark.parametrize("dependence", ["agree", "contradict"])
def test_the_false_discovery_rate_holds_for_two_dependent_methods(rule, dependence):
    false, found = discoveries(combined(mixtures(dependence), rule))
    assert keeps(false, FDR)
    assert found.mean() > 0.03  # twice the mean finds little where methods contradict each other


def test_without_a_procedure_and_with_fishers_combination_it_breaks():
    p = mixtures("agree")
    assert breaks(discoveries(p[:, 0], lambda one: one)[0], FDR)
    assert breaks(discoveries(fisher(p))[0], FDR)


@lru_cache
def limits(draws=1500, calibrating=400, fpr=0.05):
    """Thresholds of uniform scores, for which the share above a score s is 1 - s."""
    draw = np.random.default_rng(3)
    return [threshold(draw.random(calibrating), fpr) for _ in range(draws)]


def share_of(events, expected):
    """Whether so many of the draws are what a share `expected` gives, within four standard errors."""
    return np.mean(events) == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / len(events)))


def test_above_the_upper_end_the_rate_is_kept_with_the_stated_confidence():
    """The share above the j-th highest of n is Beta(j, n + 1 - j); j is how many high scores are needed."""
    above = np.array([1 - one.score_interval[1] for one in limits()])
    needed = next(j for j in range(400, 0, -1) if beta.sf(0.05, j, 401 - j) <= 0.05)
    expected = beta.sf(0.05, needed, 401 - needed)
    assert 0.02 < expected <= 0.05
    assert share_of(above > 0.05, expected)


def test_below_the_lower_end_it_is_broken_with_the_stated_confidence():
    above = np.array([1 - one.score_interval[0] for one in limits()])
    needed = next(j for j in range(1, 401) if beta.cdf(0.05, j, 401 - j) <= 0.05)
    expected = beta.cdf(0.05, needed, 401 - needed)
    assert 0.02 < expected <= 0.05
    assert share_of(above <= 0.05, expected)


def test_the_score_itself_guarantees_nothing_in_a_single_calibration():
    above = np.array([1 - one.score for one in limits()])
    assert breaks(above > 0.05, 0.25)
    mean, tolerance = mean_and_tolerance(above)
    assert mean == pytest.approx(20 / 401, abs=tolerance)  # but on average it does


def test_the_interval_of_the_share_covers_it():
    above = np.array([1 - one.score for one in limits()])
    inside = [one.share_interval[0] <= share <= one.share_interval[1] for one, share in zip(limits(), above, strict=True)]
    assert keeps(~np.array(inside), 0.05)
    assert breaks(~np.array(inside), 0.005)


@pytest.mark.parametrize("steps", [3, 20, 300])
def test_the_guarantee_holds_where_scores_tie(steps):
    """Of scores 0 to steps - 1, the share at or above s is 1 - s / steps."""
    draw = np.random.default_rng(5)
    scores = np.arange(steps)
    truth = 1 - scores / steps
    broken = []
    for _ in range(600):
        low, high = rates(scores, draw.integers(0, steps, 200))
        broken.append([(truth[high <= 0.3] > 0.3).any(), (truth[low > 0.3] <= 0.3).any()])
    for side in np.array(broken).T:
        assert keeps(side, 0.05)
