"""From a path to pixels: reads a file whole, looks at its header, decodes it to upright 8-bit RGB.

For each oddity one policy, so that a score can be defended:
- The suffix is never believed. Read are JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF and HEIC; camera raw files are refused, for
  the picture that is easily found in them is only a preview.
- A file that is truncated or damaged is refused. It is never filled up with grey.
- More than 250 megapixels, or more than 1 GiB, is refused before anything is decoded.
- The image is turned as its EXIF orientation (or, without one, its XMP orientation) asks for.
- Of animations, bursts and files with several pages the first image counts; gain maps and depth maps are left out.
- Of 16 bits per channel the upper eight are kept. Signed and 32-bit integers and floating point have no fixed white
  and are refused.
- Transparent pixels are laid over white. CMYK is converted plainly, without profiles; LAB by its definition.
- Colour profiles are not applied: what counts are the numbers in the file.
- JPEGs are decoded by simplejpeg, which gives the same pixels as Pillow in a third of the time; all others by Pillow.
"""

import ctypes
import hashlib
import logging
import os
import re
import stat
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from io import BytesIO

import numpy as np
import PIL
import simplejpeg
from PIL import ExifTags, Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, features

from forensic_cli.errors import ImageError, reason
from forensic_cli.formats import NotAnImage, claims_to_be_image, format_of

__all__ = ["Header", "NotAnImage", "claims_to_be_image", "decode", "decoder", "digest", "probe", "read"]

MAX_BYTES = 1 << 30
MAX_PIXELS = 250_000_000

# Pillow checks some sizes before we can. It warns beyond this and raises beyond twice this; both become our own words.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# A workflow that a PNG carries may be longer than Pillow expects of a text.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
# Pillow grumbles about odd metadata, and libtiff about damage; what matters of it becomes a row of the report.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())
with suppress(OSError, AttributeError):  # where it is linked otherwise it goes on grumbling
    ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)  # type: ignore[attr-defined]

_REDUCED, _DNG_VERSION = 254, 50706  # TIFF tags
_WHITE_IS_ZERO = 0
_DAMAGE = ("remature end", "bad Huffman code", "bad arithmetic code", "instead of RST")  # libjpeg's words for lost pixels


@dataclass(frozen=True)
class Header:
    """What a file says of its image."""

    format: str
    width: int
    """In pixels, of the upright image; the height too."""
    height: int
    mode: str
    """Pillow's word for the pixels in the file."""
    orientation: int
    """The EXIF number that is still to be applied after decoding (1: none)."""


def read(path: str) -> tuple[bytes, os.stat_result]:
    """The whole file and its status. Raises ImageError for what is no regular file, too large, or changes meanwhile."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise ImageError("not a regular file")
            if before.st_size > MAX_BYTES:
                raise ImageError(f"{before.st_size / 2**30:.1f} GiB; the limit is {MAX_BYTES / 2**30:g} GiB")
            content = file.read(before.st_size + 1)
            after = os.fstat(file.fileno())
    except FileNotFoundError as error:
        raise ImageError("no such file, or no longer") from error
    except PermissionError as error:
        raise ImageError("no permission to read it") from error
    except OSError as error:
        raise ImageError(error.strerror or str(error)) from error
    except ValueError as error:
        raise ImageError("not a possible path") from error
    if (len(content), after.st_size, after.st_mtime_ns) != (before.st_size, before.st_size, before.st_mtime_ns):
        raise ImageError("changed while it was read")
    if not content:
        raise ImageError("empty file")
    return content, after


def _open_at_once(path: str, flags: int) -> int:
    """A named pipe may have taken the place of the file; it must not keep us waiting."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@cache
def decoder() -> str:
    """What the pixels depend on beside the bytes: a part of the key under which scores are kept."""
    libraries = ", ".join(f"{name} {features.version(name)}" for name in ("libjpeg_turbo", "webp", "avif", "libtiff"))
    others = f"simplejpeg {simplejpeg.__version__}, pi-heif {version('pi-heif')}"
    return f"policy 1, Pillow {PIL.__version__} ({libraries}), {others}"


def probe(content: bytes) -> Header:
    """Format, size and orientation, without decoding a pixel. Raises NotAnImage or ImageError."""
    name = format_of(content)
    with _border(), _open(content, name) as image:
        width, height = image.size
        orientation = _orientation(image, content)
        turned_by_pillow = False
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            if image.tag_v2.get(_REDUCED, 0) & 1 or _DNG_VERSION in image.tag_v2 or content[8:10] == b"CR":
                raise ImageError("camera raw files are not supported; convert it to JPEG, PNG or TIFF first")
            turned_by_pillow = ExifTags.Base.Orientation in image.tag_v2
        if orientation > 4 and not turned_by_pillow:
            width, height = height, width
        if width * height > MAX_PIXELS:
            raise _too_large(width * height)
        return Header(name, width, height, image.mode, 1 if name == "TIFF" else orientation)


