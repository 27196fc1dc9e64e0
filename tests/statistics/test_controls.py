"""The control finds what the outside of a file tells, and nothing where it tells nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest

from forensic_cli.statistics.controls import Outside, zero_pixel


def noise(draw, count):
    """Files whose outside has nothing to do with their label."""
    return [
        Outside(
            str(draw.choice([".jpg", ".png"])),
            int(draw.integers(100, 4000)),
            int(draw.integers(100, 4000)),
            int(draw.integers(10_000, 5_000_000)),
            bool(number % 2),
        )
        for number in range(count)
    ]


def test_noise_tells_nothing():
    found = [zero_pixel(noise(np.random.default_rng(n), 400), noise(np.random.default_rng(n + 50), 400)) for n in range(2)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def told(draw, count, **by_class):
    """Noise in which one fact follows from the label: (of photographs, of generated images)."""
    return [replace(one, **{name: pair[one.generated] for name, pair in by_class.items()}) for one in noise(draw, count)]


@pytest.mark.parametrize("fact", [{"suffix": (".jpg", ".png")}, {"width": (1500, 1024)}, {"height": (1001, 1024)}], ids=str)
def test_what_separates_is_found(fact):
    known, unseen = told(np.random.default_rng(0), 200, **fact), told(np.random.default_rng(1), 200, **fact)
    assert zero_pixel(known, unseen) > 0.99


def test_bytes_per_pixel_separate_whatever_the_size():
    draw = np.random.default_rng(0)

    def compressed(count):
        per_pixel = {False: 0.2, True: 0.9}
        return [replace(one, bytes=round(one.width * one.height * per_pixel[one.generated])) for one in noise(draw, count)]

    assert zero_pixel(compressed(200), compressed(200)) > 0.99


def test_what_is_learnt_of_one_label_holds_for_it():
    """Where the unseen files are the other way round, the control is wrong all the time, and says so."""
    known = told(np.random.default_rng(0), 200, suffix=(".jpg", ".png"))
    turned = told(np.random.default_rng(1), 200, suffix=(".png", ".jpg"))
    assert zero_pixel(known, turned) < 0.01


def test_suffixes_never_met_and_empty_images_are_no_trouble():
    known = told(np.random.default_rng(0), 40, suffix=(".jpg", ".png"))
    unseen = [Outside(".xyz", 0, 0, 0, False), Outside(".abc", 1, 0, 5, True)]
    assert 0 <= zero_pixel(known, unseen) <= 1


@pytest.mark.parametrize("lacking", [0, 1])
def test_without_one_class_there_is_no_figure(lacking):
    both = noise(np.random.default_rng(0), 40)
    one = [each for each in both if each.generated]
    pair = (one, both) if lacking == 0 else (both, one)
    assert math.isnan(zero_pixel(*pair))
    assert math.isnan(zero_pixel([], both))


def test_the_same_seed_gives_the_same_figure():
    known, unseen = noise(np.random.default_rng(0), 40), noise(np.random.default_rng(1), 40)
    assert zero_pixel(known, unseen, 3) == zero_pixel(known, unseen, 3)
