"""Against Pillow's own codecs."""

import io

import numpy as np
import pytest
from PIL import Image

from forensic_cli import transforms
from forensic_cli.errors import ImageError
from forensic_cli.transforms import codecs
from loops import each

CODECS = (transforms.jpeg, transforms.webp, transforms.avif)


@pytest.fixture(scope="module")
def photo(photographs):
    return np.asarray(photographs[0])[100:228, 200:361]  # 128 x 161: cut off the JPEG grid that it came with


def psnr(one, other):
    return 10 * np.log10(255**2 / np.mean((one.astype(float) - other.astype(float)) ** 2))


def by_pillow(image, format, **how):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format, **how)
    return np.asarray(Image.open(stream).convert("RGB"))


@each("chroma, number", [("444", 0), ("422", 1), ("420", 2)])
@each("quality", [50, 75, 95])
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
    assert psnr(transforms.jpeg(photo, 80, "444"), photo) > psnr(transforms.jpeg(photo, 80), photo) + 1


@pytest.mark.parametrize("quality", [30, 90])
def test_webp_is_that_of_pillow(photo, quality):
    assert np.array_equal(transforms.webp(photo, quality), by_pillow(photo, "WEBP", quality=quality, method=2))


def test_avif_is_that_of_pillow_whatever_the_number_of_cores(photo):
    found = transforms.avif(photo, 60)
    assert np.array_equal(found, by_pillow(photo, "AVIF", quality=60, speed=8, subsampling="4:2:0", max_threads=1))
    assert psnr(found, photo) > 27


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.__name__)
def test_lower_quality_is_further_away(photo, codec):
    near = [psnr(codec(photo, quality), photo) for quality in (100, 90, 80, 70, 50, 20)]
    assert near == sorted(near, reverse=True)
    assert near[0] > near[-1] + 5


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.__name__)
def test_channels_stay_in_their_order(codec):
    colour = np.zeros((64, 64, 3), np.uint8) + np.array([200, 40, 90], np.uint8)
    assert np.abs(codec(colour, 95).astype(int) - [200, 40, 90]).max() <= 6


@pytest.mark.parametrize(
    ("encode", "side", "name"),
    [(transforms.jpeg, 65_501, "JPEG"), (transforms.webp, 16_384, "WebP"), (transforms.avif, 32_769, "AVIF")],
    ids=str,
)
def test_a_side_that_a_codec_cannot_hold(encode, side, name):
    assert encode(np.zeros((1, side - 1, 3), np.uint8), 70).shape == (1, side - 1, 3)
    with pytest.raises(ImageError) as caught:
        encode(np.zeros((1, side, 3), np.uint8), 70)
    assert str(caught.value) == f"{side:,} x 1 pixels are too many a side for {name}"


def test_what_an_encoder_says_becomes_one_line(monkeypatch, photo):
    def broken(*arguments, **settings):
        raise RuntimeError("Failed to encode image:\nInvalid argument")

    monkeypatch.setattr(Image.Image, "save", broken)
    with pytest.raises(ImageError, match=r"^AVIF cannot hold it: RuntimeError: Failed to encode image: Invalid argument$"):
        codecs.avif(photo, 70)
