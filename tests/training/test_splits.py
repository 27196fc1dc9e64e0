"""No split separates what belongs together, and every split leaves both classes on both sides, or says why it cannot."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic_cli.datasets import Labelled
from forensic_cli.errors import UsageError
from forensic_cli.training.splits import folds, holdout


def image(label, source, generator="", number=0):
    kind = {"real": "photograph", "fake": "generated", "other": "handmade: painting"}[label]
    return Labelled(f"{source}/{label}/{number}.jpg", label == "fake", generator, source, kind)


def several(label, source, number, generator=""):
    return [image(label, source, generator, one) for one in range(number)]


GENERATORS = st.sampled_from(["", "sdxl", "flux", "mj"])
IMAGES = st.one_of(
    st.builds(image, st.sampled_from(["real", "other"]), st.integers(0, 12).map("s{}".format)),
    st.builds(image, st.just("fake"), st.integers(0, 12).map("s{}".format), GENERATORS),
)


def groups(items, by):
    """The group of each item, found by merging sets until nothing changes."""
    together = [
        {("source", item.source)} | ({("generator", item.generator)} if by and item.generator else set()) for item in items
    ]
    changed = True
    while changed:
        changed = False
        for one in together:
            for other in together:
                if one & other and one != other:
                    one |= other
                    changed = True
    return [frozenset(one) for one in together]


def two_sided(items, by):
    """Whether each class comes from two groups at least."""
    places = groups(items, by)
    return all(
        len({place for item, place in zip(items, places, strict=True) if item.generated == one}) > 1
        for one in (True, False)
    )


def unspoilt(items, answer, by):
    sides = {}
    for place, side in zip(groups(items, by), answer, strict=True):
        assert sides.setdefault(place, side) == side


@settings(deadline=None)
@given(st.lists(IMAGES, max_size=40), st.floats(0.05, 0.95), st.integers(0, 5), st.booleans())
def test_what_is_held_out_is_whole_groups_of_both_classes(items, share, seed, by):
    way = "generator" if by else "source"
    if not two_sided(items, by):
        with pytest.raises(UsageError):
            holdout(items, share, seed, way)
        return
    held = holdout(items, share, seed, way)
    unspoilt(items, held, by)
    for side in (True, False):
        assert {item.generated for item, one in zip(items, held, strict=True) if one == side} == {True, False}


@settings(deadline=None)
@given(st.lists(IMAGES, max_size=40), st.integers(2, 4), st.integers(0, 5), st.booleans())
def test_folds_are_whole_groups_of_both_classes(items, count, seed, by):
    try:
        answer = folds(items, count, seed, "generator" if by else "source")
    except UsageError:
        return
    unspoilt(items, answer, by)
    assert {(fold, item.generated) for fold, item in zip(answer, items, strict=True)} == {
        (fold, one) for fold in range(count) for one in (True, False)
    }


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(60)), st.integers(0, 3))
def test_the_order_of_the_items_does_not_matter(order, seed):
    items = [
        image(("real", "fake", "other")[n % 3], f"s{n % 17}", "g" if n % 3 == 1 and n % 5 == 0 else "", n)
        for n in range(60)
    ]
    shuffled = [items[n] for n in order]
    for split in (lambda some: folds(some, 3, seed), lambda some: holdout(some, 0.3, seed, "generator")):
        expected = dict(zip([item.path for item in items], split(items), strict=True))
        assert dict(zip([item.path for item in shuffled], split(shuffled), strict=True)) == expected


def library(seed=0):
    """300 sources of very different size, as a collection of repositories is."""
    rng = random.Random(seed)
    items = []
    for number in range(300):
        label = rng.choice(["real", "real", "fake", "other"])
        items += several(label, f"s{number}", rng.choice([1, 2, 5, 10, 25, 60]))
        if number % 20 == 0:
            items += several("other", f"s{number}", 3)
    return items


def test_folds_are_even_in_each_label():
    items = library()
    answer = folds(items, 5)
    total = Counter(item.label for item in items)
    for label, number in total.items():
        sizes = Counter(fold for fold, item in zip(answer, items, strict=True) if item.label == label)
        assert max(sizes.values()) - min(sizes.values()) < 0.03 * number + 2


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_about_the_share_of_each_label_is_held_out(share):
    items = library()
    held = holdout(items, share)
    for label in ("photograph", "generated", "handmade"):
        part = [one for one, item in zip(held, items, strict=True) if item.label == label]
        assert abs(sum(part) / len(part) - share) < 0.05


def test_another_seed_is_another_split_and_the_same_seed_the_same():
    items = library()
    assert len({tuple(holdout(items, 0.2, seed)) for seed in range(5)}) == 5
    assert len({tuple(folds(items, 4, seed)) for seed in range(5)}) == 5
    assert holdout(items, 0.2, 3) == holdout(items, 0.2, 3)


def test_of_two_generators_one_is_held_out_with_its_photographs():
    items = [*several("real", "sdxl", 30), *several("fake", "sdxl", 30, "sdxl"), *several("real", "mj", 30)]
    items += several("fake", "mj", 30, "mj")
    chosen = set()
    for seed in range(20):
        held = {item.source for item, one in zip(items, holdout(items, 0.1, seed), strict=True) if one}
        assert len(held) == 1
        chosen |= held
    assert chosen == {"sdxl", "mj"}


def test_a_generator_in_two_sources_is_one_group_where_that_is_wanted():
    items = [*several("fake", "blog", 5, "sdxl"), *several("fake", "site", 5, "sdxl"), *several("fake", "lab", 5, "gan")]
    items += [*several("fake", "shop", 5), *several("fake", "attic", 5)]
    items += [photo for source in ("site", "one", "two", "three") for photo in several("real", source, 5)]
    answer = dict(zip([item.source for item in items], folds(items, 2, 0, "generator"), strict=True))
    assert answer["blog"] == answer["site"]
    apart = {tuple(folds(items, 2, seed)[at] for at in (0, 5)) for seed in range(30)}
    assert apart >= {(0, 1), (1, 0)}  # by source they may part


def refusal(function, *arguments):
    with pytest.raises(UsageError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_split():
    alone = [*several("real", "data", 5), *several("fake", "data", 5)]
    words = "all generated images are from one source (data) or bound to it"
    assert refusal(holdout, alone, 0.2).startswith(words)
    assert "--holdout 0" in refusal(holdout, alone, 0.2)
    one_camera = [*several("real", "a", 5), *several("fake", "b", 5), *several("fake", "c", 5)]
    assert refusal(holdout, one_camera, 0.2).startswith("all photographs are from one source (a)")
    assert refusal(folds, one_camera, 2) == (
        "photographs from 1 source cannot be in each of 2 folds; ask for fewer, or add sources"
    )
    one_class = [*several("real", "a", 5), *several("real", "b", 5)]
    assert refusal(holdout, one_class, 0.2).startswith("training and validation need generated images")
    assert refusal(folds, one_camera, 1) == "1 folds are too few; ask for at least 2"
    for share in (0.0, 1.0, -1.0, float("nan")):
        assert "cannot be held out" in refusal(holdout, one_camera, share)
