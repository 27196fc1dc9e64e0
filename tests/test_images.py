"""From bytes to pixels: one policy for each oddity, and the same pixels whichever way they are decoded."""

import itertools
import os
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageFile, PngImagePlugin, TiffImagePlugin

from forensic_cli import images
from forensic_cli.errors import ImageError
from loops import each
from pictures import HEIC, by_pillow, exif, load, photo, refusal, save, tiff

WHITE, BLACK = [255, 255, 255], [0, 0, 0]


# JPEG: the fast way gives what Pillow gives


@each("size", [(64, 48), (63, 47), (130, 259), (17, 9), (1, 33), (7, 1), (1, 1)])
@each("mode", ["RGB", "L"])
def test_jpeg_is_bit_identical_to_pillow(tmp_path, size, mode):
    picture = photo(*size).convert(mode)
    path = tmp_path / "photo.jpg"  # to a file, for Pillow's encoder needs more room than it gives itself in memory
    for subsampling, progressive, quality, restart in itertools.product((0, 1, 2), (False, True), (10, 75, 95), (0, 3)):
        settings = {"subsampling": subsampling, "progressive": progressive, "restart_marker_blocks": restart}
        picture.save(path, quality=quality, **settings)
        content = path.read_bytes()
        np.testing.assert_array_equal(load(content), by_pillow(content))


@pytest.mark.parametrize("subsampling", ["444", "422", "420", "440", "411"])
def test_jpeg_of_rarer_subsamplings_is_bit_identical_to_pillow(subsampling):
    content = simplejpeg.encode_jpeg(np.array(photo()), colorsubsampling=subsampling)
    assert simplejpeg.decode_jpeg_header(content)[3] == subsampling
    np.testing.assert_array_equal(load(content), by_pillow(content))


def test_jpeg_takes_the_fast_way(monkeypatch):
    monkeypatch.delattr(images, "_pillow")
    assert load(save(photo(), "JPEG")).shape == (43, 61, 3)


@pytest.mark.parametrize("settings", [{"keep_rgb": True}, {"quality": 90}], ids=["rgb", "cmyk"])
def test_jpeg_of_rarer_colours_is_what_pillow_says(settings):
    picture = photo() if "keep_rgb" in settings else photo().convert("CMYK")
    content = save(picture, "JPEG", **settings)
    np.testing.assert_array_equal(load(content), by_pillow(content))


def test_jpeg_that_the_fast_way_refuses_and_pillow_reads():
    content = save(photo(), "JPEG")
    padded = content[:-2] + b"\x55" * 500 + content[-2:]
    with pytest.raises(ValueError, match="extraneous"):
        simplejpeg.decode_jpeg(padded)
    np.testing.assert_array_equal(load(padded), load(content))
    np.testing.assert_array_equal(load(content + b"what cameras append"), load(content))


def test_burst_is_a_jpeg_and_its_first_image_counts():
    content = save(photo(), "MPO", save_all=True, append_images=[Image.new("RGB", (61, 43))])
    assert images.probe(content).format == "JPEG"
    np.testing.assert_array_equal(load(content), by_pillow(content))
    at = content.index(b"MPF\0")
    damaged = content[: at + 4] + b"II*\0" + b"\xff" * 20 + content[at + 28 :]
    np.testing.assert_array_equal(load(damaged), load(content))


# Formats


@pytest.mark.parametrize(
    ("format", "settings"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("GIF", {}),
    ],
)
def test_lossless_formats_give_back_the_pixels(format, settings):
    picture = photo().quantize(200) if format == "GIF" else photo()
    content = save(picture, format, **settings)
    header = images.probe(content)
    assert (header.format, header.width, header.height, header.orientation) == (format, 61, 43, 1)
    pixels = images.decode(content, header)
    np.testing.assert_array_equal(pixels, np.asarray(picture.convert("RGB")))
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert not pixels.flags.writeable


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_lossy_formats_give_nearly_the_pixels(format):
    content = save(Image.fromarray(np.full((43, 61, 3), (200, 100, 50), np.uint8)), format, quality=95)
    assert images.probe(content).format == format
    assert abs(load(content).astype(int) - (200, 100, 50)).max() <= 4


def test_heic_is_turned_once():
    header = images.probe(HEIC)
    assert (header.format, header.width, header.height, header.orientation) == ("HEIF", 32, 48, 1)
    pixels = images.decode(HEIC, header).astype(int)
    quarters = [pixels[12, 8], pixels[12, 24], pixels[36, 8], pixels[36, 24]]
    assert abs(np.array(quarters) - [(40, 60, 210), (220, 40, 40), (230, 230, 230), (40, 200, 60)]).max() < 8


def test_probing_decodes_no_pixel(monkeypatch):
    contents = [save(photo(), format) for format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")]
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail(f"decodes {image.format}"))
    assert [images.probe(content).width for content in [*contents, HEIC]] == [61] * 7 + [32]


