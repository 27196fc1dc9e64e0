"""Halves hold whole sources wherever that leaves something of each class on both sides."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from forensic_cli.statistics.halves import halves


def apart(part, sources):
    names = np.array(sources)
    return not set(names[part]) & set(names[~part])


def test_whole_sources_of_both_classes():
    sources = [f"s{number % 6}" for number in range(60)]
    part = halves(sources, [number % 4 < 2 for number in range(60)])
    assert apart(part, sources)
    assert part.mean() == 0.5


def test_each_class_by_itself_where_sources_cross_no_class():
    sources = ["p1"] * 30 + ["p2"] * 30 + ["g1"] * 100 + ["g2"] * 100
    labels = [False] * 60 + [True] * 200
    part = halves(sources, labels)
    assert apart(part, sources)
    assert (part[:60].sum(), part[60:].sum()) == (30, 100)


def test_one_source_is_drawn_from():
    sources = ["raise"] * 40 + ["g1"] * 10 + ["g2"] * 10
    part = halves(sources, [False] * 40 + [True] * 20)
    assert part[:40].sum() == 20
    assert apart(part[40:], sources[40:])
    assert 0 < part[:20].sum() < 20  # drawn, not cut


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=40), st.integers(0, 5))
def test_the_same_seed_the_same_halves(images, seed):
    sources, labels = [one for one, _ in images], [label for _, label in images]
    first = halves(sources, labels, seed)
    assert first.shape == (len(images),)
    assert np.array_equal(first, halves(sources, labels, seed))
