"""Every container gives up its metadata with the place where it stands; nothing in a file makes the readers fail."""

import binascii
import random
import struct
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st
from provenance_files import (
    AI,
    claims,
    exif,
    findings,
    iptc,
    jpeg_with,
    kinds,
    only,
    packet,
    png_chunk,
    png_with,
    saved,
)

from forensic_detectors.provenance import containers
from loops import each

SOURCE_TYPE = packet(attributes=f'Iptc4xmpExt:DigitalSourceType="{AI}"')
SETTINGS = b"a cat\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 512x512, Model: m"
FTYP = struct.pack(">I4s4sI4s", 20, b"ftyp", b"heic", 0, b"mif1")


def gif_extension(name: bytes, body: bytes) -> bytes:
    plain = saved("GIF")
    return plain[:-1] + b"\x21\xff\x0b" + name + body + plain[-1:]


def in_blocks(body: bytes) -> bytes:
    return b"".join(bytes([len(body[i : i + 255])]) + body[i : i + 255] for i in range(0, len(body), 255)) + b"\0"


def gif_xmp() -> bytes:
    return gif_extension(b"XMP DataXMP", SOURCE_TYPE + b"\x01" + bytes(range(255, -1, -1)) + b"\0")


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def heic(item: bytes, kind: bytes = b"mime", rest: bytes = b"\0application/rdf+xml\0", in_idat: bool = False) -> bytes:
    """A file of one metadata item, as phones lay it out: versions 2 of infe and 1 of iloc."""
    entry = box(b"infe", b"\2\0\0\0" + struct.pack(">HH", 7, 0) + kind + rest)
    names = box(b"iinf", b"\0\0\0\0" + struct.pack(">H", 1) + entry)

    def meta(offset: int) -> bytes:
        method = 1 if in_idat else 0
        head = b"\1\0\0\0\x44\x00" + struct.pack(">HHHH", 1, 7, method, 0)
        place = box(b"iloc", head + struct.pack(">HII", 1, offset, len(item)))
        store = box(b"idat", item) if in_idat else b""
        return box(b"meta", b"\0\0\0\0" + names + place + store)

    if in_idat:
        return FTYP + meta(0)
    return FTYP + meta(len(FTYP) + len(meta(0)) + 8) + box(b"mdat", item)


def bigtiff() -> bytes:
    head = b"II+\0" + struct.pack("<HHQ", 8, 0, 16)
    tag = struct.pack("<HHQQ", 700, 1, len(SOURCE_TYPE), 16 + 8 + 20 + 8)
    return head + struct.pack("<Q", 1) + tag + struct.pack("<Q", 0) + SOURCE_TYPE


WITH_XMP = {
    "JPEG": saved("JPEG", xmp=SOURCE_TYPE),
    "PNG": png_with(png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + SOURCE_TYPE)),
    "PNG, compressed": png_with(png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(SOURCE_TYPE))),
    "PNG, behind the pixels": png_with(png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + SOURCE_TYPE), after_pixels=True),
    "WebP": saved("WEBP", xmp=SOURCE_TYPE),
    "AVIF": saved("AVIF", xmp=SOURCE_TYPE),
    "GIF": gif_xmp(),
    "GIF, in blocks": gif_extension(b"XMP DataXMP", in_blocks(SOURCE_TYPE)),
    "TIFF": saved("TIFF", tiffinfo={700: SOURCE_TYPE}),
    "BigTIFF": bigtiff(),
    "HEIC": heic(SOURCE_TYPE),
    "HEIC, in the meta box": heic(SOURCE_TYPE, in_idat=True),
    "HEIC, uuid box": FTYP + box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + SOURCE_TYPE),
    "JPEG, behind the end": saved("JPEG") + b"\0\0" + SOURCE_TYPE,
    "JPEG, extended": jpeg_with(
        (
            0xE1,
            b"http://ns.adobe.com/xmp/extension/\0"
            + b"A" * 32
            + struct.pack(">II", len(SOURCE_TYPE), 90)
            + SOURCE_TYPE[90:],
        ),
        (
            0xE1,
            b"http://ns.adobe.com/xmp/extension/\0"
            + b"A" * 32
            + struct.pack(">II", len(SOURCE_TYPE), 0)
            + SOURCE_TYPE[:90],
        ),
    ),
    "ImageMagick's profile": png_with(
        png_chunk(
            b"zTXt",
            b"Raw profile type xmp\0\0" + zlib.compress(b"\nxmp\n%8d\n" % len(SOURCE_TYPE) + binascii.hexlify(SOURCE_TYPE)),
        )
    ),
    "UTF-16": saved("JPEG", xmp=SOURCE_TYPE.decode().encode("utf-16")),
}


@each("data", WITH_XMP)
def test_xmp_in_every_container(data):
    claim = only(data)
    assert claim.kind == "generated"
    assert "XMP packet" in claim.source
    assert "broken" not in claim.source


