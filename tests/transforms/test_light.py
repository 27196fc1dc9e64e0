"""Brightness, colour and sharpness against plain arithmetic."""

import colorsys

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from forensic_cli import transforms
from forensic_cli.transforms import light


@pytest.fixture(scope="module")
def photo(photographs):
    return np.asarray(photographs[0])[:200, :300]


def flat(*colour, side=4):
    return np.full((side, side, 3), colour, np.uint8)


@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_blur_is_gaussian(photo, sigma):
    expected = np.stack([gaussian_filter(photo[..., c].astype(float), sigma, mode="nearest") for c in range(3)], -1)
    inner = (slice(10, -10), slice(10, -10))
    error = np.abs(transforms.blur(photo, sigma)[inner] - expected[inner]).mean()
    assert error < 0.2 * np.abs(photo[inner] - expected[inner]).mean()


def test_noise_has_its_strength_and_its_seed():
    grey = flat(128, side=250)
    found = transforms.noise(grey, 5.0, 7)
    grain = found.astype(float) - 128
    assert grain.std() == pytest.approx(5, rel=0.02)
    assert grain.mean() == pytest.approx(0, abs=0.05)
    channels = np.corrcoef(grain.reshape(-1, 3).T)
    assert np.abs(channels - np.eye(3)).max() < 0.02
    assert np.array_equal(found, transforms.noise(grey, 5.0, 7))
    assert not np.array_equal(found, transforms.noise(grey, 5.0, 8))


def test_noise_as_it_is_typed_counts_from_black_to_white():
    found = transforms.parse("noise:0.05")(flat(128, side=250), 1)
    assert (found.astype(float) - 128).std() == pytest.approx(0.05 * 255, rel=0.02)


def test_noise_is_clipped_and_not_wrapped():
    for level in (0, 255):
        found = transforms.noise(flat(level, side=100), 10, 3)
        assert np.abs(found.astype(int) - level).max() < 60
        assert (found == level).mean() == pytest.approx(0.52, abs=0.02)  # all on the wrong side, and what is rounded to it


def test_tone_is_rounded_and_clipped():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert np.array_equal(transforms.tone(ramp, 1, 0), ramp)
    found = transforms.tone(ramp, 1.25, -20.25)[0, :, 0]
    assert found.tolist() == [min(255, max(0, round(value * 1.25 - 20.25))) for value in range(256)]


def test_grey_is_the_same_in_all_channels(photo):
    found = transforms.grey(photo)
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(found - (photo @ weights)[..., None]).max() <= 1


def test_jitter_of_nothing_changes_nothing(photo):
    assert np.array_equal(light.jitter(photo, 0, 0, 5), photo)


def test_jitter_changes_brightness_contrast_and_saturation_each_within_its_limits():
    """A flat grey knows brightness alone; how far a flat colour is from its grey knows all three."""
    greys = np.array([light.jitter(flat(120), 0.25, 0, seed)[0, 0, 0] / 120 for seed in range(400)])
    assert 0.74 < greys.min() < 0.77
    assert 1.23 < greys.max() <= 1.25
    assert greys.mean() == pytest.approx(1, abs=0.03)
    one = np.std(np.log(np.linspace(0.75, 1.25, 1000)))
    assert np.log(greys).std() == pytest.approx(one, rel=0.1)
    colours = [light.jitter(flat(140, 100, 60), 0.25, 0, seed)[0, 0].astype(float) for seed in range(400)]
    spread = np.array([(colour[0] - colour[2]) / 80 for colour in colours])
    assert 0.75**3 - 0.03 < spread.min() < 0.6
    assert 1.5 < spread.max() < 1.25**3 + 0.03
    assert np.log(spread).std() == pytest.approx(one * 3**0.5, rel=0.12)


def test_jitter_turns_the_hue_by_at_most_what_it_is_told():
    colour = (200, 120, 60)
    before, saturation, value = colorsys.rgb_to_hsv(*(level / 255 for level in colour))
    turns = []
    for seed in range(300):
        after = colorsys.rgb_to_hsv(*(light.jitter(flat(*colour), 0, 0.1, seed)[0, 0] / 255))
        turns.append((after[0] - before + 0.5) % 1 - 0.5)
        assert after[1:] == pytest.approx((saturation, value), abs=0.02)
    assert np.max(np.abs(turns)) <= 0.105
    assert np.std(turns) == pytest.approx(0.2 / 12**0.5, rel=0.12)
    assert abs(np.mean(turns)) < 0.01


def test_jitter_keeps_grey_pictures_grey(photo):
    found = light.jitter(transforms.grey(photo), 0.25, 0.1, 3)
    assert np.array_equal(found, np.repeat(found[..., :1], 3, axis=2))
