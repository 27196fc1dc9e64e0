"""JPEG: the segments before the first scan of the first image, and XMP packets behind its end."""

from collections.abc import Iterator

from forensic_detectors.provenance.containers.part import Inflate, Part
from forensic_detectors.provenance.fields import decoded

_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_APP1, _APP11, _APP13, _COMMENT = 0xE1, 0xEB, 0xED, 0xFE
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_READ = frozenset({_APP1, _APP11, _APP13, _COMMENT})
_LARGEST_PACKET = 16 << 20
_MOST_SEGMENTS = 20_000  # an honest file has a few hundred


def read(data: bytes, inflate: Inflate) -> Iterator[Part]:
    extended: list[bytes] = []
    resources: list[tuple[int, bytes]] = []
    c2pa = False
    *segments, (_, scans, _) = _segments(data)
    for marker, position, end in segments:
        body = data[position + 4 : end] if marker in _READ else b""
        if marker == _APP11 and body.startswith(b"JP") and b"c2pa" in body and not c2pa:
            c2pa = True
            yield Part("c2pa", f"JPEG APP11 segment at byte {position}")
        elif marker == _APP13 and body.startswith(_PHOTOSHOP):
            resources.append((position, body[len(_PHOTOSHOP) :]))
        elif marker == _APP1 and body.startswith(_EXTENDED):
            extended.append(body[len(_EXTENDED) :])
        elif marker == _APP1 and body.startswith(_EXIF):
            yield Part("exif", f"EXIF block at byte {position}", body[len(_EXIF) :])
        elif marker == _APP1 and body.startswith(_XMP):
            yield Part("xmp", f"XMP packet at byte {position}", body[len(_XMP) :])
        elif marker == _COMMENT:
            yield Part("text", f"JPEG comment at byte {position}", name="comment", text=decoded(body))
    if resources:  # one list of resources may run over several segments
        whole = b"".join(body for _, body in resources)
        yield Part("photoshop", f"JPEG APP13 segment at byte {resources[0][0]}", whole)
    yield from _extended(extended)
    yield from _behind(data, scans)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, where it begins, where its body ends); the last one is where the scans begin or the chain breaks."""
    position = 2
    left = _MOST_SEGMENTS
    while left and position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in _ALONE:
            position += 2
        elif marker in (_START_OF_SCAN, _END_OF_IMAGE):
            break
        else:
            end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
            if end < position + 4:
                break
            yield marker, position, end
            position = end
            left -= 1
    yield 0, position, position


def _extended(pieces: list[bytes]) -> Iterator[Part]:
    """Packets over 64 KiB come in pieces: a digest (32 bytes), the full length and this piece's offset (4 bytes each)."""
    packets: dict[bytes, list[tuple[int, bytes]]] = {}
    for piece in pieces:
        if len(piece) > 40:
            packets.setdefault(piece[:32], []).append((int.from_bytes(piece[36:40], "big"), piece[40:]))
    for found in packets.values():
        found.sort(key=lambda pair: pair[0])
        yield Part("xmp", "extended XMP packet", b"".join(body for _, body in found)[:_LARGEST_PACKET])


def _behind(data: bytes, scans: int) -> Iterator[Part]:
    """XMP between the end of the image and the next JPEG, if any: in a multi-picture file that is another image's."""
    start = data.find(b"<x:xmpmeta", scans)
    end = data.find(b"\xff\xd9", scans, start) if start >= 0 else -1
    if end < 0 or data.find(b"\xff\xd8\xff", end + 2, start) >= 0:
        return
    stop = data.find(b"\xff\xd8\xff", start)
    packet = data[start : stop if stop >= 0 else len(data)][:_LARGEST_PACKET]
    yield Part("xmp", f"XMP packet behind the end of the image, at byte {start}", packet)
