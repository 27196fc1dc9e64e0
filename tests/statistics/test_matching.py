"""Matched pairs look the same from the outside."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic_cli.statistics.controls import Outside, controls
from forensic_cli.statistics.matching import CALIPER, match


def one(generated, width=100, height=100, bytes=3000, format="JPEG"):
    return Outside("." + format.lower(), width, height, bytes, generated, format)


def test_the_nearest_of_the_same_format():
    images = [one(False), one(False, 103), one(False, format="PNG"), one(False, 300), one(True, 104), one(True, 10)]
    found = match(images)
    assert found.pairs.tolist() == [[1, 4]]
    assert found.indices.tolist() == [1, 4]
    assert str(found) == "matched by format and size: 1 of each class, out of 4 photographs and 2 generated images"


def test_bytes_per_pixel_count():
    images = [one(False, bytes=3000), one(True, bytes=9000), one(False, bytes=9500)]
    assert match(images).pairs.tolist() == [[2, 1]]


def test_groups_are_kept_apart():
    images = [one(False), one(False), one(True), one(True)]
    found = match(images, groups=["a", "b", "b", "c"])
    assert found.pairs.tolist() == [[1, 2]]


def test_many_of_one_size_are_all_paired():
    """Each has hundreds of equally near ones; none is left over as long as there are enough."""
    images = [one(False) for _ in range(700)] + [one(True) for _ in range(500)]
    found = match(images)
    assert len(found.pairs) == 500
    assert len(set(found.indices)) == 1000


def test_a_heap_at_the_edge_is_worked_off():
    draw = np.random.default_rng(0)
    images = [one(False, bytes=int(number)) for number in draw.uniform(3000, 3600, 400)] + [one(True, bytes=2990)] * 300
    assert len(match(images).pairs) == 300


def test_nothing_to_match():
    assert match([]).indices.shape == (0,)
    assert match([one(False)]).pairs.shape == (0, 2)
    assert len(match([one(False, 0, 0, 0), one(True, 0, 0, 0)]).pairs) == 1


def test_what_separated_no_longer_does():
    draw = np.random.default_rng(1)
    images = []
    for number in range(2000):
        generated = bool(number % 2)
        side = int(np.exp(draw.normal(6.5 if generated else 6, 0.4)))
        weight = np.exp(draw.normal(-0.5 if generated else -1, 0.4))
        images.append(one(generated, side, side, int(side * side * weight), str(draw.choice(["PNG", "JPEG"]))))
    before = {row["name"]: row["auroc"] for row in controls(images)}
    found = match(images)
    after = {row["name"]: row["auroc"] for row in controls([images[place] for place in found.indices])}
    assert min(before["dimensions"], before["bytes per pixel"]) > 0.75
    assert 200 < len(found.pairs) < 1000
    assert all(abs(after[name] - 0.5) < 0.08 for name in ("dimensions", "bytes per pixel", "format"))


outsides = st.builds(
    one, st.booleans(), st.integers(1, 60), st.integers(1, 60), st.integers(1, 9999), st.sampled_from(["PNG", "JPEG"])
)


@settings(max_examples=60, deadline=None)
@given(st.lists(outsides, max_size=40), st.integers(0, 3))
def test_promises(images, seed):
    found = match(images, seed)
    assert len(set(found.pairs.ravel().tolist())) == 2 * len(found.pairs)
    assert sorted(found.pairs.ravel().tolist()) == found.indices.tolist()
    assert found.photographs + found.generated == len(images)
    for real, generated in found.pairs.tolist():
        first, second = images[real], images[generated]
        assert (first.generated, second.generated, first.format) == (False, True, second.format)
        pixels, others = first.width * first.height, second.width * second.height
        assert abs(np.log(pixels / others)) <= CALIPER[0] * 1.01
        assert abs(np.log(first.per_pixel / second.per_pixel)) <= CALIPER[1] * 1.01
    assert np.array_equal(match(images, seed).pairs, found.pairs)
