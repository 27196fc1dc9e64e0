"""Pieces of text out of a file, with the place where each stands; and how foreign text is made fit to print."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

Origin = Literal["text", "exif", "xmp", "iptc"]

_LONGEST_JSON = 8 << 20  # characters; the largest ComfyUI workflows seen are a tenth of this


@dataclass(frozen=True)
class Field:
    """One named text. `place` says in words where it stands in the file."""

    name: str
    text: str
    place: str

    @cached_property
    def json(self) -> dict[str, Any]:
        """The text read as a JSON object; empty if it is none."""
        return json_object(self.text)


@dataclass(frozen=True)
class Block:
    """Fields that stand together (all PNG texts, one EXIF block, one XMP packet): some formats spread over several."""

    origin: Origin
    fields: tuple[Field, ...]

    @cached_property
    def _first(self) -> dict[str, Field]:
        first: dict[str, Field] = {}
        for field in self.fields:
            first.setdefault(field.name.lower(), field)
        return first

    def field(self, name: str) -> Field | None:
        """The first field called `name`, in any case."""
        return self._first.get(name.lower())

    def text(self, name: str) -> str:
        """The text of that field; empty if there is none."""
        field = self.field(name)
        return field.text if field else ""

    def named(self, names: Iterable[str]) -> list[Field]:
        """All fields called one of `names` (given in lower case), in the order of the file."""
        wanted = frozenset(names)
        return [field for field in self.fields if field.name.lower() in wanted]


def json_object(text: str) -> dict[str, Any]:
    """`text` as a JSON object, or an empty one: broken, too long, too deep and not-an-object are all the same here."""
    if len(text) > _LONGEST_JSON or text.lstrip("\ufeff \t\r\n\0")[:1] != "{":
        return {}
    try:
        value = json.loads(text.strip("\ufeff \t\r\n\0"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def decoded(data: bytes) -> str:
    """UTF-8 if it is that, else Latin-1; writers of "Latin-1" and "ASCII" fields use either."""
    data = data.rstrip(b"\0")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def clean(text: object, limit: int = 80) -> str:
    """`text` on one line, without control or direction characters, at most `limit` characters long."""
    words = "".join(c if c.isprintable() else " " for c in str(text)[: 4 * limit]).split()
    line = " ".join(words)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def quoted(text: object, limit: int = 80) -> str:
    """`text` cleaned and in quotation marks."""
    return f"“{clean(text, limit)}”"
