"""The vocabulary of digital source types (IPTC NewsCodes and C2PA), each with the kind of claim that it makes."""

from dataclasses import dataclass

from forensic_cli.records import ClaimKind
from forensic_detectors.provenance.fields import clean


@dataclass(frozen=True)
class SourceType:
    """`words` completes the sentence "it says that ..."."""

    code: str
    kind: ClaimKind
    words: str


_TYPES = (
    SourceType("trainedAlgorithmicMedia", "generated", "a generative model made it"),
    SourceType("trainedAlgorithmicData", "generated", "a trained model made it"),
    SourceType("compositeWithTrainedAlgorithmicMedia", "edited", "a generative model changed or added a part of it"),
    SourceType("compositeSynthetic", "edited", "it is put together with at least one synthetic part"),
    SourceType("digitalCapture", "captured", "a digital camera took it"),
    SourceType("computationalCapture", "captured", "a camera took it and combined or processed several exposures"),
    SourceType("compositeCapture", "captured", "it is put together from pictures that cameras took"),
    SourceType("negativeFilm", "captured", "it was digitised from a negative on film"),
    SourceType("positiveFilm", "captured", "it was digitised from a positive on film"),
    SourceType("print", "software", "it was digitised from paper or another opaque medium"),
    SourceType("algorithmicallyEnhanced", "software", "an algorithm improved it without adding content"),
    SourceType("humanEdits", "software", "a person edited it with tools that are not generative"),
    SourceType("minorHumanEdits", "software", "a person edited it slightly with tools that are not generative"),
    SourceType("composite", "software", "it is put together from several elements"),
    SourceType("digitalCreation", "software", "a person created it with tools that are not generative"),
    SourceType("digitalArt", "software", "a person drew it with digital tools"),
    SourceType("softwareImage", "software", "a program drew it"),
    SourceType("algorithmicMedia", "software", "an algorithm without training data made it"),
    SourceType("dataDrivenMedia", "software", "it was drawn from data"),
    SourceType("screenCapture", "software", "it is a capture of a screen"),
    SourceType("virtualRecording", "software", "it is a recording of a virtual event"),
    SourceType("empty", "software", "it began as an empty canvas"),
)
_BY_CODE = {source.code.lower(): source for source in _TYPES}


def source_type(value: object) -> SourceType | None:
    """From a NewsCodes or C2PA address, a prefixed or a bare word, in any case; None if it is empty.

    schema.org's names are the same words with "DigitalSource" behind them. A word that is not in the vocabulary comes
    back as "software": a statement that we do not understand is none about the origin.
    """
    text = str(value).strip().rstrip("/") if isinstance(value, str) else ""
    for separator in "/#:":
        text = text.rpartition(separator)[2]
    word = text.strip()
    if not word:
        return None
    known = _BY_CODE.get(word.lower()) or _BY_CODE.get(word.lower().removesuffix("digitalsource"))
    return known or SourceType(clean(word, 60), "software", "its digital source is of a type unknown here")
