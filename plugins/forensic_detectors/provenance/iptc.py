"""IPTC IIM records, mostly inside Photoshop's resources: credit, byline and what else may name a generator."""

from collections.abc import Iterator

from forensic_detectors.provenance.containers.part import Part
from forensic_detectors.provenance.fields import Block, Field, decoded

_IIM_RESOURCE = 0x0404
_MOST_RECORDS = 2000
_NAMES = {
    40: "instructions",
    65: "program",
    80: "byline",
    110: "credit",
    115: "source",
    116: "copyright",
    120: "caption",
}


def read(part: Part) -> Block:
    """The records of an "iptc" or "photoshop" part that matter here, under our names."""
    data = part.data if part.kind == "iptc" else b"".join(_resources(part.data))
    fields = [
        Field(name, decoded(value), f"{part.place}, IPTC {name}")
        for number, value in _records(data or part.data)
        if (name := _NAMES.get(number))
    ]
    return Block("iptc", tuple(fields))


def _resources(data: bytes) -> Iterator[bytes]:
    """The bodies of the IIM resources: "8BIM", number, padded name, length, padded body."""
    position = 0
    while data[position : position + 4] == b"8BIM" and position + 12 <= len(data):
        number = int.from_bytes(data[position + 4 : position + 6], "big")
        name = data[position + 6] + 1
        position += 6 + name + name % 2
        size = int.from_bytes(data[position : position + 4], "big")
        if number == _IIM_RESOURCE:
            yield data[position + 4 : position + 4 + size]
        position += 4 + size + size % 2


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, value) of record 2, the application record."""
    position = 0
    for _ in range(_MOST_RECORDS):
        if position + 5 > len(data) or data[position] != 0x1C:
            return
        record, number = data[position + 1], data[position + 2]
        size = int.from_bytes(data[position + 3 : position + 5], "big")
        position += 5
        if size & 0x8000:  # an extended record: the low bits count the bytes of its length
            width = min(size & 0x7FFF, 4)
            size = int.from_bytes(data[position : position + width], "big")
            position += width
        if record == 2:
            yield number, data[position : position + size]
        position += size