def decode(content: bytes, header: Header) -> np.ndarray:
    """The pixels: uint8 RGB of shape (height, width, 3), upright, contiguous, read-only. Raises ImageError."""
    with _border():
        pixels = _jpeg(content, header) if header.format == "JPEG" else _pillow(content, header)
        pixels = np.ascontiguousarray(_upright(pixels, header.orientation))
    if pixels.shape != (header.height, header.width, 3):
        raise ImageError("damaged: its pixels have another size than its header says")
    pixels.flags.writeable = False
    return pixels


def _open(content: bytes, name: str) -> Image.Image:
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # a switch of the whole process, and plugins are known to turn it on
    if name == "JPEG":  # what Pillow makes of a burst (MPO) may fail where the first image is fine
        return JpegImagePlugin.JpegImageFile(BytesIO(content))
    if name == "HEIF":
        import pi_heif

        _check_item_names(content)
        pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    return Image.open(BytesIO(content), formats=[name])


def _check_item_names(content: bytes) -> None:
    """Raises UnicodeDecodeError where pi-heif 1.4 would end the whole process: at an item named in anything but UTF-8."""
    at = content.find(b"infe")
    while at >= 0:
        start = at + (14 if content[at + 4 : at + 5] == b"\3" else 12)  # behind version, flags, number and protection
        content[start : at - 4 + int.from_bytes(content[at - 4 : at], "big")].decode()
        at = content.find(b"infe", at + 1)


def _orientation(image: Image.Image, content: bytes) -> int:
    if image.format == "HEIF":
        return 1  # its decoder turns the image
    if image.format == "PNG" and "exif" not in image.info and (exif := _late_exif(content)):
        image.info["exif"] = exif
    try:
        value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)  # a PNG's own would decode the pixels
    except Exception:  # EXIF is a file within the file, broken in as many ways; what cannot be read turns nothing
        return 1
    return value if value in range(1, 9) else 1


def _late_exif(content: bytes) -> bytes | None:
    """EXIF may stand behind the pixels of a PNG, where opening does not look."""
    at = 8
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if kind == b"eXIf":
            return content[at + 8 : at + 8 + length]
        at += length + 12
    return None


def _jpeg(content: bytes, header: Header) -> np.ndarray:
    four = header.mode == "CMYK"
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(content, "CMYK" if four else "RGB")
    except ValueError as error:
        if any(words in str(error) for words in _DAMAGE):  # Pillow would fill the rest with grey and say nothing
            raise ImageError(f"truncated or damaged: {error}") from error
        return _pillow(content, header)
    return _pillow(content, header) if four else pixels


def _pillow(content: bytes, header: Header) -> np.ndarray:
    with _open(content, header.format) as image:
        image.load()
        if image.mode.startswith("I;16"):
            return _upper_bits(image)
        if image.mode in ("I", "F"):
            raise ImageError("signed, 32-bit or float pixels have no fixed white; convert it to 8 or 16 bits first")
        if image.has_transparency_data:
            layer = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
            white = Image.new("RGB", layer.size, "white")
            white.paste(layer, mask=layer)
            return np.asarray(white)
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _upper_bits(image: Image.Image) -> np.ndarray:
    values = np.asarray(image)
    bits = 16
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = image.tag_v2[TiffImagePlugin.BITSPERSAMPLE][0]  # 12 bits come in 16
        if image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO:
            raise ImageError("16-bit pixels in which white is zero are not supported; invert it first")
    grey = (values >> (bits - 8)).astype(np.uint8)
    grey[values == image.info.get("transparency", -1)] = 255
    return np.repeat(grey[:, :, None], 3, axis=2)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Orientations 1 to 8 of EXIF: 5 to 8 lie on their side; 2, 4, 5 and 7 are mirrored as well."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _too_large(pixels: int) -> ImageError:
    return ImageError(f"{-(-pixels // 10**6)} megapixels; the limit is {MAX_PIXELS // 10**6}")


@contextmanager
def _border() -> Iterator[None]:
    """Whatever decoders raise at a stranger's bytes becomes an ImageError here, and nowhere else."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(int(re.findall(r"\d+", str(error))[0])) from error
    except MemoryError as error:
        raise ImageError("not enough memory to decode it") from error
    except PIL.UnidentifiedImageError as error:
        raise ImageError("truncated, damaged or of an unsupported kind") from error
    except Exception as error:
        raise ImageError(f"truncated or damaged: {reason(error)}") from error
