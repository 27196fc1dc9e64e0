"""What a container reader yields, and the guard that keeps compressed text from filling the memory."""

import zlib
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of metadata as it lies in the file.

    `kind`: "exif" and "tiff" begin with a TIFF header, "xmp" is a packet, "iptc" are IIM records, "photoshop" are 8BIM
    resources, "c2pa" is a manifest store (its bytes are not carried along), "text" has `name` and `text`.
    """

    kind: Literal["exif", "tiff", "xmp", "iptc", "photoshop", "c2pa", "text"]
    place: str
    data: bytes = b""
    name: str = ""
    text: str = ""


class Inflate:
    """Unpacks zlib streams until `limit` bytes have come out of one file; `cut` tells whether something was left out."""

    def __init__(self, limit: int = 16 << 20) -> None:
        self._left = limit
        self.cut = False

    def __call__(self, data: bytes) -> bytes:
        """The unpacked bytes, as many as the limit allows; none if the stream is broken."""
        if self._left <= 0:
            self.cut = True
            return b""
        stream = zlib.decompressobj()
        try:
            out = stream.decompress(data, self._left)
        except zlib.error:
            return b""
        self._left -= len(out)
        self.cut = self.cut or bool(stream.unconsumed_tail)
        return out