def test_suffix_is_not_believed(tmp_path):
    path = tmp_path / "photo.jpg"
    photo().save(path, "PNG")
    content, _ = images.read(str(path))
    assert images.probe(content).format == "PNG"


@pytest.mark.parametrize("start", [b"", b"x", b"<html>", b"BMW is no bitmap but a long text", bytes(100), b"\xff\xd8"])
def test_what_is_no_image(start):
    with pytest.raises(images.NotAnImage, match="not an image of a known format"):
        images.probe(start)


def test_video_is_no_image():
    with pytest.raises(images.NotAnImage):
        images.probe(b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(100))


def test_formats_that_we_know_and_do_not_read():
    openings = {
        b"\xff\x0a\xfa\x1f": "JPEG XL",
        b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
        b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
        b"8BPS\0\1": "Photoshop",
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom": "camera raw",
        b"FUJIFILMCCD-RAW 0201": "camera raw",
    }
    for opening, name in openings.items():
        assert refusal(opening + bytes(50)) == f"{name} files are not supported; convert it to JPEG, PNG or TIFF first"


def test_previews_in_camera_raw_files_are_not_taken_for_the_photograph():
    grey = np.zeros((2, 2, 1), np.uint8)
    for tags in ({"tag254": [1]}, {"tag50706": [1, 4, 0, 0]}):
        assert "camera raw" in refusal(tiff(grey, 1, **tags))


def test_names_that_claim_to_be_images():
    assert all(map(images.claims_to_be_image, ["a.jpg", "x/a.JPEG", "a.b.heic", "\udcff.TIF", "a\n.webp", "a.avif"]))
    assert not any(map(images.claims_to_be_image, ["a", "jpg", ".jpg", "x.jpg/a", "._a.jpg", "x/._a.jpg", "a.jpg.zip"]))


# Orientation


