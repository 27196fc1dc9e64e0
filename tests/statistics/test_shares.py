"""Against counting and scipy's exact binomial interval."""

import numpy as np
import pytest
from scipy.stats import binomtest

from forensic_cli.statistics.shares import grouped, over


def test_each_kind_above_each_threshold():
    kinds = ["phone"] * 8 + ["scan"] * 6 + ["comic"] * 2 + ["press"] * 3
    rows = over(kinds, np.arange(19.0), {0.05: 4.0, 0.001: 17.0})
    assert [(row["kind"], row["n"]) for row in rows] == [("phone", 8), ("scan", 6), ("(all others)", 5)]
    assert [row["over_0.05"] for row in rows] == [3 / 8, 1, 1]  # the threshold itself is not above
    assert [row["over_0.001"] for row in rows] == [0, 0, 1 / 5]
    exact = binomtest(3, 8).proportion_ci(method="exact")
    assert rows[0]["over_0.05_interval"] == pytest.approx([exact.low, exact.high], abs=1e-9)


def test_of_nothing_there_are_no_rows():
    assert over([], np.empty(0), {0.05: 1.0}) == []


def test_groups_hold_every_index_once():
    names = [f"k{number * number % 11}" for number in range(60)]
    found = list(grouped((name, index) for index, name in enumerate(names)))
    assert sorted(index for _, some in found for index in some) == list(range(60))
    assert all(len(some) >= 5 for name, some in found if name != "(all others)")
