"""Likelihood ratios against the definitions, scikit-learn and scipy; `lir` is asked in test_ratios_lir.py."""

import json
import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import gaussian_kde, norm
from sklearn.isotonic import IsotonicRegression

from forensic_cli.statistics.bounds import by_counts, elub
from forensic_cli.statistics.costs import cllr, cllr_min, ece, empirical_cross_entropy, tippett
from forensic_cli.statistics.pav import pav
from forensic_cli.statistics.ratio_fitting import fit, held_out
from forensic_cli.statistics.ratios import KINDS, Ratios
from forensic_cli.statistics.splitting import folds
from loops import each

LN10 = math.log(10)


def scores(seed=0, real=120, generated=45, apart=2.0):
    draw = np.random.default_rng(seed)
    return np.round(draw.normal(0, 1, real), 1), np.round(draw.normal(apart, 1.3, generated), 1)


def test_logistic_minimises_the_balanced_loss():
    real, generated = scores()
    both = np.concatenate((real, generated))
    middle, spread = both.mean(), both.std()

    def loss(at):
        odds = [at[0] * (some - middle) / spread + at[1] for some in (real, generated)]
        means = np.logaddexp(0, odds[0]).mean() + np.logaddexp(0, -odds[1]).mean()
        return len(both) / 2 * means + at[0] ** 2 / 2

    best = minimize(loss, [0, 0], tol=1e-12, method="Nelder-Mead").x
    x = np.linspace(-3, 5, 9)
    expected = (best[0] * (x - middle) / spread + best[1]) / LN10
    assert fit("logistic", real, generated).model.llr10(x) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("apart", [50, 1e6])
def test_logistic_stays_finite_where_the_classes_lie_apart(apart):
    found = fit("logistic", np.arange(20.0), np.arange(20.0) + apart)
    assert 0 < found.model.slope < math.inf
    assert found.model.llr10(np.array([9.5 + apart / 2])) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_unit_of_the_scores_does_not_matter(kind):
    real, generated = scores(1)
    plain = fit(kind, real, generated).llr10(np.linspace(-4, 6, 60))
    scaled = fit(kind, 1000 * real - 7, 1000 * generated - 7).llr10(1000 * np.linspace(-4, 6, 60) - 7)
    assert scaled == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_they_come_near_the_truth(kind):
    """Of two normal distributions of spread 1, two apart, the true LLR is (2 score - 2) / ln 10."""
    draw = np.random.default_rng(0)
    found = fit(kind, draw.normal(0, 1, 20_000), draw.normal(2, 1, 5000))
    x = np.linspace(-1, 3, 9)
    assert found.llr10(x) == pytest.approx((2 * x - 2) / LN10, abs=0.2)


def test_pav_is_isotonic_regression():
    real, generated = scores(3)
    labels = np.repeat([0.0, 1.0], [len(real), len(generated)])
    weights = np.where(labels == 1, 1 / len(generated), 1 / len(real))
    both = np.concatenate((real, generated))
    expected = IsotonicRegression(out_of_bounds="clip").fit(both, labels, sample_weight=weights)
    x = np.linspace(-5, 7, 400)
    share = expected.predict(x)
    with np.errstate(divide="ignore"):
        odds = np.log10(share) - np.log10(1 - share)
    finite = np.isfinite(odds) & (share > 1e-9) & (share < 1 - 1e-9)
    found = fit("isotonic", real, generated).model.llr10(x)
    assert finite.sum() > 100
    assert found[finite] == pytest.approx(odds[finite], abs=1e-9)
    assert np.all(found[share < 1e-9] == -np.inf)
    assert np.all(found[share > 1 - 1e-9] == np.inf)
    steps = pav(real, generated)
    assert np.all(np.diff(steps.probability) > 0)
    assert (steps.real.sum(), steps.generated.sum()) == (len(real), len(generated))


def test_kernel_density_is_that_of_scipy():
    real, generated = scores(4)
    found = fit("kde", real, generated).model
    x = np.linspace(found.first, found.last, len(found.llrs))
    densities = []
    for some in (generated, real):
        width = some.std() * (4 / 3 / len(some)) ** 0.2
        densities.append(gaussian_kde(some, width / some.std(ddof=1))(x))
    assert found.llrs == pytest.approx(np.log10(densities[0] / densities[1]), abs=1e-9)
    assert found.llr10(np.array([-99.0, 99.0])).tolist() == [found.llrs[0], found.llrs[-1]]


