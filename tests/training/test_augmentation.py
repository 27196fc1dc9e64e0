"""A crop is a function of image and seed, of the promised shape, and nothing about it asks for the label."""

import inspect
import random
import tracemalloc
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from training_pictures import grain, labelled

from forensic_cli.training import augmentation
from forensic_cli.training.augmentation import crop, paper, wild
from forensic_cli.training.feeding import Batches, Crops
from forensic_cli.training.sampling import Sampler
from loops import each

WAYS = [(view, augment) for view in ("native", "resized") for augment in ("wild", "paper", "none")]
sides = st.sampled_from([1, 2, 3, 7, 16, 31, 32, 33, 40, 97, 150])


@settings(max_examples=150, deadline=None)
@given(sides, sides, st.sampled_from([1, 16, 33]), st.sampled_from(WAYS), st.integers(0, 2**63), st.integers(0, 3))
def test_any_image_gives_a_crop_of_8_bit_rgb_and_stays_as_it_was(height, width, size, way, seed, repeats):
    image = grain(height, width, 0)
    image.setflags(write=False)
    before = image.copy()
    found = crop(image, size, *way, seed, repeats)
    assert (found.shape, found.dtype, found.flags.c_contiguous) == ((size, size, 3), np.uint8, True)
    assert np.array_equal(image, before)
    assert np.array_equal(found, crop(image, size, *way, seed, repeats))


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_other_seeds_are_other_crops(way):
    image = grain(120, 150, 1)
    random.seed(0)
    np.random.seed(0)
    first = [crop(image, 32, *way, seed).tobytes() for seed in range(40)]
    random.seed(1)
    np.random.seed(1)
    assert [crop(image, 32, *way, seed).tobytes() for seed in range(40)] == first
    assert len(set(first)) > 30


def test_no_global_random_state_is_touched():
    states = random.getstate(), np.random.get_state()[1].tobytes()
    for way in WAYS:
        crop(grain(50, 60, 0), 32, *way, 5)
    assert states == (random.getstate(), np.random.get_state()[1].tobytes())


@pytest.mark.parametrize("height", [33, 64])
def test_without_augmentation_a_native_crop_is_a_window_of_the_image(height):
    image = grain(height, 50, 2)
    places = {}
    for top in range(height - 31):
        for left in range(50 - 31):
            places[image[top : top + 32, left : left + 32].tobytes()] = (top, left)
    found = Counter(places[crop(image, 32, "native", "none", seed).tobytes()] for seed in range(400))
    tops, lefts = zip(*found, strict=True)
    assert {min(tops), max(tops), min(lefts), max(lefts)} >= {0, height - 32, 18}  # to the very edges
    assert len(found) > 30


def test_a_resized_crop_shows_the_image_at_its_published_scale():
    image = grain(300, 400, 3)
    small = np.asarray(Image.fromarray(image).resize((round(400 * 110 / 300), 110), Image.Resampling.BILINEAR))
    windows = {small[t : t + 96, left : left + 96].tobytes() for t in range(15) for left in range(small.shape[1] - 95)}
    assert all(crop(image, 96, "resized", "none", seed).tobytes() in windows for seed in range(20))


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_crop_is_made_without_knowing_the_label(tmp_path, way):
    """No parameter could carry it; where all files are one picture, a place in a batch looks the same for either label."""
    assert set(inspect.signature(crop).parameters) == {"image", "size", "view", "augment", "seed", "repeats"}
    first = labelled(tmp_path, 1)[0].path
    items = [replace(item, path=first) for item in labelled(tmp_path, 3)]
    one, other = (Batches(items, Sampler(items, 8, seed), Crops(32, *way, 2), 0) for seed in (1, 2))
    assert any(not torch.equal(one[step].targets, other[step].targets) for step in range(4))
    assert all(torch.equal(one[step].crops, other[step].crops) for step in range(4))


