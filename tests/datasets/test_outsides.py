"""What is read of a file from the outside."""

import io

import pytest
from disk import picture
from PIL import Image

from forensic_cli.datasets import Labelled
from forensic_cli.datasets.outsides import jpeg_tables, outside
from forensic_cli.errors import ImageError
from loops import each


def jpeg(size=(40, 24), **settings):
    stream = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(stream, "JPEG", **settings)
    return stream.getvalue()


@each("quality", [1, 10, 50, 75, 87, 95, 96, 99, 100])
def test_quality_of_scaled_standard_tables_is_read_exactly(quality):
    word, found = jpeg_tables(jpeg(quality=quality))
    assert found == quality
    assert word == jpeg_tables(jpeg(size=(9, 9), quality=quality))[0]
    assert len(word) == 8


def test_tables_of_ones_own():
    flat = [[7] * 64, [9] * 64]
    word, quality = jpeg_tables(jpeg(qtables=flat))
    assert word not in {jpeg_tables(jpeg(quality=one))[0] for one in range(1, 101)}
    assert 90 < quality < 98  # where the standard's values lie around 7
    assert word != jpeg_tables(jpeg(qtables=[[7] * 64, [8] * 64]))[0]


def test_no_jpeg_has_no_tables():
    assert jpeg_tables(b"\xff\xd8\xff\xd9") == ("", 0)
    assert jpeg_tables(picture(1)) == ("", 0)


def test_outside():
    item = Labelled("a/b.JPG", True, "sdxl", "web", "generated")
    data = jpeg(quality=80)
    found = outside(item, data)
    assert (found.suffix, found.format, found.width, found.height, found.bytes) == (".jpg", "JPEG", 40, 24, len(data))
    assert (found.quality, found.generated, found.source, found.tables) == (80, True, "web", jpeg_tables(data)[0])
    row = Labelled("t.parquet#3", False, "", "web", "photograph", row=3)
    found = outside(row, picture(1))
    assert (found.suffix, found.format, found.tables, found.quality, found.generated) == ("", "PNG", "", 0, False)
    with pytest.raises(ImageError):
        outside(item, b"no image")
