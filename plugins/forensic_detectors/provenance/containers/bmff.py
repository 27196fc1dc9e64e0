"""AVIF and HEIF (ISO base media files): the EXIF and XMP items, and the manifest's uuid box."""

from collections.abc import Iterator

from forensic_detectors.provenance.containers.part import Inflate, Part

_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_MOST_BOXES = 10_000
_MOST_EXTENTS = 100_000
_BUDGET = 32 << 20


class _Short(ValueError):
    """A box ends before what it announces."""


def read(data: bytes, inflate: Inflate) -> Iterator[Part]:
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"meta":
            try:
                yield from _items(data, start + 4, end)
            except _Short:
                continue
        elif kind == b"uuid":
            name = data[start : start + 16]
            if name == _C2PA:
                yield Part("c2pa", f"uuid box at byte {start - 8}")
            elif name == _XMP:
                yield Part("xmp", f"XMP packet (uuid box) at byte {start - 8}", data[start + 16 : end])


def _boxes(data: bytes, position: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of the body, end) of each box between two offsets."""
    for _ in range(_MOST_BOXES):
        if position + 8 > stop:
            return
        size, head = int.from_bytes(data[position : position + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[position + 8 : position + 16], "big"), 16
        elif size == 0:  # to the end of the file
            size = stop - position
        if size < head:
            return
        end = min(position + size, stop)
        yield data[position + 4 : position + 8], position + head, end
        position += size


def _number(data: bytes, position: int, size: int) -> int:
    if position + size > len(data):
        raise _Short
    return int.from_bytes(data[position : position + size], "big")


def _items(data: bytes, start: int, end: int) -> Iterator[Part]:
    names: dict[int, str] = {}
    spans: dict[int, list[tuple[int, int, int]]] = {}
    store = (0, 0)
    boxes = {kind: (first, last) for kind, first, last in _boxes(data, start, end)}
    if b"iinf" in boxes:
        names = _names(data, *boxes[b"iinf"])
    if names and b"iloc" in boxes:
        first, last = boxes[b"iloc"]
        spans = _spans(data[first:last], names)
    if b"idat" in boxes:
        store = boxes[b"idat"]
    left = _BUDGET
    for item, kind in names.items():
        pieces = []
        for method, offset, length in spans.get(item, []):
            base, stop = store if method == 1 else (0, len(data))
            piece = data[base + offset : min(base + offset + length, stop) if length else stop][:left]
            left -= len(piece)
            pieces.append(piece)
        yield from _part(kind, b"".join(pieces), item)


def _part(kind: str, body: bytes, item: int) -> Iterator[Part]:
    if kind == "Exif" and len(body) > 8:
        skip = 4 + int.from_bytes(body[:4], "big")  # how far behind these four bytes the TIFF header stands
        yield Part("exif", f"EXIF block (item {item})", body[skip:])
    elif kind == "xmp":
        yield Part("xmp", f"XMP packet (item {item})", body)


def _names(data: bytes, start: int, end: int) -> dict[int, str]:
    """Number to "Exif" or "xmp" for the items that matter here."""
    names: dict[int, str] = {}
    first = start + 4 + (2 if _number(data, start, 1) == 0 else 4)  # behind version, flags and count
    for kind, body, last in _boxes(data, first, end):
        version = data[body] if body < last else 0
        if kind != b"infe" or version < 2:
            continue
        width = 2 if version == 2 else 4
        item = _number(data, body + 4, width)
        type_at = body + 4 + width + 2
        if data[type_at : type_at + 4] == b"Exif":
            names[item] = "Exif"
        elif data[type_at : type_at + 4] == b"mime" and b"application/rdf+xml" in data[type_at + 4 : last]:
            names[item] = "xmp"
    return names


def _spans(box: bytes, wanted: dict[int, str]) -> dict[int, list[tuple[int, int, int]]]:
    """(construction method, offset, length) of the pieces of each wanted item; method 0 counts from the file's start."""
    version = _number(box, 0, 1)
    sizes = _number(box, 4, 2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version in (1, 2) else 0
    wide = 4 if version == 2 else 2
    position = 6 + wide
    spans: dict[int, list[tuple[int, int, int]]] = {}
    steps = 0
    for _ in range(_number(box, 6, wide)):
        item = _number(box, position, wide)
        position += wide
        method = 0
        if version in (1, 2):
            method = _number(box, position, 2) & 15
            position += 2
        base = _number(box, position + 2, base_size)
        position += 2 + base_size
        count = _number(box, position, 2)
        position += 2
        for _ in range(count):
            steps += 1
            if steps > _MOST_EXTENTS:
                return spans
            offset = base + _number(box, position + index_size, offset_size)
            length = _number(box, position + index_size + offset_size, length_size)
            position += index_size + offset_size + length_size
            if item in wanted and method in (0, 1):
                spans.setdefault(item, []).append((method, offset, length))
    return spans
