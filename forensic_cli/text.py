"""Text by strangers (file names, prompts, messages) made fit for terminals and for JSON."""

import json
import math
import re
from typing import Any

# Invisible, or steering what a terminal shows: control characters, separators, joiners, marks of direction, blanks, tags.
_HIDDEN = (
    "\x7f-\x9f\xad\u061c\u115f\u1160\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"
    "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f"
)
_HALVES = "\ud800-\udfff"  # lone surrogates are in no UTF-8 text, and strict readers refuse their escapes as well
_ESCAPED = f"[{_HIDDEN}{_HALVES}]"  # compiled at first use: an error or a report, not `forensic --help`
_UNSEEN = f"[\0-\x1f{_HIDDEN}{_HALVES}]"


def encode(value: object, indent: int | None = None) -> bytes:
    """`value` as JSON in UTF-8, safe to show in a terminal: what is hidden or steers it is written as an escape.

    A byte that was no UTF-8 (in Python a lone surrogate) becomes the text \\xNN, a number that is not finite null.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, indent=indent)
    return re.sub(_ESCAPED, _as_json, text).encode()


def visible(text: str, keep: str = "") -> str:
    """`text` with all that is hidden or steers a terminal, except the characters in `keep`, as \\xNN or \\uNNNN."""
    return re.sub(_UNSEEN, lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # a byte of a file name that is no UTF-8
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def _as_json(match: re.Match[str]) -> str:
    character = match[0]
    if "\ud800" <= character <= "\udfff":
        return "\\" + _escape(character)
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def printable(path: str) -> str:
    """`path` as text that every report can hold: bytes that are not UTF-8 become \\xNN."""
    try:
        raw = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character, as Windows allows it in names
        raw = path.encode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")


def in_words(share: float) -> str:
    """A share as people say it: "6 in 10", "3 in 100", "2 in 1,000"; "none", "all"."""
    if share <= 0 or share >= 1:
        return "none" if share <= 0 else "all"
    of = next((of for of in (10, 100, 1000) if share * of >= 0.95 and (of == 1000 or share <= 1 - 0.5 / of)), 1000)
    return f"{max(1, round(share * of)):,} in {of:,}"
