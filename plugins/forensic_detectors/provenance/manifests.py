"""What a manifest store says of the image's origin: actions, camera data, and the same of the ingredients it came from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from forensic_cli.records import Claim, ClaimKind, Trust
from forensic_detectors.provenance import names
from forensic_detectors.provenance.declarations import WATERMARK
from forensic_detectors.provenance.fields import clean, quoted
from forensic_detectors.provenance.sources import source_type
from forensic_detectors.provenance.validation import Validation, as_dict, as_dicts

_MOST_MANIFESTS = 100
_MOST_ACTIONS = 200
_WHOLE = frozenset({"c2pa.created", "c2pa.opened"})  # their source type is of the whole image, others' of what they added
_ACTIONS = ("c2pa.actions", "actions")  # the bare word with a bare list: Microsoft's first manifests
_WATERMARKS = ("c2pa.watermarked", "c2pa.soft-binding")


@dataclass(frozen=True)
class _Visit:
    """A manifest to look at. `relation` is "" for the active one, "parent" for what the image came from, "part" for what
    went into it; `title` is that ingredient's.
    """

    label: str
    relation: str
    title: str
    trust: Trust


def statements(store: dict[str, Any], checked: Validation) -> Iterator[Claim]:
    """Claims out of the JSON that c2pa gives for a store."""
    manifests = as_dict(store.get("manifests"))
    waiting = [_Visit(str(store.get("active_manifest")), "", "", checked.trust)]
    seen: set[str] = set()
    while waiting and len(seen) < _MOST_MANIFESTS:
        visit = waiting.pop(0)
        manifest = as_dict(manifests.get(visit.label))
        if visit.label in seen or not manifest:
            continue
        seen.add(visit.label)
        yield from _origin(manifest, visit)
        for ingredient in as_dicts(manifest.get("ingredients")):
            label = str(ingredient.get("active_manifest"))
            parent = ingredient.get("relationship") == "parentOf" and visit.relation != "part"
            title = clean(ingredient.get("title") or "untitled", 40)
            waiting.append(_Visit(label, "parent" if parent else "part", title, checked.trust_of(label)))


def _origin(manifest: dict[str, Any], visit: _Visit) -> Iterator[Claim]:
    for assertion in as_dicts(manifest.get("assertions")):
        label, data = str(assertion.get("label")), assertion.get("data")
        if label.startswith(_ACTIONS):
            actions = data if isinstance(data, list) else as_dict(data).get("actions")
            for action in as_dicts(actions)[:_MOST_ACTIONS]:
                yield from _action(action, manifest, visit)
        elif label.startswith(_WATERMARKS):
            yield WATERMARK
        else:
            yield from _metadata(label, as_dict(data), visit)


def _action(action: dict[str, Any], manifest: dict[str, Any], visit: _Visit) -> Iterator[Claim]:
    name = clean(action.get("action", ""), 60)
    agent = _agent(action.get("softwareAgent")) or _generator(manifest)
    source = source_type(action.get("digitalSourceType"))
    place = f"C2PA manifest, action {name}"
    if name.startswith(_WATERMARKS) or "synthid" in str(action.get("description", "")).lower():
        yield WATERMARK
    if source:
        partly = source.kind == "generated" and name not in _WHOLE
        kind: ClaimKind = "edited" if partly else source.kind
        words = "a generative model changed or added a part of it" if partly else source.words
        yield from _claim(kind, f"{words} ({source.code}, by {quoted(agent)})", place, visit)
    elif name == "c2pa.created" and (known := names.generator(agent)):
        yield from _claim("generated", f"{known} made it ({quoted(agent)})", place, visit)


def _agent(value: object) -> str:
    """A program's name and version, from the text or the object that names it."""
    if isinstance(value, dict):
        return clean(" ".join(str(value.get(key) or "") for key in ("name", "version")))
    return clean(value) if isinstance(value, str) else ""


def _generator(manifest: dict[str, Any]) -> str:
    """The program that wrote the manifest."""
    info = manifest.get("claim_generator_info")
    first = info[0] if isinstance(info, list) and info else info
    return _agent(first) or _agent(manifest.get("claim_generator")) or "unnamed"


def _metadata(label: str, data: dict[str, Any], visit: _Visit) -> Iterator[Claim]:
    """Signed EXIF and IPTC properties."""
    place = f"C2PA manifest, assertion {clean(label, 60)}"
    properties = {key.rpartition(":")[2]: value for key, value in data.items()}
    source = source_type(properties.get("DigitalSourceType"))
    if source:
        yield from _claim(source.kind, f"{source.words} ({source.code})", place, visit)
    make, model = (clean(properties.get(key) or "", 40) for key in ("Make", "Model"))
    if (make or model) and not names.generator(make):
        yield from _claim("captured", f"{f'{make} {model}'.strip()} took it", place, visit)


def _claim(kind: ClaimKind, words: str, place: str, visit: _Visit) -> Iterator[Claim]:
    """Of what went into an image, only that it is generated or edited says something about the image."""
    said = f"{quoted(visit.title, 40)}, that says that {words}"
    if not visit.relation:
        yield Claim(kind, f"it says that {words}", place, visit.trust)
    elif visit.relation == "parent":
        yield Claim(kind, f"it was made from an ingredient, {said}", f"{place} of an ingredient", visit.trust)
    elif kind in ("generated", "edited"):
        yield Claim("edited", f"an ingredient went into it, {said}", f"{place} of an ingredient", visit.trust)