@each("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@each("orientation", range(1, 9))
def test_every_orientation_is_applied_once(format, orientation):
    content = save(photo(), format, exif=exif(orientation))
    header = images.probe(content)
    assert (header.width, header.height) == ((61, 43) if orientation < 5 else (43, 61))
    np.testing.assert_array_equal(images.decode(content, header), by_pillow(content))


def test_orientation_by_hand():
    """Six means: to be shown, turn it clockwise."""
    picture = Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8))
    assert load(save(picture, "PNG", exif=exif(6))).tolist() == [[[255, 0, 0]], [[0, 255, 0]]]
    assert load(save(picture, "PNG", exif=exif(3))).tolist() == [[[0, 255, 0], [255, 0, 0]]]


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientations_that_do_not_exist_turn_nothing(orientation):
    assert images.probe(save(photo(), "JPEG", exif=exif(orientation))).width == 61


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("block", [b"Exif\0\0", b"Exif\0\0no exif", exif(6)[:-6], b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_broken_exif_turns_nothing(block):
    for format in ("JPEG", "PNG", "WEBP"):
        content = save(photo(), format, exif=block)
        assert images.probe(content).width == 61
        assert load(content).shape == (43, 61, 3)


def test_exif_behind_the_pixels_of_a_png():
    plain, early = save(photo(), "PNG"), save(photo(), "PNG", exif=exif(6))
    length = struct.unpack(">I", early[early.index(b"eXIf") - 4 :][:4])[0] + 12
    chunk = early[early.index(b"eXIf") - 4 :][:length]
    late = plain[:-12] + chunk + plain[-12:]
    np.testing.assert_array_equal(load(late), load(early))
    assert images.probe(late).height == 61


def test_orientation_in_xmp_alone():
    packet = b'<x:xmpmeta><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'
    upright = np.asarray(photo().transpose(Image.Transpose.ROTATE_90))
    np.testing.assert_array_equal(load(save(photo(), "WEBP", lossless=True, xmp=packet)), upright)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[700] = packet
    np.testing.assert_array_equal(load(save(photo(), "TIFF", tiffinfo=tags)), upright)


# Depth, transparency, colours


def test_upper_eight_of_sixteen_bits():
    values = np.array([[0, 255, 256], [32767, 32768, 65535]], np.uint16)
    upper = np.repeat((values // 256).astype(np.uint8)[:, :, None], 3, axis=2)
    grey = Image.fromarray(values)
    for content in (save(grey, "PNG"), save(grey, "TIFF"), save(grey, "TIFF", compression="tiff_lzw")):
        assert images.probe(content).mode == "I;16"
        np.testing.assert_array_equal(load(content), upper)
    colours = np.stack([values, values[::-1], values // 2], -1)
    np.testing.assert_array_equal(load(tiff(colours, 2)), colours // 256)
    assert "white is zero" in refusal(tiff(values[:, :, None], 0))


def test_twelve_bits():
    packed = np.frombuffer(int(f"{0:012b}{15:012b}{16:012b}{4095:012b}", 2).to_bytes(6, "big"), np.uint8)
    content = tiff(packed.reshape(1, 6, 1), 1, bits=12, tag256=[4])
    assert load(content)[0, :, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint32, np.float32])
def test_pixels_without_a_fixed_white_are_refused(kind):
    assert "no fixed white" in refusal(tiff(np.ones((2, 2, 1), kind), 1))


def test_one_bit_and_palette():
    for picture in (photo().convert("1"), photo().quantize(7), photo().convert("L")):
        for format in ("PNG", "TIFF", "BMP", "GIF"):
            np.testing.assert_array_equal(load(save(picture, format)), np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize(
    ("mode", "format"), [("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "WEBP"), ("RGBA", "TIFF"), ("PA", "TIFF")]
)
def test_transparency_is_laid_over_white(mode, format):
    picture = photo().convert("P" if mode == "PA" else mode)
    alpha = Image.fromarray((np.arange(61 * 43).reshape(43, 61) % 256).astype(np.uint8))
    picture.putalpha(alpha)
    settings = {"lossless": True, "exact": True} if format == "WEBP" else {}
    content = save(picture, format, **settings)
    assert images.probe(content).mode == mode
    weight = np.asarray(alpha)[:, :, None] / 255
    expected = np.asarray(picture.convert("RGB")) * weight + 255 * (1 - weight)
    assert abs(load(content) - expected).max() <= 0.5 + 1e-9


def test_premultiplied_transparency():
    content = tiff(np.array([[[100, 255], [50, 128], [0, 0]]], np.uint8), 1, extra=[1])
    assert [grey for grey, _, _ in load(content)[0].tolist()] == [100, 177, 255]  # 50 + (255 - 128)


def test_transparent_colours_and_palette_entries_become_white():
    dots = Image.new("P", (3, 1))
    dots.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    dots.putdata([0, 1, 2])
    assert load(save(dots, "GIF", transparency=1))[0].tolist() == [[255, 0, 0], WHITE, [0, 0, 255]]
    assert load(save(dots, "PNG", transparency=1))[0].tolist() == [[255, 0, 0], WHITE, [0, 0, 255]]
    assert load(save(dots, "PNG", transparency=bytes([0, 0, 255])))[0].tolist() == [WHITE, WHITE, [0, 0, 255]]
    assert load(save(dots.convert("RGB"), "PNG", transparency=(0, 0, 255)))[0].tolist() == [[255, 0, 0], [0, 255, 0], WHITE]
    deep = Image.fromarray(np.array([[0, 700, 65535]], np.uint16))
    assert load(save(deep, "PNG", transparency=700))[0].tolist() == [BLACK, WHITE, WHITE]


def test_cmyk_and_lab():
    inks = photo().convert("CMYK")
    np.testing.assert_array_equal(load(save(inks, "TIFF")), np.asarray(inks.convert("RGB")))
    neutral = tiff(np.array([[[0, 0, 0], [255, 0, 0]]], np.uint8), 8)
    assert abs(load(neutral)[0].astype(int) - [BLACK, WHITE]).max() <= 1


def test_colour_profiles_are_not_applied():
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    np.testing.assert_array_equal(load(save(photo(), "PNG", icc_profile=profile)), np.asarray(photo()))


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_first_frame_counts(format):
    first, second = Image.new("RGB", (20, 10), (250, 10, 10)), Image.new("RGB", (20, 10), (10, 10, 250))
    content = save(first, format, save_all=True, append_images=[second])
    assert abs(load(content).astype(int) - (250, 10, 10)).max() < 8


def test_large_workflows_in_a_png():
    notes = PngImagePlugin.PngInfo()
    notes.add_text("workflow", "x" * 3_000_000, zip=True)
    np.testing.assert_array_equal(load(save(photo(), "PNG", pnginfo=notes)), np.asarray(photo()))


def test_long_thin_image():
    picture = photo(30_000, 40)
    np.testing.assert_array_equal(load(save(picture, "PNG")), np.asarray(picture))
    np.testing.assert_array_equal(load(save(picture, "JPEG")), by_pillow(save(picture, "JPEG")))


# Around it


def test_threads_do_not_disturb_each_other():
    contents = [save(photo(), format) for format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")] + [HEIC]
    expected = [load(content) for content in contents]
    with ThreadPoolExecutor(8) as pool:
        for got, right in zip(pool.map(load, contents * 20), expected * 20, strict=True):
            np.testing.assert_array_equal(got, right)


def test_decoder_names_what_the_pixels_depend_on():
    words = images.decoder()
    assert all(word in words for word in ("Pillow", "libjpeg_turbo", "simplejpeg", "pi-heif", simplejpeg.__version__))
    assert "None" not in words
    assert images.decoder() is words


def test_digest():
    assert images.digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_nothing_stays_open(tmp_path):
    path = tmp_path / "a.png"
    photo().save(path)
    folder = "/proc/self/fd"
    if not os.path.isdir(folder):
        pytest.skip("needs /proc")
    before = len(os.listdir(folder))
    for _ in range(3):
        content, _ = images.read(str(path))
        load(content)
        refusal(content[:-100])
        with pytest.raises(ImageError):
            images.read(str(tmp_path))
    assert len(os.listdir(folder)) == before
