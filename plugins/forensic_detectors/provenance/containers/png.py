"""PNG: text, EXIF and manifest chunks, wherever they stand."""

import binascii
from collections.abc import Iterator

from forensic_detectors.provenance.containers.part import Inflate, Part
from forensic_detectors.provenance.fields import clean, decoded

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP = "XML:com.adobe.xmp"
_RAW_PROFILE = "raw profile type "  # how ImageMagick packs other blocks into text, in hexadecimal
_READ = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"caBX"})


def read(data: bytes, inflate: Inflate) -> Iterator[Part]:
    position = len(SIGNATURE)
    while position + 8 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        if kind in _READ:
            body = data[position + 8 : end]
            if kind == b"eXIf":
                yield Part("exif", f"EXIF block (PNG eXIf) at byte {position}", body.removeprefix(b"Exif\0\0"))
            elif kind == b"caBX":
                yield Part("c2pa", f"PNG caBX chunk at byte {position}")
            else:
                yield from _text(kind, body, position, inflate)
        position = end + 4  # the checksum


def _text(kind: bytes, body: bytes, position: int, inflate: Inflate) -> Iterator[Part]:
    key, zero, rest = body.partition(b"\0")
    if not zero:
        return
    if kind == b"zTXt":
        rest = inflate(rest[1:])
    elif kind == b"iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # behind the language and the translated key
        rest = inflate(rest) if packed else rest
    name = key.decode("latin-1")
    place = f"PNG text chunk `{clean(name)}` at byte {position}"
    if name == _XMP:
        yield Part("xmp", f"XMP packet at byte {position}", rest)
    elif name.lower().startswith(_RAW_PROFILE):
        yield from _profile(name.lower().removeprefix(_RAW_PROFILE), rest, place)
    else:
        yield Part("text", place, name=name, text=decoded(rest))


def _profile(kind: str, text: bytes, place: str) -> Iterator[Part]:
    lines = text.split(None, 2)  # name, length, hexadecimal digits in lines
    if len(lines) < 3:
        return
    try:
        body = binascii.unhexlify(b"".join(lines[2].split()))
    except binascii.Error:
        return
    if kind in ("exif", "app1") and body.startswith(b"Exif\0\0"):
        yield Part("exif", f"EXIF block ({place})", body[6:])
    elif kind == "xmp":
        yield Part("xmp", f"XMP packet ({place})", body)
    elif kind in ("iptc", "8bim"):
        yield Part("photoshop", f"IPTC block ({place})", body)
