"""Which container a file is, and the metadata in it. Readers never decode pixels and stay within the bytes they have."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from forensic_detectors.provenance.containers import bmff, gif, jpeg, png, tiff, webp
from forensic_detectors.provenance.containers.part import Inflate, Part

_MOST_PARTS = 500

_Reader = Callable[[bytes, Inflate], Iterator[Part]]
_AVIF = frozenset({b"avif", b"avis"})
_HEIF = frozenset({b"heic", b"heix", b"heif", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


@dataclass(frozen=True)
class Contents:
    """What one file holds. `mime` is empty for formats that hold nothing we read; `cut` means that a limit was met."""

    mime: str
    parts: tuple[Part, ...]
    cut: bool = False


def read(data: bytes) -> Contents:
    """All metadata parts of an image file, in the order of the file."""
    mime, reader = _format(data)
    if reader is None:
        return Contents(mime, ())
    inflate = Inflate()
    parts: list[Part] = []
    for part in reader(data, inflate):
        parts.append(part)
        if len(parts) >= _MOST_PARTS:
            return Contents(mime, tuple(parts), cut=True)
    return Contents(mime, tuple(parts), inflate.cut)


def _format(data: bytes) -> tuple[str, _Reader | None]:
    if data.startswith(b"\xff\xd8"):
        return "image/jpeg", jpeg.read
    if data.startswith(png.SIGNATURE):
        return "image/png", png.read
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp", webp.read
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif", gif.read
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "image/tiff", tiff.read
    if data[4:8] == b"ftyp":
        brands = {data[8:12], *(data[i : i + 4] for i in range(16, min(len(data), 80), 4))}
        if brands & _AVIF:
            return "image/avif", bmff.read
        if brands & _HEIF:
            return "image/heic", bmff.read
    return "", None