def test_many_scores_are_gathered_before_the_density_is_drawn():
    draw = np.random.default_rng(0)
    real, generated = draw.normal(0, 1, 6000), draw.normal(1, 1, 300)
    found = fit("kde", real, generated).model
    x = np.linspace(found.first, found.last, len(found.llrs))[200:800:50]
    densities = [
        norm.pdf(x[:, None], some, some.std() * (4 / 3 / len(some)) ** 0.2).mean(axis=1) for some in (generated, real)
    ]
    assert np.array(found.llrs)[200:800:50] == pytest.approx(np.log10(densities[0] / densities[1]), abs=5e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bound", ["elub", "counts"])
def test_ratios_are_kept_as_json_and_never_leave_their_bounds(kind, bound):
    real, generated = scores(5)
    found = fit(kind, real, generated, bound=bound)
    again = Ratios.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False)))
    assert again == found
    x = np.append(np.linspace(-50, 50, 500), [-np.inf, np.inf])
    low, high = by_counts(len(real), len(generated))
    llrs = again.llr10(x)
    assert low - 1e-12 <= found.bounds[0] == llrs.min() < 0 < llrs.max() == found.bounds[1] <= high + 1e-12
    assert np.isnan(again.llr10(np.array([np.nan]))).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "magic"}, "unknown kind: 'magic'"),
        ({"bounds": [1]}, "not enough values"),
        ({"slope": None}, "no likelihood ratios"),
        ({"kind": None}, "unknown kind"),
        ({"kind": "isotonic"}, "no likelihood ratios: KeyError"),
        ({"kind": "isotonic", "scores": [], "probabilities": []}, "without a number"),
    ],
)
def test_a_damaged_row_is_refused_in_plain_words(change, words):
    row = fit("logistic", *scores()).to_json() | change
    with pytest.raises(ValueError, match=words):
        Ratios.from_json(row)


def utility(real, generated, threshold):
    """1 or less where acting on the LLRs, one misleading one added to each class, costs no more than not looking."""
    missed = (np.sum(generated <= threshold) + 1) / (len(generated) + 1)
    alarms = (np.sum(real > threshold) + 1) / (len(real) + 1)
    return (missed + 10.0**threshold * alarms) / min(1, 10.0**threshold)


@each("seed", range(12))
def test_within_the_bounds_no_decision_costs_more_than_without_ratios(seed):
    draw = np.random.default_rng(seed)
    real, generated = draw.normal(-0.7, 0.8, draw.integers(5, 80)), draw.normal(0.7, 0.8, draw.integers(5, 80))
    low, high = elub(real, generated)
    inside = np.linspace(low, high, 2001)[1:-1]
    assert all(utility(real, generated, threshold) <= 1 + 1e-9 for threshold in inside)
    assert max(utility(real, generated, high + step) for step in (1e-9, 1e-4, 0.02)) > 1
    assert max(utility(real, generated, low - step) for step in (1e-9, 1e-4, 0.02)) > 1


def test_bounds_of_ratios_worth_nothing_and_of_perfect_ones():
    assert elub(np.ones(10), -np.ones(10)) == (0, 0)
    low, high = elub(np.full(9, -np.inf), np.full(99, np.inf))
    assert (low, high) == pytest.approx((math.log10(100 * 0.9), math.log10(10 * 0.99))[::1] * np.array([-1, 1]))
    assert by_counts(9, 99) == pytest.approx((-2, 1))
    real, generated = scores(2)
    mirrored = elub(-generated, -real)
    assert elub(real, generated) == pytest.approx((-mirrored[1], -mirrored[0]), abs=1e-9)


def test_cost_of_a_few_ratios_by_hand():
    real, generated = np.log10([0.5, 1.0, 2.0]), np.log10([4.0, 1.0])
    expected = (np.mean(np.log2([1.5, 2, 3])) + np.mean(np.log2([1.25, 2]))) / 2
    assert cllr(real, generated) == pytest.approx(expected, abs=1e-12)
    assert cllr(np.zeros(3), np.zeros(2)) == pytest.approx(1)
    assert cllr(np.array([-np.inf]), np.array([np.inf])) == 0
    assert cllr(np.array([np.inf, -1]), np.array([1.0])) == math.inf
    assert cllr(np.array([-400.0]), np.array([-400.0])) == pytest.approx(200 / math.log10(2))


