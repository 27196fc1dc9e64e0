"""Against naive loops, and against the worst dependence there is, found by linear programming."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq, linprog
from scipy.sparse import coo_array
from scipy.stats import combine_pvalues, hmean

from forensic_cli.statistics.combining import combine, harmonic_constant

RULES = ["bonferroni", "median", "mean", "harmonic"]
every_rule = pytest.mark.parametrize("rule", RULES)
quick = settings(max_examples=40, deadline=None)
shapes = st.tuples(st.integers(1, 6), st.integers(1, 5))
tables = shapes.flatmap(lambda shape: arrays(float, shape, elements=st.floats(0.0001, 1) | st.just(float("nan"))))


def naive(p, rule):
    """Of the p-values of one image."""
    known = sorted(one for one in p if not math.isnan(one))
    several = len(known)
    if not several:
        return math.nan
    half = math.ceil(several / 2)
    constant = several if several <= 2 else exact_constant(several)
    return min(
        1,
        {
            "bonferroni": several * known[0],
            "median": several / half * known[half - 1],
            "mean": sum(known) / several * (1 if several == 1 else 2),
            "harmonic": constant * hmean(known),
        }[rule],
    )


def exact_constant(several):
    """Where the derivative is zero: y² = K ((1 + y) ln(1 + y) - y)."""
    y = brentq(lambda y: y * y - several * ((1 + y) * math.log1p(y) - y), 1e-3, 1e9)
    return (y + several) ** 2 / (several * (1 + y))


@every_rule
@quick
@given(tables)
def test_it_is_what_a_loop_finds(rule, p):
    assert combine(p, rule) == pytest.approx([naive(column, rule) for column in p.T], rel=1e-6, nan_ok=True)


@every_rule
@quick
@given(tables, st.randoms())
def test_the_order_of_methods_does_not_matter_and_one_stands_for_itself(rule, p, random):
    rows = list(range(len(p)))
    random.shuffle(rows)
    found = combine(p, rule)
    assert combine(p[rows], rule) == pytest.approx(found, nan_ok=True)
    assert combine(np.vstack((p, np.full(p.shape[1], np.nan))), rule) == pytest.approx(found, nan_ok=True)
    assert combine(p[:1], rule) == pytest.approx(p[0], nan_ok=True)


@every_rule
@quick
@given(tables.filter(lambda p: not np.isnan(p).any()), st.floats(0, 1))
def test_smaller_p_values_never_make_a_larger_one(rule, p, factor):
    assert (combine(p * factor, rule) <= combine(p, rule) * (1 + 1e-12)).all()


@quick
@given(tables)
def test_none_beats_what_its_bound_allows(p):
    """At most twice the median; and for two methods Bonferroni's is never worse than harmonic and median."""
    with np.errstate(all="ignore"):
        columns = p[:, ~np.isnan(p).all(axis=0)]
    assert (combine(columns, "median") <= 2 * np.nanmedian(columns, axis=0) * (1 + 1e-12)).all()
    pair = columns[:2][:, ~np.isnan(columns[:2]).all(axis=0)]
    for other in ("harmonic", "median"):
        assert (combine(pair) <= combine(pair, other) * (1 + 1e-12)).all()


def test_the_default_and_figures_by_hand():
    p = np.array([[0.01, 0.2, np.nan, np.nan], [0.04, 0.6, 0.03, np.nan], [0.5, 0.9, 0.05, np.nan]])
    assert combine(p) == pytest.approx([0.03, 0.6, 0.06, np.nan], nan_ok=True)
    assert combine(p, "median") == pytest.approx([0.06, 0.9, 0.06, np.nan], nan_ok=True)
    assert combine(p, "mean") == pytest.approx([0.55 / 1.5, 1.0, 0.08, np.nan], nan_ok=True)
    assert combine(p, "harmonic") == pytest.approx([2.745644 * 3 / 127, 1.0, 0.075, np.nan], nan_ok=True)


