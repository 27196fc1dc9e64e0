"""Pictures to decode, made on the fly; and what other decoders make of them."""

import base64
import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from forensic_cli import images
from forensic_cli.errors import ImageError

# 48 x 32 pixels, lying on their side (irot): red and green above, blue and white below. Made for this test.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAADRpbG9jAAAAAERAAAIA"
    "AQAAAAAB7AABAAAAAAAAADwAAgAAAAACKAABAAAAAAAAACQAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlm"
    "AAAAAA5waXRtAAAAAAABAAABB2lwcnAAAADmaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroC"
    "QGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAA"
    "AAAAQAAAAEAAAAAoY2xhcAAAADAAAAABAAAAIAAAAAH////wAAAAAv///+AAAAACAAAAEHBpeGkAAAAAAwgICAAAAAlpcm90AwAAABlpcG1hAAAAAAAAAAEA"
    "AQaBAgMFhIYAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAAGhtZGF0AAAAOCgBrxmA94RJf9to/YtfnQa+zY2Thvytj16W/pHgu8X1kg66SwLqGKbgEJgb"
    "ZOjYm+u76+rqGrmAAAAABkV4aWYAAE1NACoAAAAIAAEBEgADAAAAAQAGAAAAAAAA"
)


def photo(width=61, height=43):
    """Gradients, waves and noise: nothing that a wrong decoder could get right by chance."""
    y, x = np.mgrid[0:height, 0:width]
    planes = np.stack([127 + 120 * np.sin(x / 17 + y / 31), 127 + 120 * np.cos(x / 7 - y / 13), (x * 3 + y * 5) % 256], -1)
    noise = np.random.default_rng(0).normal(0, 12, planes.shape)
    return Image.fromarray((planes + noise).clip(0, 255).astype(np.uint8))


def save(image, format, **settings):
    stream = io.BytesIO()
    image.save(stream, format, **settings)
    return stream.getvalue()


def load(content):
    return images.decode(content, images.probe(content))


def refusal(content):
    with pytest.raises(ImageError) as caught:
        load(content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def by_pillow(content):
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def exif(orientation):
    block = Image.Exif()
    block[274] = orientation
    return block.tobytes()


def tiff(pixels, photometric, extra=(), **tags):
    """An uncompressed little-endian TIFF from an array (height, width, channels), for what Pillow cannot write."""
    height, width, channels = pixels.shape
    data = pixels.tobytes()
    bits = tags.pop("bits", pixels.dtype.itemsize * 8)
    kind = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    entries = {256: [width], 257: [height], 258: [bits] * channels, 259: [1], 262: [photometric], 277: [channels]}
    entries |= {278: [height], 279: [len(data)], 339: [kind] * channels, 273: [0]} | ({338: list(extra)} if extra else {})
    entries |= {int(tag.removeprefix("tag")): value for tag, value in tags.items()}
    behind, directory = b"", b""
    start = 8 + 2 + 12 * len(entries) + 4
    far = {tag: struct.pack(f"<{len(values)}I", *values) for tag, values in entries.items() if len(values) > 1}
    entries[273] = [start + sum(map(len, far.values()))]
    for tag in sorted(entries):
        place = entries[tag][0] if tag not in far else start + len(behind)
        behind += far.get(tag, b"")
        directory += struct.pack("<HHII", tag, 4, len(entries[tag]), place)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + behind + data
