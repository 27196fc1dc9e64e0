"""China's label for generated content: a JSON object called AIGC (GB 45438-2025), in whatever field it is written."""

import re
from dataclasses import dataclass
from typing import Any

from forensic_cli.records import ClaimKind
from forensic_detectors.provenance.fields import Field, json_object, quoted

_LABELS: dict[str, tuple[ClaimKind, str]] = {
    "1": ("generated", "it is AI-generated"),
    "2": ("generated", "it is probably AI-generated"),
    "3": ("unchecked", "it is suspected of being AI-generated, without evidence that could be checked here"),
}
_WHO = (
    ("contentproducer", "producer"),
    ("produceid", "number"),
    ("contentpropagator", "passed on by"),
)
_ANCHOR = re.compile(r"AIGC[\"'\\\s]{0,6}[:=]?[\"'\\\s]{0,6}(?=\{)", re.IGNORECASE)
_OURS = frozenset({"contentproducer", "produceid", "producerid", "contentpropagator", "propagateid", "propagatorid"})
_LONGEST = 1 << 16


@dataclass(frozen=True)
class Label:
    """What the label says, and who set it."""

    kind: ClaimKind
    words: str


def label(field: Field) -> Label | None:
    """The label in a field: called AIGC itself, or with `AIGC{...}` or `{"AIGC": {...}}` as its text."""
    text = field.text[:_LONGEST]
    if field.name.lower() == "aigc":
        found = json_object(text)
        inner = next((value for key, value in found.items() if key.lower() == "aigc"), found)
        return _read(inner if isinstance(inner, dict) else json_object(str(inner)))
    if "aigc" not in text.lower():
        return None
    anchor = _ANCHOR.search(text)
    return _read(json_object(_balanced(text[anchor.end() :]))) if anchor else None


def _balanced(text: str) -> str:
    """The JSON object with which `text` begins; the label holds no nested objects."""
    return text[: text.find("}") + 1].replace('\\"', '"')


def _read(found: dict[str, Any]) -> Label | None:
    values = {re.sub(r"[^a-z]", "", key.lower()): value for key, value in found.items()}
    number = re.sub(r"\D", "", str(values.get("label", "")))
    if number not in _LABELS or not (_OURS & values.keys() or len(values) == 1):
        return None
    kind, words = _LABELS[number]
    values.setdefault("produceid", values.get("producerid", ""))
    who = [f"{word} {quoted(values[key], 40)}" for key, word in _WHO if str(values.get(key, "")).strip()]
    return Label(kind, ", ".join([f"{words} (China's AIGC label {number})", *who]))
