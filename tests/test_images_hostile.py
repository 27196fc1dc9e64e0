"""Files that want to crash, to stall, to fill the memory, or to pass for whole: each becomes one line."""

import os
import socket
import struct
import subprocess
import sys
import zlib
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from forensic_cli import images
from forensic_cli.errors import ImageError
from loops import each
from pictures import HEIC, by_pillow, load, photo, refusal, save

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX file system")

FILES = {
    "jpeg": save(photo(), "JPEG"),
    "progressive": save(photo(), "JPEG", progressive=True),
    "cmyk": save(photo().convert("CMYK"), "JPEG"),
    "burst": save(photo(), "MPO", save_all=True, append_images=[photo()]),
    "png": save(photo(), "PNG"),
    "png16": save(Image.fromarray(np.asarray(photo())[:, :, 0].astype(np.uint16) * 257), "PNG"),
    "palette": save(photo().quantize(20), "PNG", transparency=3),
    "apng": save(photo(), "PNG", save_all=True, append_images=[photo().rotate(90)]),
    "webp": save(photo(), "WEBP"),
    "lossless webp": save(photo(), "WEBP", lossless=True),
    "gif": save(photo(), "GIF", save_all=True, append_images=[photo().rotate(90)]),
    "bmp": save(photo(), "BMP"),
    "tiff": save(photo(), "TIFF"),
    "lzw": save(photo(), "TIFF", compression="tiff_lzw"),
    "deflate": save(photo(), "TIFF", compression="tiff_adobe_deflate"),
    "fax": save(photo().convert("1"), "TIFF", compression="group4"),
    "jpeg in tiff": save(photo(), "TIFF", compression="jpeg"),
    "avif": save(photo(), "AVIF"),
    "heic": HEIC,
}


def reason(path):
    with pytest.raises(ImageError) as caught:
        images.read(path)
    assert path not in str(caught.value)
    return str(caught.value)


def answer(content):
    """The pixels, or the reason why not; nothing else may be raised."""
    try:
        return load(content)
    except ImageError as error:
        return str(error)


# Truncated


