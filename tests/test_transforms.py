"""Against Pillow's own codecs and plain arithmetic; every operation gives 8-bit RGB, whatever the shape."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from forensic_cli import transforms
from forensic_cli.errors import ImageError


@pytest.fixture(scope="module")
def photo(photographs):
    return np.asarray(photographs[0])


def psnr(one, other):
    return 10 * np.log10(255**2 / np.mean((one.astype(float) - other.astype(float)) ** 2))


def by_pillow(image, format, **how):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format, **how)
    return np.asarray(Image.open(stream).convert("RGB"))


@pytest.mark.parametrize(("chroma", "number"), [("444", 0), ("422", 1), ("420", 2)])
@pytest.mark.parametrize("quality", [50, 75, 95])
def test_jpeg_is_that_of_pillow(photo, quality, chroma, number):
    """Another build of the same codec, with a quicker transform: what differs is smaller than what the quality takes."""
    expected = by_pillow(photo, "JPEG", quality=quality, subsampling=number)
    found = transforms.jpeg(photo, quality, chroma)
    near = psnr(found, expected)
    assert near > psnr(found, photo) + 2
    wrong = {by_pillow(photo, "JPEG", quality=quality, subsampling=n).tobytes() for n in {0, 1, 2} - {number}}
    assert all(psnr(found, np.frombuffer(one, np.uint8).reshape(photo.shape)) < near - 3 for one in wrong)


def test_chroma_is_halved_unless_told_otherwise(photo):
    assert np.array_equal(transforms.jpeg(photo, 80), transforms.jpeg(photo, 80, "420"))
    assert psnr(transforms.jpeg(photo, 80, "444"), photo) > psnr(transforms.jpeg(photo, 80), photo)


def test_channels_stay_in_their_order():
    red = np.zeros((64, 64, 3), np.uint8) + np.array([200, 40, 90], np.uint8)
    resized = transforms.resize(red, 32, 16)
    for found in (transforms.jpeg(red, 95), transforms.webp(red, 95), resized, transforms.blur(red, 1)):
        assert np.abs(found.astype(int) - [200, 40, 90]).max() <= 6


@pytest.mark.parametrize("quality", [30, 90])
def test_webp_is_that_of_pillow(photo, quality):
    assert np.array_equal(transforms.webp(photo, quality), by_pillow(photo, "WEBP", quality=quality, method=2))


def test_lower_quality_is_further_away(photo):
    for codec in (transforms.jpeg, transforms.webp):
        assert psnr(codec(photo, 95), photo) > psnr(codec(photo, 70), photo) > psnr(codec(photo, 20), photo)


@pytest.mark.parametrize(
    ("encode", "side", "name"), [(transforms.jpeg, 65_501, "JPEG"), (transforms.webp, 16_384, "WebP")], ids=str
)
def test_a_side_that_a_codec_cannot_hold(encode, side, name):
    assert encode(np.zeros((1, side - 1, 3), np.uint8), 70).shape == (1, side - 1, 3)
    with pytest.raises(ImageError) as caught:
        encode(np.zeros((1, side, 3), np.uint8), 70)
    assert str(caught.value) == f"{side:,} x 1 pixels are too many a side for {name}"


def test_resize_takes_the_height_first_and_averages_over_what_it_drops(photo):
    assert transforms.resize(photo, 30, 50).shape == (30, 50, 3)
    blocks = np.kron(np.arange(48).reshape(4, 4, 3), np.ones((8, 8, 1))).astype(np.uint8)
    assert np.array_equal(transforms.resize(blocks, 4, 4, "box"), blocks[::8, ::8])
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(transforms.resize(stripes, 16, 16, "bilinear")[:, 1:-1].astype(int) - 128).max() <= 2
    assert set(np.unique(transforms.resize(stripes, 16, 16, "nearest"))) <= {0, 255}


@pytest.mark.parametrize(("height", "width", "half"), [(6, 8, (3, 4)), (7, 5, (3, 2)), (1, 1, (1, 1)), (1, 9, (1, 4))])
def test_halving(height, width, half):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    found = transforms.halve(image)
    assert found.shape == (*half, 3)
    if height % 2 == width % 2 == 0:
        expected = image.reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))
        assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_blur_is_gaussian(photo, sigma):
    expected = np.stack([gaussian_filter(photo[..., c].astype(float), sigma, mode="nearest") for c in range(3)], -1)
    inner = (slice(10, -10), slice(10, -10))
    error = np.abs(transforms.blur(photo, sigma)[inner] - expected[inner]).mean()
    assert error < 0.2 * np.abs(photo[inner] - expected[inner]).mean()


def test_noise_has_its_strength_and_its_seed():
    grey = np.full((200, 300, 3), 128, np.uint8)
    found = transforms.noise(grey, 5.0, 7)
    grain = found.astype(float) - 128
    assert grain.std() == pytest.approx(5, rel=0.02)
    assert grain.mean() == pytest.approx(0, abs=0.05)
    channels = np.corrcoef(grain.reshape(-1, 3).T)
    assert np.abs(channels - np.eye(3)).max() < 0.02
    assert np.array_equal(found, transforms.noise(grey, 5.0, 7))
    assert not np.array_equal(found, transforms.noise(grey, 5.0, 8))


def test_tone_is_rounded_and_clipped():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert np.array_equal(transforms.tone(ramp, 1, 0), ramp)
    found = transforms.tone(ramp, 1.25, -20.25)[0, :, 0]
    assert found.tolist() == [min(255, max(0, round(value * 1.25 - 20.25))) for value in range(256)]


def test_grey_is_the_same_in_all_channels(photo):
    found = transforms.grey(photo)
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(found - (photo @ weights)[..., None]).max() <= 1


OPERATIONS = {
    "jpeg": lambda image: transforms.jpeg(image, 60),
    "webp": lambda image: transforms.webp(image, 60),
    "resize": lambda image: transforms.resize(image, *image.shape[:2], "lanczos"),
    "blur": lambda image: transforms.blur(image, 1.5),
    "noise": lambda image: transforms.noise(image, 4, 1),
    "tone": lambda image: transforms.tone(image, 0.7, 300),
    "grey": transforms.grey,
}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(OPERATIONS)), st.integers(1, 40), st.integers(1, 40), st.integers(0, 3), st.booleans())
def test_8_bit_rgb_of_the_same_size_whatever_the_memory_looks_like(name, height, width, seed, turned):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    image = image[::-1, ::-1] if turned else image
    image.setflags(write=False)
    before = image.copy()
    found = OPERATIONS[name](image)
    assert (found.dtype, found.shape) == (np.uint8, (height, width, 3))
    assert np.array_equal(image, before)
    assert np.array_equal(found, OPERATIONS[name](np.ascontiguousarray(image)))
