"""Which image format a file has: told by its first bytes alone; what its name claims decides only how loud a refusal is."""

import os

from forensic_cli.errors import ImageError

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
    | {".avif", ".heic", ".heics", ".heif", ".hif"}
)

_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
_UNSUPPORTED = {
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"8BPS": "Photoshop",
    b"v/1\x01": "OpenEXR",
    b"FUJIFILMCCD-RAW": "camera raw",
    b"IIRO": "camera raw",
    b"IIRS": "camera raw",
    b"IIU\0": "camera raw",
}
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}  # the sizes that exist; "BM" alone also begins ordinary words
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_RAW_BRAND = b"crx "
_MOST_BRANDS = 64


class NotAnImage(ImageError):
    """The bytes are of no image format that we know."""


def claims_to_be_image(path: str) -> bool:
    """Whether the name promises an image. The `._NAME.jpg` sidecars that macOS leaves on foreign disks do not."""
    name = os.path.basename(path)
    return os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith("._")


def format_of(content: bytes) -> str:
    """JPEG, PNG, GIF, TIFF, WEBP, BMP, AVIF or HEIF. Raises NotAnImage; ImageError for formats that we do not read."""
    brands = _brands(content)
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIF_BRANDS:
        return "HEIF"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if content[:2] == b"BM" and int.from_bytes(content[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    for start, name in _STARTS.items():
        if content.startswith(start):
            return name
    for start, name in _UNSUPPORTED.items():
        if content.startswith(start) or (name == "camera raw" and _RAW_BRAND in brands):
            raise ImageError(f"{name} files are not supported; convert it to JPEG, PNG or TIFF first")
    raise NotAnImage("not an image of a known format")


def _brands(content: bytes) -> set[bytes]:
    """What an ISO media file (AVIF, HEIC, CR3, but also any MP4 video) says that it can be read as."""
    if content[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(content[:4], "big"), 16 + 4 * _MOST_BRANDS)
    return {content[8:12], *(content[at : at + 4] for at in range(16, end, 4))}
