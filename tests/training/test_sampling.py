"""A batch is a function of the seed and the step, and what is drawn has the shares that were promised."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensic_cli.datasets import Labelled
from forensic_cli.errors import UsageError
from forensic_cli.training.sampling import Sampler


def several(number, source, generator="", kind="photograph"):
    generated = kind.startswith("generated")
    return [Labelled(f"{source}/{kind}/{one}.jpg", generated, generator, source, kind) for one in range(number)]


def drawn(sampler, steps=400):
    return [number for step in range(steps) for number in sampler.batch(step)]


SMALL = [*several(9, "a"), *several(4, "b", "sdxl", "generated"), *several(1, "c", kind="handmade: comic")]


@given(st.integers(1, 33), st.integers(0, 2**40), st.integers(0, 10**12))
def test_a_batch_depends_on_seed_and_step_alone(size, seed, step):
    one, other = Sampler(SMALL, size, seed), Sampler(SMALL, size, seed)
    expected = one.batch(step)
    other.batch(step + 1)
    assert other.batch(step) == expected == one.batch(step)
    assert len(expected) == size
    assert all(type(number) is int and 0 <= number < len(SMALL) for number in expected)
    assert sum(SMALL[number].generated for number in expected) in (size // 2, (size + 1) // 2)


def test_other_steps_and_other_seeds_are_other_batches():
    items = [*several(500, "a"), *several(500, "b", "sdxl", "generated")]
    assert len({tuple(Sampler(items, 16, seed).batch(step)) for seed in range(10) for step in range(10)}) == 100


def test_batches_of_one_are_of_either_class():
    share = sum(SMALL[number].generated for number in drawn(Sampler(SMALL, 1, 0), 2000)) / 2000
    assert abs(share - 0.5) < 0.05  # more than four standard deviations


def test_the_classes_are_mixed_within_a_batch():
    """Whoever takes a part of each batch takes both: several machines do."""
    sampler = Sampler(SMALL, 8, 0)
    first = [SMALL[sampler.batch(step)[0]].generated for step in range(400)]
    assert abs(sum(first) / 400 - 0.5) < 0.12


def close(counts, expected):
    """Pearson's statistic against the expected shares; for so few cells above 30 is beyond all chance."""
    total = sum(counts.values())
    assert set(counts) <= set(expected)
    whole = sum(expected.values())
    assert sum((counts[key] - total * share / whole) ** 2 / (total * share / whole) for key, share in expected.items()) < 30


def test_groups_are_drawn_by_the_root_of_their_size_and_images_uniformly():
    items = [*several(100, "blog"), *several(4, "phone"), *several(1, "night")]
    items += [
        *several(64, "x", "sdxl", "generated"),
        *several(36, "y", "sdxl", "generated"),
        *several(25, "z", "mj", "generated"),
    ]
    items += several(16, "w", "", "generated")
    numbers = drawn(Sampler(items, 40, 7))
    photographs = Counter(items[number].source for number in numbers if not items[number].generated)
    close(photographs, {"blog": 10, "phone": 2, "night": 1})
    fakes = Counter(items[number].generator or items[number].source for number in numbers if items[number].generated)
    close(fakes, {"sdxl": 10, "mj": 5, "w": 4})  # sdxl is one group, wherever its images come from
    close(Counter(number for number in numbers if items[number].source == "phone"), dict.fromkeys(range(100, 104), 1))
    sdxl = Counter(items[number].source for number in numbers if items[number].generator == "sdxl")
    close(sdxl, {"x": 64, "y": 36})


def test_every_image_of_two_classes_in_turns_is_drawn():
    items = [one for pair in zip(several(50, "a"), several(50, "g", "g", "generated"), strict=True) for one in pair]
    numbers = drawn(Sampler(items, 20, 1), 500)
    assert set(numbers) == set(range(100))


def test_kinds_are_weighted():
    items = [*several(16, "a"), *several(16, "b", kind="handmade: comic"), *several(16, "b", kind="handmade: painting")]
    items += several(16, "b") + several(5, "g", "g", "generated")
    weights = {"handmade": 2.0, "handmade: painting": 0.5}
    numbers = drawn(Sampler(items, 40, 3, weights))
    kinds = Counter((items[n].source, items[n].kind) for n in numbers if not items[n].generated)
    expected = {
        ("a", "photograph"): 1,
        ("b", "photograph"): 1,
        ("b", "handmade: comic"): 2,
        ("b", "handmade: painting"): 0.5,
    }
    close(kinds, expected)
    nothing = drawn(Sampler(items, 40, 3, {"handmade": 0.0}), 50)
    assert not [n for n in nothing if items[n].label == "handmade"]
    unlike = drawn(Sampler(items, 40, 3, {"handmade": 1.0, "nothing of this": 5.0}), 5)
    assert len(unlike) == 200


def test_what_cannot_be_drawn_from():
    def refusal(*arguments):
        with pytest.raises(UsageError) as caught:
            Sampler(*arguments)
        return str(caught.value)

    fakes = several(3, "g", "g", "generated")
    assert refusal(fakes, 4, 0) == "there are no photographs to draw from; add some, or weigh them with more than 0"
    assert refusal(several(3, "a"), 4, 0).startswith("there are no generated images to draw from")
    assert refusal([], 4, 0).startswith("there are no photographs")
    assert refusal([*fakes, *several(1, "a")], 4, 0, {"photo": 0.0}).startswith("there are no photographs")
    for weight in (-1.0, math.nan, math.inf):
        assert refusal(SMALL, 4, 0, {"handmade": weight}).startswith("images of kind 'handmade' cannot be drawn")
    assert refusal(SMALL, 0, 0) == "a batch of 0 images is none; ask for at least 1"


def test_a_million_images():
    items = [
        Labelled(f"{n}.jpg", n % 3 == 0, f"g{n % 4801}" if n % 3 == 0 else "", f"s{n % 997}", "photograph")
        for n in range(10**6)
    ]
    sampler = Sampler(items, 512, 0)
    numbers = [number for step in range(200) for number in sampler.batch(step)]
    assert sum(items[number].generated for number in numbers) == len(numbers) / 2
    assert len(set(numbers)) > 0.9 * len(numbers)
    assert max(numbers) > 990_000
