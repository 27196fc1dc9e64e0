"""Sources stay whole, parts come out even, and the same on every machine."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from forensic_cli.statistics.splitting import class_folds, folds, halves


def test_a_source_lies_in_one_part_and_the_parts_are_even():
    names = [f"camera {number % 37}" for number in range(500)]
    for parts in (2, 5):
        found = folds(names, parts)
        assert len({(name, part) for name, part in zip(names, found.tolist(), strict=True)}) == 37
        counts = np.bincount(found, minlength=parts)
        assert counts.max() - counts.min() <= 14  # images of a source


def test_the_order_of_the_images_does_not_matter():
    names = [f"s{number % 9}" for number in range(40)]
    assert folds(names[::-1], 2)[::-1].tolist() == folds(names, 2).tolist()
    assert folds(["a", "b", "c"], 2).tolist() == [0, 1, 0]  # by SHA-256, c comes first, then b, then a


def test_nothing_has_no_parts():
    assert folds([], 2).shape == (0,)


def test_the_same_sources_in_both_classes_stay_together():
    real, generated = ["a", "b", "c", "d"] * 3, ["d", "c", "b", "a", "a"]
    first, second = class_folds(real, generated, 2)
    homes = dict(zip(real, first.tolist(), strict=True))
    assert second.tolist() == [homes[name] for name in generated]
    assert set(homes.values()) == {0, 1}


def test_a_single_source_is_parted_image_by_image():
    first, second = class_folds(["coco"] * 7, ["x", "y", "x"], 3)
    assert first.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert second[0] == second[2] != second[1]


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