def test_what_wild_does_is_drawn_as_often_as_it_says(monkeypatch):
    seen = Counter()
    for name in ("tone", "blur", "noise", "grey", "jpeg", "webp"):
        step = getattr(augmentation.transforms, name)

        def counted(image, *arguments, name=name, step=step):
            seen[name] += 1
            return step(image, *arguments)

        monkeypatch.setattr(augmentation.transforms, name, counted)
    image = grain(16, 16, 0)
    mirrored = 0
    for seed in range(2000):
        draw = random.Random(seed)
        mirrored += draw.random() < 0.5
        wild(image, random.Random(seed))
    shares = {"tone": 0.2, "blur": 0.1, "noise": 0.1, "grey": 0.05, "jpeg": 0.9, "webp": 0.075}
    for name, share in shares.items():
        assert seen[name] / 2000 == pytest.approx(share, abs=0.035), name


def test_the_papers_operations_are_each_drawn_zero_to_repeats_times_in_any_order(monkeypatch):
    order = []
    steps = tuple(lambda image, size, draw, number=number: order.append(number) or image for number in range(11))
    assert len(augmentation._STEPS) == len(steps)  # the eleven of the paper's code
    monkeypatch.setattr(augmentation, "_STEPS", steps)
    counts, first = Counter(), Counter()
    for seed in range(600):
        order.clear()
        paper(grain(4, 4, 0), 2, random.Random(seed), 2)
        counts.update(order.count(number) for number in range(11))
        first.update(order[:1])
    assert set(counts) == {0, 1, 2}
    assert all(counts[number] / (600 * 11) == pytest.approx(1 / 3, abs=0.03) for number in counts)
    assert len(first) == 11
    assert max(first.values()) < 2 * min(first.values())


@each("step", augmentation._STEPS)
@each("shape", [(1, 1), (1, 60), (61, 1), (2, 3), (33, 31), (32, 32), (100, 75)])
def test_each_of_them_keeps_8_bit_rgb(step, shape):
    image = grain(*shape, 4)
    image.setflags(write=False)
    before = image.copy()
    changed = 0
    for seed in range(25):
        found = step(image, 32, random.Random(seed))
        assert found.dtype == np.uint8
        assert found.ndim == 3
        assert found.shape[2] == 3
        assert min(found.shape) >= 1
        changed += found.shape != image.shape or not np.array_equal(found, image)
    assert np.array_equal(image, before)
    assert changed or min(shape) <= 32


@pytest.mark.parametrize("step", ["_rotate", "_shift", "_shear", "_pad", "_cutout", "_mirror", "_upside_down", "_jpeg"])
def test_those_that_move_things_keep_the_size(step):
    image = grain(45, 70, 5)
    for seed in range(20):
        assert getattr(augmentation, step)(image, 32, random.Random(seed)).shape == image.shape


def test_shift_and_shear_stay_within_what_was_published():
    """A white point moves by at most a tenth of the sides; a shear of at most 15 degrees leaves the middle in place."""
    image = np.zeros((100, 200, 3), np.uint8)
    image[50, 100] = 255
    moved = []
    for seed in range(60):
        found = augmentation._shift(image, 32, random.Random(seed))[..., 0].astype(float)
        moved.append([np.average(axis, weights=found) for axis in np.indices(found.shape)])
        sheared = augmentation._shear(image, 32, random.Random(seed))[..., 0].astype(float)
        middle = [np.average(axis, weights=sheared) for axis in np.indices(sheared.shape)]
        assert middle == pytest.approx([50, 100], abs=2)
    away = np.abs(np.array(moved) - [50, 100])
    assert (away.max(axis=0) <= [10, 20]).all()
    assert (away.max(axis=0) > [7, 14]).all()


def test_a_strip_does_not_grow_to_gigabytes():
    """100,000 pixels in a row at a short side of 440 would be 58 GB."""
    strip = np.zeros((1, 100_000, 3), np.uint8)
    strip[..., 0] = np.arange(100_000) % 251
    tracemalloc.start()
    for way in WAYS:
        for image in (strip, strip.transpose(1, 0, 2)):
            assert crop(image, 384, *way, 3).shape == (384, 384, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 << 20
