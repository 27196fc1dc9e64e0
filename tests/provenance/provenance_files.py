"""Real image files with metadata in them, written by Pillow or by hand, and the detector's answer about them."""

import io
import struct
import zlib

from PIL import Image, PngImagePlugin

from forensic_cli import Batch, Claim, Finding, ImageRef, Session
from forensic_detectors.provenance import Provenance

XMP_HEAD = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
)
XMP_TAIL = '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
SPACES = {
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "TC260": "http://www.tc260.org.cn/ns/AIGC/1.0/",
}
AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def picture(size: int = 24) -> Image.Image:
    return Image.radial_gradient("L").resize((size, size)).convert("RGB")


def saved(kind: str, **options) -> bytes:
    stream = io.BytesIO()
    picture().save(stream, kind, **options)
    return stream.getvalue()


def packet(elements: str = "", attributes: str = "") -> bytes:
    spaces = " ".join(f'xmlns:{prefix}="{address}"' for prefix, address in SPACES.items())
    return f'{XMP_HEAD}<rdf:Description rdf:about="" {spaces} {attributes}>{elements}</rdf:Description>{XMP_TAIL}'.encode()


def jpeg_xmp(elements: str = "", attributes: str = "") -> bytes:
    return saved("JPEG", xmp=packet(elements, attributes))


def png_text(**texts: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key.replace("__", " ").replace("_dash_", "-"), text)
    return saved("PNG", pnginfo=info)


def exif(tags: dict[int, object], shot: dict[int, object] | None = None) -> bytes:
    """A little-endian block as Pillow writes it: the main directory, and the one of the shot."""
    block = Image.Exif()
    block.endian = "<"
    block.update(tags)
    if shot:
        block[0x8769] = shot
    return block.tobytes()


def jpeg_exif(tags: dict[int, object], shot: dict[int, object] | None = None) -> bytes:
    return saved("JPEG", exif=exif(tags, shot))


def user_comment(text: str, form: str = "ASCII") -> bytes:
    head, encoding = {
        "ASCII": (b"ASCII\0\0\0", "ascii"),
        "UTF-8": (b"\0" * 8, "utf-8"),
        "UNICODE-BE": (b"UNICODE\0", "utf-16-be"),
        "UNICODE-LE": (b"UNICODE\0", "utf-16-le"),
        "UNICODE-UTF-8": (b"UNICODE\0", "utf-8"),
    }[form]
    return jpeg_exif({}, {0x9286: head + text.encode(encoding)})


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(*chunks: bytes, after_pixels: bool = False) -> bytes:
    plain = saved("PNG")
    cut = plain.index(b"IEND") - 4 if after_pixels else 33
    return plain[:cut] + b"".join(chunks) + plain[cut:]


def jpeg_with(*segments: tuple[int, bytes]) -> bytes:
    plain = saved("JPEG")
    inserted = b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
    return plain[:2] + inserted + plain[2:]


def iptc(**records: str) -> bytes:
    """Photoshop resources with one IIM block, as they stand in a JPEG's APP13."""
    numbers = {"instructions": 40, "program": 65, "byline": 80, "credit": 110, "source": 115, "caption": 120}
    block = b"\x1c\x01\x5a\x00\x03\x1b%G"
    for name, text in records.items():
        block += struct.pack(">BBBH", 0x1C, 2, numbers[name], len(text.encode())) + text.encode()
    other = b"8BIM" + struct.pack(">H", 0x03ED) + b"\x03abc" + struct.pack(">I", 3) + b"xyz\0"
    return (
        b"Photoshop 3.0\0" + other + b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(block)) + block + b"\0" * (len(block) % 2)
    )


def findings(*files: bytes, **options: str) -> list[Finding]:
    detector = Provenance(Session(), Provenance.Options(**options))
    refs = [ImageRef(f"{number}.jpg", "0" * 64, len(data), "JPEG", 24, 24) for number, data in enumerate(files)]
    return detector.examine(Batch(detector.session, refs, contents=files))


def claims(data: bytes, **options: str) -> tuple[Claim, ...]:
    finding = findings(data, **options)[0]
    assert finding.error is None
    assert finding.score is None
    return finding.claims


def kinds(data: bytes) -> set[str]:
    return {claim.kind for claim in claims(data)}


def only(data: bytes, **options: str) -> Claim:
    found = claims(data, **options)
    assert len(found) == 1, found
    return found[0]
