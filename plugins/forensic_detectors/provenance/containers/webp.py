"""WebP: the EXIF, XMP and manifest chunks of the RIFF list."""

from collections.abc import Iterator

from forensic_detectors.provenance.containers.part import Inflate, Part


def read(data: bytes, inflate: Inflate) -> Iterator[Part]:
    position = 12
    while position + 8 <= len(data):
        kind = data[position : position + 4]
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        end = position + 8 + size
        if kind == b"EXIF":
            yield Part("exif", f"EXIF block (WebP) at byte {position}", data[position + 8 : end].removeprefix(b"Exif\0\0"))
        elif kind == b"XMP ":
            yield Part("xmp", f"XMP packet at byte {position}", data[position + 8 : end])
        elif kind == b"C2PA":
            yield Part("c2pa", f"WebP C2PA chunk at byte {position}")
        position = end + size % 2
