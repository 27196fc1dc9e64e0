"""XMP packets: the properties that say how an image was made, from sound XML and from broken XML."""

import html
import json
import re
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from forensic_detectors.provenance.containers.part import Part
from forensic_detectors.provenance.fields import Block, Field, clean

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DESCRIPTION = f"{_RDF}Description"
_VALUES = frozenset({f"{_RDF}resource", f"{_RDF}value"})  # attributes that hold the value of their element
_TC260 = "tc260.org.cn"
_PREFIXES = {
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#": "stEvt",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://www.tc260.org.cn/ns/AIGC/1.0/": "TC260",
}
_WANTED = {
    name.lower(): name
    for name in (
        "DigitalSourceType",
        "DigitalSourceFileType",
        "AISystemUsed",
        "AISystemVersionUsed",
        "AIPromptInformation",
        "AIPromptWriterName",
        "AIGC",
        "CreatorTool",
        "softwareAgent",
        "Software",
        "Credit",
        "creator",
        "Source",
        "Instructions",
        "description",
        "UserComment",
        "provenance",
        "Make",
        "Model",
    )
}
_MOST_TAGS = 20_000  # beyond this the scanner for broken XML is used: it builds no tree
_MOST_FIELDS = 500
_MOST_NAMES = 1000
_LONGEST = 1 << 20
_WINDOW = 1 << 16  # how far the scanner looks for the end of a value
_SCAN = re.compile(f":({'|'.join(_WANTED)})\\b", re.IGNORECASE)
_PREFIX = re.compile(r"<?[\w.-]{1,40}$")
_ATTRIBUTE = re.compile(r"\s{0,9}=\s{0,9}(?:\"([^\"]*)\"|'([^']*)')")
_RESOURCE = re.compile(r"[^<>]*?\brdf:resource\s{0,9}=\s{0,9}[\"']([^\"'<>]*)")
_TAG = re.compile(r"<[^<>]*>")


def read(part: Part) -> Block:
    """The wanted properties by their local names: writers get prefixes and namespaces wrong."""
    packet = part.data
    if not packet.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16 is left to the parser
        packet = packet[packet.find(b"<") : packet.rfind(b">") + 1]
    if packet.count(b"<") > _MOST_TAGS:
        return Block("xmp", tuple(_from_text(packet, part.place)))
    try:
        fields = _from_tree(fromstring(packet), part.place)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        fields = _from_text(packet, part.place)
    return Block("xmp", tuple(fields[:_MOST_FIELDS]))


def _from_tree(root: Element, place: str) -> list[Field]:
    """Attributes and elements alike; the text inside rdf:Alt, rdf:Seq and rdf:li belongs to the property around it."""
    fields: list[Field] = []
    label: dict[str, str] = {}  # China's label, where it is written as one property per field
    stack = [(root, "")]
    while stack:
        element, name = stack.pop()
        if not element.tag.startswith(_RDF) or element.tag == _DESCRIPTION:
            name = element.tag
        for key, value in element.items():
            _add(fields, label, name if key in _VALUES else key, value, place)
        _add(fields, label, name, element.text or "", place)
        stack += [(child, name) for child in reversed(element)]
    if label and not any(field.name == "AIGC" for field in fields):
        fields.append(Field("AIGC", json.dumps(label), f"{place}, TC260"))
    return fields


def _add(fields: list[Field], label: dict[str, str], key: str, value: str, place: str) -> None:
    text = value.strip()
    if not text:
        return
    space, _, local = key.rpartition("}")
    name = _WANTED.get(local.lower())
    if name:
        prefix = _PREFIXES.get(space[1:], "")
        fields.append(Field(name, text[:_LONGEST], f"{place}, {prefix + ':' if prefix else ''}{local}"))
    elif _TC260 in space.lower():
        label[clean(local)] = text


def _from_text(packet: bytes, place: str) -> list[Field]:
    """The same from a packet that is no sound XML, in one pass over the names."""
    text = packet.decode("utf-8", "replace")
    fields: list[Field] = []
    for match, _ in zip(_SCAN.finditer(text), range(_MOST_NAMES), strict=False):
        before = _PREFIX.search(text, max(0, match.start() - 41), match.start())
        if not before:
            continue
        value = _value(text, match.end(), before[0], match[1])
        if value:
            source = f"{place} (broken XML), {before[0].lstrip('<')}:{match[1]}"
            fields.append(Field(_WANTED[match[1].lower()], value, source))
    return fields


def _value(text: str, end: int, before: str, local: str) -> str:
    """What an attribute or an element is set to, whose name ends at `end`."""
    attribute = _ATTRIBUTE.match(text, end, end + _WINDOW)
    if attribute:
        return html.unescape(attribute[1] or attribute[2] or "").strip()
    if not before.startswith("<"):
        return ""
    resource = _RESOURCE.match(text, end, end + 500)
    if resource:
        return html.unescape(resource[1]).strip()
    close = text.find(f"</{before[1:]}:{local}", end, end + _WINDOW)
    inside = text[end:close].partition(">")[2] if close >= 0 else ""
    return html.unescape(_TAG.sub(" ", inside)).strip()