@each("name", list(FILES))
def test_no_part_of_a_file_passes_for_the_whole(name):
    """Cut anywhere, it is refused, or shows all pixels of its first image: some end with what no pixel needs."""
    content = FILES[name]
    whole = load(content)
    cuts = sorted({*range(0, len(content), max(1, len(content) // 40)), *range(len(content) - 12, len(content))})
    answers = [(cut, answer(content[:cut])) for cut in cuts]
    refused = [(cut, text) for cut, text in answers if isinstance(text, str)]
    assert len(refused) >= 10
    assert [text for cut, text in refused if cut >= 24 and not text.startswith("truncated")] == []
    for _, pixels in answers:
        if not isinstance(pixels, str):
            np.testing.assert_array_equal(pixels, whole)


@pytest.mark.parametrize("name", ["jpeg", "progressive", "cmyk"])
def test_jpeg_without_its_end_is_refused(name):
    content = FILES[name]
    for cut in (content[:-1], content[:-2], content[:-40], content[: len(content) // 2]):
        assert refusal(cut).startswith("truncated")


@pytest.mark.parametrize("name", ["jpeg", "progressive", "cmyk"])
def test_jpeg_cut_and_closed_again_is_not_filled_with_grey(name):
    cut = FILES[name][: len(FILES[name]) * 2 // 3] + b"\xff\xd9"
    if name == "jpeg":
        by_pillow(cut)  # Pillow alone says nothing
    assert refusal(cut).startswith("truncated or damaged")


def test_pillow_is_never_left_to_fill_in(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert refusal(FILES["png"][:-200]).startswith("truncated")


def test_png_with_bad_data_in_the_middle():
    content = bytearray(FILES["png"])
    content[len(content) // 2] ^= 0xFF
    refusal(bytes(content))


@pytest.mark.parametrize("item", [b"\0\0Exif\0", b"\0\0hvc1\0"])
def test_heic_whose_items_have_odd_names(item):
    """One such byte would end the process inside pi-heif."""
    for place in range(2, 6):
        odd = item[:place] + b"\xff" + item[place + 1 :]
        assert "UnicodeDecodeError" in refusal(HEIC.replace(item, odd))


# Bombs


def png_header(width, height):
    """A PNG that promises much and brings nothing."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("size", "megapixels"), [((60_000, 60_000), 3600), ((15_812, 15_811), 251), ((500_000, 999), 500)])
def test_decompression_bomb(size, megapixels):
    with pytest.raises(ImageError) as caught:
        images.probe(png_header(*size))
    assert str(caught.value) == f"{megapixels} megapixels; the limit is 250"


def test_just_below_the_limit_is_looked_at():
    assert images.probe(png_header(25_000, 10_000)).width == 25_000


def test_bombs_of_other_formats():
    frame = b"\x21\xf9\x04\x08\0\0\0\0," + struct.pack("<HHHH", 0, 0, 65535, 65535) + b"\0\x02\x02\x4c\x01\0;"
    bombs = {
        "gif": b"GIF89a" + struct.pack("<HH", 9, 9) + b"\x80\0\0" + bytes(6) + frame,
        "bmp": FILES["bmp"][:18] + struct.pack("<II", 60_000, 60_000) + FILES["bmp"][26:],
        "webp": b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xfe\x3f\0\xfe\x3f\0",
        "jpeg": FILES["jpeg"].replace(struct.pack(">HH", 43, 61), struct.pack(">HH", 65_500, 65_500)),
    }
    for name, content in bombs.items():
        with pytest.raises(ImageError) as caught:
            images.probe(content)
        assert "megapixels; the limit is 250" in str(caught.value) or name == "webp"


def test_too_many_bytes(tmp_path):
    path = tmp_path / "large.jpg"
    path.touch()
    os.truncate(path, images.MAX_BYTES + (1 << 29))
    assert reason(str(path)) == "1.5 GiB; the limit is 1 GiB"


# Reading


def test_read_gives_bytes_and_status(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc" * 100_000)
    content, status = images.read(str(path))
    assert content == b"abc" * 100_000
    assert status.st_size == 300_000


def test_empty_missing_impossible(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.jpg").mkdir()
    assert reason("empty.jpg") == "empty file"
    assert reason("gone.jpg") == "no such file, or no longer"
    assert reason("folder.jpg") == "Is a directory"
    assert reason("a\0b.jpg") == reason("\ud800.jpg") == "not a possible path"


@posix
@pytest.mark.parametrize("name", ["größe 写真.jpg", "new\nline.jpg", "\udcff\udcfe.jpg", "tab\t\x1b[31m.jpg"])
def test_odd_names(tmp_path, name):
    path = os.path.join(str(tmp_path), name)
    with open(path, "wb") as file:
        file.write(b"x")
    assert images.read(path)[0] == b"x"


@posix
def test_pipe_in_the_place_of_a_file_does_not_stall(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.jpg")
    assert reason("pipe.jpg") == "not a regular file"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        reason("socket.jpg")
    assert reason("/dev/zero") == "not a regular file"


@posix
def test_without_permission(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "closed.jpg").write_bytes(b"x")
    (tmp_path / "closed.jpg").chmod(0)
    tmp_path.chmod(0o755)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        assert reason("closed.jpg") == "no permission to read it"
    finally:
        if root:
            os.seteuid(0)


@contextmanager
def meanwhile(change):
    """`change` happens after the first look at a file and before its bytes are read."""
    look, looks = os.fstat, []

    def fstat(descriptor):
        status = look(descriptor)
        looks.append(descriptor)
        if len(looks) == 1:
            change()
        return status

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fstat", fstat)
        yield


def test_file_that_changes_while_it_is_read(tmp_path):
    path = tmp_path / "a.jpg"

    def rewrite():
        path.write_bytes(b"y" * 1000)
        os.utime(path, ns=(1, 1))

    def append():
        with open(path, "ab") as file:
            file.write(b"more")

    for change in (rewrite, append, lambda: os.truncate(path, 10), lambda: os.truncate(path, 0)):
        path.write_bytes(b"x" * 1000)
        with meanwhile(change):
            assert reason(str(path)) == "changed while it was read"


@posix
def test_file_that_vanishes_while_it_is_read_is_read_to_its_end(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x" * 1000)
    with meanwhile(path.unlink):
        assert images.read(str(path))[0] == b"x" * 1000
    assert reason(str(path)) == "no such file, or no longer"


# Whatever else


edits = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)), min_size=1, max_size=6)


@pytest.mark.filterwarnings("ignore::Warning:PIL")
@pytest.mark.parametrize("name", FILES)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=edits, head=st.booleans())
def test_no_mutation_raises_anything_but_an_image_error(name, edits, head, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 1_000_000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    content = bytearray(FILES[name])
    for place, new in edits:
        at = int(place * min(len(content), 200 if head else len(content)))
        content[at : at + len(new)] = new
    text = answer(bytes(content))
    if isinstance(text, str):
        assert "\n" not in text
        assert " at 0x" not in text  # an address: another reason on every run
    else:
        assert text.shape[2] == 3


@settings(max_examples=200, deadline=None)
@given(start=st.sampled_from([content[:12] for content in FILES.values()] + [b""]), rest=st.binary(max_size=200))
def test_no_bytes_raise_anything_but_an_image_error(start, rest):
    with pytest.raises(ImageError):
        load(start + rest)


def test_nothing_is_said_beside(tmp_path):
    """Pillow's warnings about odd metadata and libtiff's about damage do not reach the person."""
    odd = save(photo(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0")
    lzw = bytearray(FILES["lzw"])
    lzw[len(lzw) // 3 : len(lzw) // 3 + 40] = bytes(40)
    (tmp_path / "odd.jpg").write_bytes(odd)
    (tmp_path / "damaged.tif").write_bytes(lzw)
    code = """
import sys
from forensic_cli import images
for path in sys.argv[1:]:
    content, _ = images.read(path)
    try:
        print(images.decode(content, images.probe(content)).shape)
    except images.ImageError as error:
        print(error)
"""
    arguments = [sys.executable, "-c", code, str(tmp_path / "odd.jpg"), str(tmp_path / "damaged.tif")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first == "(43, 61, 3)"
    assert second.startswith("truncated or damaged")


def test_content_and_header_that_do_not_belong_together():
    header = images.probe(FILES["png"])
    with pytest.raises(ImageError, match="another size"):
        images.decode(save(photo(20, 10), "PNG"), header)
    with pytest.raises(ImageError):
        images.decode(FILES["jpeg"], header)


def test_memory_runs_out(monkeypatch):
    def exhausted(*_, **__):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", exhausted)
    assert refusal(FILES["png"]) == "not enough memory to decode it"
