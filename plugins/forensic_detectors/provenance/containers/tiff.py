"""TIFF: the tags of one directory (EXIF blocks are built alike), and the blocks that a TIFF file keeps in its tags."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from forensic_detectors.provenance.containers.part import Inflate, Part

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_BUDGET = 32 << 20  # bytes copied out of one file, however many tags point at the same place
_MOST_ENTRIES = 4096
_XMP, _IPTC, _PHOTOSHOP, _C2PA = 700, 33723, 34377, 52545


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag: its TIFF type number and its bytes in the byte order of the block."""

    type: int
    data: bytes


class Tiff:
    """The directories of a TIFF header at the start of `data`. Offsets that lead nowhere give nothing."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = _BUDGET
        self.order = {b"II": "little", b"MM": "big"}.get(data[:2], "")
        self._big = self.number(2, 2) == 43  # BigTIFF: the same with 8-byte offsets
        self._known = self.number(2, 2) in (42, 43)
        self.first = (self.number(8, 8) if self._big else self.number(4, 4)) if self._known else 0

    def number(self, position: int, size: int) -> int:
        """The unsigned number at `position`; 0 beyond the end."""
        piece = self._data[position : position + size]
        if len(piece) < size or not self.order:
            return 0
        return int.from_bytes(piece, "little" if self.order == "little" else "big")

    def directory(self, offset: int, wanted: Collection[int]) -> dict[int, Tag]:
        """The tags of the directory at `offset` whose numbers are wanted; of two alike the first."""
        found: dict[int, Tag] = {}
        if not self._known or offset <= 0:
            return found
        head, entry, width = (8, 20, 8) if self._big else (2, 12, 4)
        count = min(self.number(offset, head), _MOST_ENTRIES)
        for position in range(offset + head, offset + head + count * entry, entry):
            if position + entry > len(self._data):
                break
            number = self.number(position, 2)
            if number not in wanted or number in found:
                continue
            kind = self.number(position + 2, 2)
            size = _SIZES.get(kind, 0) * self.number(position + 4, width)
            place = position + 4 + width
            start = place if size <= width else self.number(place, width)
            if 0 < size <= self._left and start + size <= len(self._data):
                self._left -= size
                found[number] = Tag(kind, self._data[start : start + size])
        return found


def read(data: bytes, inflate: Inflate) -> Iterator[Part]:
    yield Part("tiff", "TIFF tags", data)
    tiff = Tiff(data)
    tags = tiff.directory(tiff.first, (_XMP, _IPTC, _PHOTOSHOP, _C2PA))
    if _XMP in tags:
        yield Part("xmp", "XMP packet (TIFF tag 700)", tags[_XMP].data)
    if _IPTC in tags:
        yield Part("iptc", "IPTC block (TIFF tag 33723)", tags[_IPTC].data)
    if _PHOTOSHOP in tags:
        yield Part("photoshop", "IPTC block (TIFF tag 34377)", tags[_PHOTOSHOP].data)
    if _C2PA in tags:
        yield Part("c2pa", "TIFF tag 52545")
