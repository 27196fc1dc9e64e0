"""GIF: comments, and the application extensions that hold XMP and manifests."""

from collections.abc import Iterator

from forensic_detectors.provenance.containers.part import Inflate, Part
from forensic_detectors.provenance.fields import decoded

_EXTENSION, _IMAGE = 0x21, 0x2C
_COMMENT, _APPLICATION = 0xFE, 0xFF
_TAIL = b"\x01\xff\xfe\xfd"  # XMP is not cut into sub-blocks; its tail leads a reader of sub-blocks to the end


def read(data: bytes, inflate: Inflate) -> Iterator[Part]:
    position = 13 + _colours(data, 10)
    while position + 2 <= len(data):
        if data[position] == _IMAGE:
            position = _skip(data, position + 11 + _colours(data, position + 9))
        elif data[position] == _EXTENSION:
            end = _skip(data, position + 2)
            yield from _extension(data, position, end)
            position = end
        else:
            return


def _colours(data: bytes, flags: int) -> int:
    """Bytes of the colour table that the flags at this offset announce."""
    packed = data[flags] if flags < len(data) else 0
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def _skip(data: bytes, position: int) -> int:
    """Behind the sub-blocks that begin at `position`."""
    while position < len(data) and data[position]:
        position += 1 + data[position]
    return position + 1


def _extension(data: bytes, position: int, end: int) -> Iterator[Part]:
    label = data[position + 1]
    if label == _COMMENT:
        text = decoded(_joined(data[position + 2 : end]))
        yield Part("text", f"GIF comment at byte {position}", name="comment", text=text)
    elif label == _APPLICATION:
        name = data[position + 3 : position + 11]
        if name == b"XMP Data":
            packet = data[position + 14 : end]
            whole = packet.rpartition(_TAIL)[0] or _joined(packet)
            yield Part("xmp", f"XMP packet at byte {position}", whole)
        elif name == b"C2PA_GIF":
            yield Part("c2pa", f"GIF application extension at byte {position}")


def _joined(blocks: bytes) -> bytes:
    whole = bytearray()
    position = 0
    while position < len(blocks) and blocks[position]:
        whole += blocks[position + 1 : position + 1 + blocks[position]]
        position += 1 + blocks[position]
    return bytes(whole)
