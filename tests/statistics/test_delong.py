"""Against the double loop of 1988, and by simulation."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from forensic_cli.statistics.delong import compare


def by_pairs(real, generated):
    """The components of every method, (methods, images) for both classes, from each pair of images."""
    wins = np.array(
        [[[(g > r) + (g == r) / 2 for r in one] for g in two] for one, two in zip(real, generated, strict=True)]
    )
    return wins.mean(axis=2), wins.mean(axis=1)


def covariance(real, generated):
    above, below = by_pairs(real, generated)
    return np.atleast_2d(np.cov(above)) / above.shape[1] + np.atleast_2d(np.cov(below)) / below.shape[1]


def test_two_methods_on_the_same_images():
    draw = np.random.default_rng(2)
    real, generated = draw.integers(0, 9, (2, 40)).astype(float), draw.integers(2, 12, (2, 25)).astype(float)
    found = compare((real[0], generated[0]), (real[1], generated[1]))
    labels = np.repeat([0, 1], [40, 25])
    expected = [roc_auc_score(labels, np.concatenate((real[one], generated[one]))) for one in (0, 1)]
    assert [found.first, found.second] == pytest.approx(expected, abs=1e-12)
    assert found.value == pytest.approx(expected[0] - expected[1])
    table = covariance(real, generated)
    spread = np.sqrt(table[0, 0] + table[1, 1] - 2 * table[0, 1])
    assert found.interval == pytest.approx(
        (found.value - 1.959963984540054 * spread, found.value + 1.959963984540054 * spread)
    )
    back = compare((real[1], generated[1]), (real[0], generated[0]))
    assert (back.value, back.p_value) == pytest.approx((-found.value, found.p_value))


def test_without_a_difference_p_is_small_as_often_as_it_says():
    small = 0
    for number in range(400):
        draw = np.random.default_rng(number)
        content = np.concatenate((draw.normal(0, 1, 40), draw.normal(1, 1, 30)))
        first, second = (content + draw.normal(0, 1, 70) for _ in range(2))
        small += compare((first[:40], first[40:]), (second[:40], second[40:])).p_value < 0.05
    assert 8 <= small <= 34  # 20 expected, give or take 4.4


def test_a_true_difference_is_seen():
    draw = np.random.default_rng(0)
    real, generated = draw.normal(0, 1, 300), draw.normal(2, 1, 300)
    found = compare((real, generated), (real + draw.normal(0, 3, 300), generated + draw.normal(0, 3, 300)))
    assert found.p_value < 1e-6
    assert 0 < found.interval[0] < found.value < found.interval[1]


def test_where_nothing_varies_nothing_is_claimed():
    real, generated = np.arange(5.0), np.arange(10.0, 15)
    for other in ((real, generated), (np.zeros(5), np.zeros(5))):
        found = compare((real, generated), other)
        assert (found.interval, found.p_value) == (None, None)
    one = compare((real[:1], generated), (real[:1], generated[::-1]))
    assert (one.value, one.interval, one.p_value) == (0, None, None)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (([1.0], [2.0, 3.0]), ([1.0], [2.0]), "different numbers of images"),
        (([], [2.0]), ([], [2.0]), "no photographs"),
        (([np.nan, 1.0], [2.0]), ([0.0, 1.0], [2.0]), "not a number"),
    ],
)
def test_what_cannot_be_compared_is_refused(first, second, words):
    with pytest.raises(ValueError, match=words):
        compare(*(tuple(map(np.array, pair)) for pair in (first, second)))
