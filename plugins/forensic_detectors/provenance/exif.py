"""EXIF: the tags that name a camera, a program or a prompt."""

from typing import Literal

from forensic_detectors.provenance.containers.part import Part
from forensic_detectors.provenance.containers.tiff import Tag, Tiff
from forensic_detectors.provenance.fields import Block, Field, decoded

_EXIF_DIRECTORY = 34665
_USER_COMMENT = 37510
_MAIN = {
    269: "DocumentName",
    270: "ImageDescription",
    271: "Make",
    272: "Model",
    305: "Software",
    315: "Artist",
    40091: "XPTitle",
    40092: "XPComment",
    40093: "XPAuthor",
    40094: "XPKeywords",
    40095: "XPSubject",
    _EXIF_DIRECTORY: "",
    _USER_COMMENT: "UserComment",
}
_SHOT = {
    33434: "ExposureTime",
    33437: "FNumber",
    34855: "ISO",
    36867: "DateTimeOriginal",
    37386: "FocalLength",
    _USER_COMMENT: "UserComment",
    41728: "FileSource",
    42036: "LensModel",
    42040: "ImageEditor",
    42043: "ImageEditingSoftware",
}
_UTF16_TAGS = frozenset(range(40091, 40096))


def read(part: Part) -> Block:
    """The wanted tags of an "exif" or "tiff" part as fields; numbers are written out (`0.005`, `2.8`)."""
    tiff = Tiff(part.data)
    main = tiff.directory(tiff.first, _MAIN)
    pointer = main.pop(_EXIF_DIRECTORY, None)
    shot = (
        tiff.directory(int(_number(pointer, tiff.order) or "0"), _SHOT) if pointer and pointer.type in (4, 13, 18) else {}
    )
    fields = []
    for names, tags in ((_MAIN, main), (_SHOT, shot)):
        for number, tag in tags.items():
            text = _text(number, tag, tiff.order).strip(" \0")
            if text:
                fields.append(Field(names[number], text, f"{part.place}, {names[number]}"))
    return Block("exif", tuple(fields))


def _text(number: int, tag: Tag, order: str) -> str:
    if number == _USER_COMMENT:
        return user_comment(tag.data, order)
    if number in _UTF16_TAGS:
        return tag.data.decode("utf-16-le", "replace")
    if tag.type in (1, 2, 7):
        return decoded(tag.data) if number != 41728 else str(tag.data[0])
    return _number(tag, order)


def _number(tag: Tag, order: str) -> str:
    """The first number of a tag, as text."""
    byteorder: Literal["little", "big"] = "little" if order == "little" else "big"
    if tag.type in (5, 10):
        above, below = (int.from_bytes(tag.data[i : i + 4], byteorder) for i in (0, 4))
        return f"{above / below:g}" if below else ""
    width = {3: 2, 4: 4, 13: 4, 8: 2, 9: 4, 16: 8, 18: 8}.get(tag.type, 0)
    return str(int.from_bytes(tag.data[:width], byteorder)) if width else ""


def user_comment(data: bytes, order: str) -> str:
    """A comment whose first eight bytes name its character set. Writers disagree on the byte order of UNICODE, some put
    UTF-8 there, so the reading with the most plain characters wins; `order` decides a tie.
    """
    head, body = data[:8], data[8:]
    if head.startswith(b"UNICODE"):
        body = body.rstrip(b"\0") + (b"\0" if len(body.rstrip(b"\0")) % 2 else b"")
        first, second = ("utf-16-le", "utf-16-be") if order == "little" else ("utf-16-be", "utf-16-le")
        readings = [body.decode(name, "replace") for name in (first, second, "utf-8")]
        return max(readings, key=_plain).lstrip("\ufeff")
    if head.startswith((b"ASCII\0", b"JIS\0")) or not head.strip(b"\0 "):
        return decoded(body)
    return decoded(data)


def _plain(text: str) -> int:
    """How much a reading looks like text: plain ASCII counts for it, NULs and broken characters against it."""
    sample = text[:400]
    plain = sum(" " <= c <= "~" for c in sample)
    return plain - 4 * sum(c == "\0" or c == "\ufffd" for c in sample)