def test_the_least_cost_is_zero_for_perfect_order_and_never_above_the_cost():
    assert cllr_min(np.arange(5.0), np.arange(5.0, 9)) == 0
    assert cllr_min(np.zeros(5), np.zeros(3)) == pytest.approx(1)
    for seed in range(5):
        real, generated = scores(seed)
        assert cllr_min(real, generated) <= cllr(real, generated)
        assert cllr_min(real, generated) == pytest.approx(cllr_min(real * 3 - 1, generated * 3 - 1), abs=1e-12)


def test_tippett_counts_those_at_or_above():
    real, generated = np.array([-2.0, -1, 1]), np.array([-1.0, 2, np.inf])
    found = tippett(real, generated, points=5)
    assert found.to_json() == {
        "x": [-2, -1, 0, 1, 2],
        "real": pytest.approx([1, 2 / 3, 1 / 3, 1 / 3, 0]),
        "generated": pytest.approx([1, 1, 2 / 3, 2 / 3, 2 / 3]),
    }
    assert tippett(np.zeros(2), np.zeros(3)).curves["real"].tolist() == [1, 1, 0]


def test_cross_entropy_at_equal_priors_is_the_cost():
    real, generated = (some / 2 for some in scores(6))
    even = empirical_cross_entropy(real, generated, np.zeros(1))[0]
    assert even == pytest.approx(cllr(real, generated), abs=1e-12)
    curves = ece(real, generated, points=61)
    middle = {name: values[30] for name, values in curves.curves.items()}
    assert curves.x[30] == pytest.approx(0)
    assert middle == pytest.approx({"llr": even, "neutral": 1, "pav": cllr_min(real, generated)})
    share = 1 / (1 + 10.0**-curves.x)
    assert curves.curves["neutral"] == pytest.approx(-share * np.log2(share) - (1 - share) * np.log2(1 - share), abs=1e-9)
    assert np.all(curves.curves["pav"] <= np.minimum(curves.curves["neutral"], curves.curves["llr"]) + 1e-9)
    json.dumps(curves.to_json(), allow_nan=False)


@pytest.mark.parametrize("kind", KINDS)
def test_no_image_is_judged_by_its_own_source(kind):
    """What becomes of one source changes all but those that are judged together with it."""
    draw = np.random.default_rng(8)
    real, generated = draw.normal(0, 1, 300), draw.normal(1, 1, 300)
    sources = [f"r{number % 30}" for number in range(300)], [f"g{number % 30}" for number in range(300)]
    homes = folds(sources[0], 5), folds(sources[1], 5)
    one = np.array(sources[0]) == "r7"
    together = homes[0] == homes[0][one][0]
    found = held_out(kind, real, generated, sources)
    again = held_out(kind, np.where(one, real + 3, real), generated, sources)
    assert np.array_equal(found[0][together & ~one], again[0][together & ~one])
    assert np.array_equal(found[1][homes[1] == homes[0][one][0]], again[1][homes[1] == homes[0][one][0]])
    assert np.mean(found[0][~together] != again[0][~together]) > 0.5
    assert not np.isnan(np.concatenate(found)).any()
    assert fit(kind, real, generated, sources).bounds == pytest.approx(elub(*found))


@pytest.mark.parametrize(
    ("real", "generated", "kind", "words"),
    [
        ([], [1.0, 2.0], "logistic", "there are no photographs"),
        ([1.0, 2.0], [], "isotonic", "there are no generated images"),
        ([1.0, np.nan], [1.0, 2.0], "kde", "not a number"),
        ([1.0, np.inf], [1.0, 2.0], "logistic", "infinite"),
        ([1.0], [1.0, 2.0], "logistic", "two photographs and two generated images"),
        ([1.0, 1.0], [1.0, 2.0], "kde", "all scores of a class are the same"),
    ],
)
def test_scores_that_allow_no_ratios(real, generated, kind, words):
    with pytest.raises(ValueError, match=words):
        fit(kind, np.array(real), np.array(generated))


def test_an_unknown_bound_is_refused():
    with pytest.raises(ValueError, match="bounds are elub or counts, not none"):
        fit("logistic", *scores(), bound="none")
