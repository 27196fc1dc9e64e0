"""Sizes, and what resampling makes of patterns whose answer is known."""

import numpy as np
import pytest

from forensic_cli import transforms
from forensic_cli.errors import ImageError
from forensic_cli.transforms import journeys, parse, sizes
from loops import each


def grain(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def size(text, height, width, seed=0):
    return parse(text)(grain(height, width), seed).shape[:2]


def test_resize_takes_the_height_first_and_averages_over_what_it_drops():
    assert transforms.resize(grain(40, 60), 30, 50).shape == (30, 50, 3)
    blocks = np.kron(np.arange(48).reshape(4, 4, 3), np.ones((8, 8, 1))).astype(np.uint8)
    assert np.array_equal(transforms.resize(blocks, 4, 4, "box"), blocks[::8, ::8])
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(transforms.resize(stripes, 16, 16, "bilinear")[:, 1:-1].astype(int) - 128).max() <= 2
    assert set(np.unique(transforms.resize(stripes, 16, 16, "nearest"))) <= {0, 255}


@pytest.mark.parametrize(("height", "width", "half"), [(6, 8, (3, 4)), (7, 5, (3, 2)), (1, 1, (1, 1)), (1, 9, (1, 4))])
def test_halving(height, width, half):
    image = grain(height, width)
    found = transforms.halve(image)
    assert found.shape == (*half, 3)
    if height % 2 == width % 2 == 0:
        expected = image.reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))
        assert np.abs(found - expected).max() <= 1


@each(
    "text, before, after",
    [
        ("resize:0.5", (300, 401), (150, 200)),
        ("resize:0.9", (10, 1), (9, 1)),
        ("resize:0.01", (40, 30), (1, 1)),
        ("resize:2", (3, 5), (6, 10)),
        ("size:20,31", (7, 9), (31, 20)),
        ("short:256", (300, 600), (256, 512)),
        ("short:256", (100, 51), (502, 256)),
        ("long:100", (300, 600), (50, 100)),
        ("long:100", (100, 60), (100, 60)),
        ("social", (750, 4100), (375, 2048)),
        ("social:chat", (1700, 5), (1600, 5)),
        ("social", (512, 512), (512, 512)),
        ("screenshot", (512, 512), (1080, 1080)),
        ("screenshot", (1200, 400), (2340, 780)),
        ("screenshot:desktop", (512, 512), (512, 512)),
        ("screenshot:desktop", (2160, 1000), (1080, 500)),
        ("screenshot:desktop", (600, 3840), (300, 1920)),
    ],
)
def test_what_becomes_of_the_size(text, before, after):
    assert size(text, *before) == after


def test_the_kernel_is_the_one_that_is_named():
    image = grain(40, 60)
    for kernel in ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"):
        assert np.array_equal(parse(f"resize:0.5,{kernel}")(image, 0), transforms.resize(image, 20, 30, kernel))
    assert np.array_equal(parse("resize:0.5")(image, 0), transforms.resize(image, 20, 30, "bicubic"))


def test_rescaling_goes_up_or_down_and_comes_back():
    image = grain(50, 80)
    ways = {
        name: transforms.resize(transforms.resize(image, height, width), 50, 80).tobytes()
        for name, height, width in (("down", 35, 56), ("up", 65, 104))
    }
    seen = [parse("rescale:0.3")(image, seed).tobytes() for seed in range(60)]
    assert set(seen) == set(ways.values())
    assert 15 < seen.count(ways["up"]) < 45


def test_padding_takes_one_axis_one_grey_and_the_middle():
    image = np.full((200, 100, 3), 77, np.uint8)
    axes = []
    for seed in range(30):
        found = sizes.pad(image, 1.0, seed)[..., 0].astype(int)
        assert found.shape == (200, 100)
        lines = found if np.ptp(found, axis=1).max() == 0 else found.T
        assert np.ptp(lines, axis=1).max() == 0
        axes.append(lines is found)
        middle = lines[:, 0]
        quarter = len(middle) // 4
        assert np.abs(middle[quarter + 3 : -quarter - 3] - 77).max() <= 1
        assert np.ptp(middle[: quarter - 3]) == np.ptp(middle[3 - quarter :]) == 0
        assert middle[0] == middle[-1]
    assert 5 < sum(axes) < 25


@pytest.mark.parametrize("text", ["resize:4", "short:20000", "pad:4", "size:20000,20000"])
def test_nothing_grows_beyond_what_memory_holds(text):
    large = np.broadcast_to(np.uint8(3), (15_000, 15_000, 3))
    with pytest.raises(ImageError, match=r"^it would become [\d,]+ x [\d,]+ pixels; the limit is 250 megapixels$"):
        parse(text)(large, 0)


def test_social_is_a_resize_and_a_jpeg():
    image = grain(60, 1700)
    expected = transforms.jpeg(transforms.resize(image, 56, 1600, "lanczos"), 75)
    assert np.array_equal(journeys.social(image, "chat"), expected)
    assert np.array_equal(journeys.social(image, "feed"), transforms.jpeg(image, 85))


def test_stability_is_mild_and_the_same_for_every_seed(photographs):
    photo = np.asarray(photographs[1])[:300, :300]
    assert len(set(transforms.STABILITY)) == len(transforms.STABILITY)
    for text in transforms.STABILITY:
        transform = parse(text)
        assert transform.name == text
        assert not transform.only
        found = transform(photo, 1)
        assert np.array_equal(found, transform(photo, 2))
        assert not np.array_equal(found, photo)
        back = transforms.resize(found, 300, 300).astype(float)
        assert 10 * np.log10(255**2 / np.mean((back - photo) ** 2)) > 24