WITH_TEXT = {
    "tEXt": png_with(png_chunk(b"tEXt", b"parameters\0" + SETTINGS)),
    "zTXt": png_with(png_chunk(b"zTXt", b"parameters\0\0" + zlib.compress(SETTINGS))),
    "iTXt": png_with(png_chunk(b"iTXt", b"parameters\0\0\0en\0Parameter\0" + SETTINGS), after_pixels=True),
    "JPEG comment": jpeg_with((0xFE, SETTINGS)),
    "GIF comment": saved("GIF", comment=SETTINGS),
    "HEIC EXIF": heic(b"\0\0\0\6" + exif({0x010E: SETTINGS.decode()}), b"Exif", b"\0"),
    "TIFF tag": saved("TIFF", tiffinfo={270: SETTINGS.decode()}),
    "PNG eXIf": saved("PNG", exif=exif({0x010E: SETTINGS.decode()})),
    "fill bytes": saved("JPEG")[:2]
    + b"\xff" * 9
    + b"\xfe"
    + struct.pack(">H", len(SETTINGS) + 2)
    + SETTINGS
    + saved("JPEG")[2:],
}


@each("data", WITH_TEXT)
def test_text_in_every_container(data):
    assert "generated it, model “m”, prompt “a cat”" in only(data).statement


def test_places_are_where_the_bytes_are():
    data = WITH_TEXT["tEXt"]
    assert only(data).source == f"PNG text chunk `parameters` at byte {data.index(b'tEXt') - 4}"
    data = WITH_TEXT["JPEG comment"]
    assert only(data).source == f"JPEG comment at byte {data.index(SETTINGS) - 4}"


def test_iptc_in_jpeg_and_tiff_and_cut_over_segments():
    block = iptc(byline="A. Person", credit="Made with Google AI")
    head = b"Photoshop 3.0\0"
    whole = jpeg_with((0xED, block))
    cut = jpeg_with((0xED, block[:60]), (0xED, head + block[60:]))
    tiff = saved("TIFF", tiffinfo={34377: block[len(head) :]})
    records = saved("TIFF", tiffinfo={33723: block[block.index(b"\x1c\x01") :]})
    for data in (whole, cut, tiff, records):
        assert "generated" in kinds(data)


def test_second_image_of_a_multi_picture_file_is_another_image():
    assert claims(saved("JPEG") + saved("JPEG", xmp=SOURCE_TYPE)) == ()


def test_compressed_text_is_bounded_and_said_to_be():
    bomb = zlib.compress(b"a" * (40 << 20), 9)
    found = claims(png_with(png_chunk(b"zTXt", b"parameters\0\0" + bomb), png_chunk(b"zTXt", b"more\0\0" + bomb)))
    assert [claim.kind for claim in found] == ["unchecked"]
    assert "left out" in found[0].statement
    contents = containers.read(png_with(*[png_chunk(b"zTXt", b"k\0\0" + bomb)] * 3))
    assert sum(len(part.text) for part in contents.parts) <= 16 << 20


def test_thousands_of_parts_are_bounded_and_said_to_be():
    found = claims(png_with(*[png_chunk(b"tEXt", b"parameters\0" + SETTINGS)] * 3000))
    assert {claim.kind for claim in found} == {"generated", "unchecked"}
    assert len(found) == 2


def test_item_table_that_announces_billions_of_pieces_ends_at_once():
    table = b"\1\0\0\0\0\0" + struct.pack(">H", 0xFFFF) + struct.pack(">HHHH", 7, 0, 0, 0xFFFF) * 20_000
    names = box(b"iinf", b"\0\0\0\0\0\1" + box(b"infe", b"\2\0\0\0\0\7\0\0Exif\0"))
    assert claims(FTYP + box(b"meta", b"\0\0\0\0" + names + box(b"iloc", table))) == ()


def test_deep_json_and_deep_xml_are_no_trouble():
    deep = b'{"a":' * 100_000
    assert claims(png_with(png_chunk(b"tEXt", b"prompt\0" + deep))) == ()
    nested = SOURCE_TYPE.replace(b"</rdf:Description>", b"<a>" * 5000 + b"</a>" * 5000 + b"</rdf:Description>")
    assert only(saved("WEBP", xmp=nested)).kind == "generated"
    many = SOURCE_TYPE.replace(b"</rdf:Description>", b"<a/>" * 50_000 + b"</rdf:Description>")
    assert only(saved("WEBP", xmp=many)).kind == "generated"


CORPUS = [
    *WITH_XMP.values(),
    *WITH_TEXT.values(),
    jpeg_with((0xED, iptc(byline="A", credit="Midjourney"))),
    saved("JPEG", exif=exif({0x010F: "Canon", 0x0110: "EOS"}, {0x829A: 0.01, 0x9286: b"UNICODE\0a\0b\0"})),
]


def unharmed(data: bytes) -> None:
    finding = findings(data)[0]
    assert finding.error is None
    assert all(claim.statement.isprintable() and claim.source.isprintable() for claim in finding.claims)
    finding.to_json()


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(CORPUS), st.data())
def test_mutated_files_never_raise(original, data):
    mutant = bytearray(original)
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(mutant) - 1), st.integers(0, 255)), max_size=12)):
        mutant[place] = value
    start = data.draw(st.integers(0, len(mutant)))
    unharmed(bytes(mutant[:start] + mutant[start + data.draw(st.integers(0, 40)) :]))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        [b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\xff\0\0\0WEBP", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", FTYP, b""]
    ),
    st.binary(max_size=400),
)
def test_any_bytes_behind_any_signature_never_raise(signature, rest):
    unharmed(signature + rest)


@each("number", range(len(CORPUS)))
def test_every_truncation_of_a_valid_file_is_harmless(number):
    data = CORPUS[number]
    rng = random.Random(number)
    for end in sorted(rng.sample(range(len(data)), 40)):
        unharmed(data[:end])