@every_rule
def test_zeros_and_nothing(rule):
    assert combine(np.array([[0.0], [0.0], [0.0]]), rule).tolist() == [0.0]
    assert np.isnan(combine(np.empty((0, 2)), rule)).all()
    assert combine(np.empty((2, 0)), rule).tolist() == []
    assert combine(np.array([[5e-324], [1.0]]), rule)[0] in (0.0, 1.0, 1e-323)


def test_the_harmonic_constant():
    assert [harmonic_constant(several) for several in (0, 1, 2)] == [0, 1, 2]
    for several in (3, 4, 10, 100, 10_000):
        found, exact = harmonic_constant(several), exact_constant(several)
        assert exact * (1 - 1e-12) <= found <= exact * (1 + 1e-6)
    assert harmonic_constant(10**6) / math.log(10**6) == pytest.approx(1, abs=0.3)


def worst(found, several, steps, level):
    """The highest P(combined <= level) over all dependences of p-values that are uniform on 1/steps, ..., 1."""
    places = np.array(list(itertools.product(range(steps), repeat=several)))
    rows = (places + steps * np.arange(several)).ravel()
    columns = np.repeat(np.arange(len(places)), several)
    margins = coo_array((np.ones(len(rows)), (rows, columns)), shape=(several * steps, len(places)))
    value = -(found <= level * (1 + 1e-12)).astype(float)
    solved = linprog(value, A_eq=margins.tocsr(), b_eq=np.full(several * steps, 1 / steps), method="highs")
    assert solved.success
    return -solved.fun


def grid(several, steps):
    return (1 + np.array(list(itertools.product(range(steps), repeat=several))).T) / steps


LEVELS = (0.1, 0.2, 0.3, 0.5)


@every_rule
@pytest.mark.parametrize(("several", "steps"), [(2, 20), (3, 10)])
def test_no_dependence_at_all_breaks_the_promise(rule, several, steps):
    p = grid(several, steps)
    for level in LEVELS:
        assert worst(combine(p, rule), several, steps, level) <= level + 1e-9


NAIVE = {
    "bonferroni": lambda p: p.min(axis=0),
    "median": lambda p: np.sort(p, axis=0)[(len(p) - 1) // 2],
    "mean": lambda p: p.mean(axis=0),
    "harmonic": lambda p: hmean(p, axis=0),
}


@every_rule
@pytest.mark.parametrize(("several", "steps"), [(2, 20), (3, 10)])
def test_without_its_factor_each_would_break_it(rule, several, steps):
    p = grid(several, steps)
    plain, factor = NAIVE[rule](p), combine(p, rule) / NAIVE[rule](p)
    assert factor.max() > 1.3
    assert max(worst(plain, several, steps, level) - level for level in LEVELS) > 0.02


def test_fishers_would_break_it():
    p = grid(2, 20)
    fisher = np.array([combine_pvalues(column, "fisher").pvalue for column in p.T])
    assert worst(fisher, 2, 20, 0.1) > 0.15


@pytest.mark.parametrize(
    ("rule", "several", "steps", "level", "reached"),
    [
        ("bonferroni", 3, 10, 0.3, 0.3),
        ("median", 3, 12, 0.5, 0.5),
        ("mean", 2, 20, 0.5, 9 / 20),  # p + q <= 10 / 20 in pairs (1, 9) to (9, 1); finer steps come closer
    ],
)
def test_some_dependence_leaves_no_room_for_a_smaller_factor(rule, several, steps, level, reached):
    assert worst(combine(grid(several, steps), rule), several, steps, level) == pytest.approx(reached)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        combine(np.array([0.1, 0.2]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        combine(np.array([[0.1], [1.2]]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        combine(np.array([[-0.1], [0.2]]))
    with pytest.raises(ValueError, match="'fisher' is none of bonferroni, median, mean, harmonic"):
        combine(np.array([[0.1]]), "fisher")
