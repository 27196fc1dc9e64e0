"""What the unsigned fields of a file say of its origin. Anybody can write or remove them: their trust is "declared"."""

import re
from collections.abc import Iterable, Iterator

from forensic_cli.records import Claim, ClaimKind
from forensic_detectors.provenance import aigc, generators, names
from forensic_detectors.provenance.fields import Block, Field, clean, quoted
from forensic_detectors.provenance.sources import source_type

_SOURCE_TYPES = ("digitalsourcetype", "digitalsourcefiletype")
_PROGRAMS = ("software", "creatortool", "program", "generator", "imageeditor", "imageeditingsoftware", "make")
_CREDITS = ("credit", "byline", "creator", "source", "instructions", "artist", "author", "xpauthor", "copyright")
_LONGEST_NAME = 120  # the name of a program or a credit; what is longer is a text
_GENERATIVE_STEP = re.compile(r"generative|firefly", re.IGNORECASE)
_NO_CAMERA = re.compile(r"\s*(prompt|workflow)\s?:|\s*\{", re.IGNORECASE)  # ComfyUI puts its graphs into Make and Model
_SCANNERS = {"1": "a film scanner", "2": "a print scanner"}

WATERMARK = Claim(
    "unchecked",
    "invisible watermarks (such as SynthID) cannot be checked here",
    "see the other claims",
    "none",
)


def declared(blocks: Iterable[Block]) -> Iterator[Claim]:
    """One claim per statement; a hint of an invisible watermark adds WATERMARK."""
    camera = False
    for block in blocks:
        kinds = list(_source_types(block))
        yield from kinds
        yield from _systems(block, {claim.kind for claim in kinds})
        yield from _labels(block)
        yield from _credits(block)
        found = list(generators.traces(block))
        for trace, field in found:
            yield _claim(trace.kind, trace.words, field)
        yield from _programs(block, {trace.generator for trace, _ in found})
        for claim in _camera(block):
            if block.origin == "exif" or not camera:
                yield claim
            camera = True


def _claim(kind: ClaimKind, words: str, field: Field) -> Claim:
    return Claim(kind, f"it says that {words}", field.place, "declared")


def _source_types(block: Block) -> Iterator[Claim]:
    if block.origin != "xmp":
        return
    for field in block.named(_SOURCE_TYPES):
        source = source_type(field.text)
        if source:
            yield _claim(source.kind, f"{source.words} ({source.code})", field)


def _systems(block: Block, kinds: set[str]) -> Iterator[Claim]:
    """The AI fields of IPTC 2025.1, which are also for edits: the digital source type beside them decides."""
    named = [block.field(name) for name in ("AISystemUsed", "AIPromptInformation", "AISystemVersionUsed")]
    field = next((field for field in named if field), None)
    if field is None or block.origin != "xmp":
        return
    system, version = block.text("AISystemUsed"), block.text("AISystemVersionUsed")
    prompt, writer = block.text("AIPromptInformation"), block.text("AIPromptWriterName")
    kind: ClaimKind = "generated" if not kinds or "generated" in kinds else "edited"
    who = f"the AI system {quoted(f'{system} {version}')}" if system or version else "an AI system"
    what = "made it" if kind == "generated" else "was used on it"
    asked = f", prompt {quoted(prompt)}" if prompt else ""
    by = f", written by {quoted(writer, 40)}" if writer else ""
    yield _claim(kind, f"{who} {what}{asked}{by}", field)
    if names.generator(system) == "Google AI":
        yield WATERMARK


def _labels(block: Block) -> Iterator[Claim]:
    for field in block.fields:
        label = aigc.label(field)
        if label:
            yield _claim(label.kind, label.words, field)


def _credits(block: Block) -> Iterator[Claim]:
    for field in block.named(_CREDITS):
        phrase = names.credit(field.text)
        sole = names.sole_generator(field.text)
        if phrase:
            yield _claim(phrase.kind, f"{phrase.words} (credit {quoted(field.text)})", field)
            if phrase.watermarked:
                yield WATERMARK
        elif sole:
            yield _claim("generated", f"{sole} made it (credit {quoted(field.text)})", field)
    for field in block.named(("softwareagent",)):  # the editing history of XMP
        if _GENERATIVE_STEP.search(field.text[:_LONGEST_NAME]):
            yield _claim("edited", f"a generative tool was used on it: {quoted(field.text)}", field)


def _programs(block: Block, known: set[str]) -> Iterator[Claim]:
    """Fields that name a program; `known` generators have already said more."""
    for field in block.named(_PROGRAMS):
        if len(field.text) > _LONGEST_NAME or _NO_CAMERA.match(field.text):
            continue
        name = names.generator(field.text)
        if name and not known & {name, "a model by " + clean(block.text("Make"), 40)}:
            yield _claim("generated", f"{name} made it (program {quoted(field.text)})", field)
            if name == "Google AI":
                yield WATERMARK
        elif not name and field.name.lower() != "make" and names.is_editor(field.text):
            yield Claim("software", f"it was handled with {quoted(field.text)}", field.place, "declared")


def _camera(block: Block) -> Iterator[Claim]:
    make, model = clean(block.text("Make"), 40), clean(block.text("Model"), 40)
    field = block.field("Model") or block.field("Make")
    foreign = _NO_CAMERA.match(f"{make}\n") or _NO_CAMERA.match(f"{model}\n") or names.generator(make)
    if field is None or block.origin not in ("exif", "xmp") or foreign:
        return
    name = model if model.lower().startswith(make.split(" ")[0].lower()) else f"{make} {model}".strip()
    scanner = _SCANNERS.get(block.text("FileSource"))
    if scanner:
        yield Claim("software", f"it says that {scanner} digitised it: {name}", field.place, "declared")
    else:
        yield _claim("captured", ", ".join([f"{name} took it", *_exposure(block)]), field)


def _exposure(block: Block) -> Iterator[str]:
    """Lens, time, aperture and speed, as far as they are given."""
    lens = clean(block.text("LensModel"), 40)
    if lens:
        yield f"lens {lens}"
    try:
        seconds, aperture, speed = (float(block.text(name) or 0) for name in ("ExposureTime", "FNumber", "ISO"))
    except ValueError:
        return
    if 0 < seconds < 1:
        yield f"1/{1 / seconds:.0f} s"
    elif seconds:
        yield f"{seconds:g} s"
    if aperture:
        yield f"f/{aperture:g}"
    if speed:
        yield f"ISO {speed:.0f}"
