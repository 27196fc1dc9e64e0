"""Provenance: what a file says of its own origin, who signed that, and whether the signature holds."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

from forensic_cli import Batch, Claim, Detector, Finding, Session, hookimpl
from forensic_cli.errors import reason
from forensic_cli.records import ClaimKind, Trust
from forensic_detectors.provenance import containers, exif, iptc, trust, xmp
from forensic_detectors.provenance.containers.part import Part
from forensic_detectors.provenance.credentials import Credentials, remote
from forensic_detectors.provenance.declarations import declared
from forensic_detectors.provenance.fields import Block, Field

_READERS = {"exif": exif.read, "tiff": exif.read, "xmp": xmp.read, "iptc": iptc.read, "photoshop": iptc.read}
_MOST_CLAIMS = 40
_CUT = Claim("unchecked", "the file holds more metadata than is read here; the rest was left out", "whole file", "none")

_ORIGINS: tuple[ClaimKind, ...] = ("generated", "edited", "captured")
_KINDS: tuple[ClaimKind, ...] = (*_ORIGINS, "credentials", "unchecked", "software")
_TRUSTS: tuple[Trust, ...] = ("trusted", "signed", "declared", "invalid", "none")


class Provenance(Detector):
    """Reads what the file says about how it was made, and checks the signature if there is one.

    It looks at content credentials (C2PA), at XMP, IPTC and EXIF metadata, at the settings that image generators leave in
    text fields, and at China's AIGC label; never at the pixels. It gives statements, not a score:

    - "generated", "edited", "captured": the file says that a generative model made it, that one changed a part of it, that
      a camera took it. "software" names programs, "credentials" the state of the content credentials, "unchecked" what
      cannot be judged here.
    - "trusted": signed by a signer on the trust list (`trust_list`, a PEM file of trust anchors). "signed": the signature
      holds, but nobody vouches for the signer. "declared": not signed, so anybody can have written it. "invalid": signed,
      but the file or the manifest was changed afterwards. "none": not a statement about the origin.

    No statement means unknown, never "a photograph": most platforms strip metadata from what they publish. Unsigned
    metadata can be forged in both directions. Nothing is fetched: manifests on a server and revoked certificates go
    unchecked. Invisible watermarks (SynthID and others) cannot be read without their makers' keys; that is said only of
    files with a hint of one.
    """

    paper = "C2PA 2.x, IPTC Photo Metadata 2025.1, GB 45438-2025"
    looks_at = "file"
    libraries = ("c2pa-python",)
    cost = "a read of the file's metadata; files with content credentials are hashed once"

    @dataclass(frozen=True)
    class Options:
        trust_list: Annotated[Path | None, "PEM file of the trust anchors whose signatures count as trusted"] = None

    def __init__(self, session: Session, options: Any = None) -> None:
        """Raises UsageError if a trust list is given that cannot be used."""
        super().__init__(session, options)
        path = self.options.trust_list
        self._credentials = Credentials(trust.load(path)) if path else None

    def examine(self, batch: Batch) -> list[Finding]:
        """One finding per file, with claims and without a score. A file that defeats the readers gets `error`."""
        return [self._finding(data) for data in batch.contents]

    def lasting(self, finding: Finding) -> bool:
        """Certificates expire: what rests on a signature is judged anew in each scan."""
        return not any(claim.trust in ("trusted", "signed", "invalid") for claim in finding.claims)

    def _finding(self, data: bytes) -> Finding:
        start = perf_counter()
        try:
            claims = ordered(self._claims(data))
        except Exception as error:  # a border: one hostile file must not take its batch along
            return Finding(self.name, seconds=perf_counter() - start, error=reason(error))
        return Finding(self.name, claims=claims, seconds=perf_counter() - start)

    def _claims(self, data: bytes) -> Iterator[Claim]:
        contents = containers.read(data)
        blocks = list(_blocks(contents.parts))
        yield from declared(blocks)
        store = next((part.place for part in contents.parts if part.kind == "c2pa"), None)
        if store:
            self._credentials = self._credentials or Credentials(None)
            yield from self._credentials.claims(data, contents.mime, store)
        else:
            yield from _remote(blocks)
        if contents.cut:
            yield _CUT


def _blocks(parts: Iterable[Part]) -> Iterator[Block]:
    texts = []
    for part in parts:
        if part.kind == "text":
            texts.append(Field(part.name, part.text, part.place))
        elif part.kind in _READERS:
            yield _READERS[part.kind](part)
    yield Block("text", tuple(texts))


def _remote(blocks: Iterable[Block]) -> Iterator[Claim]:
    for block in blocks:
        field = block.field("provenance") if block.origin == "xmp" else None
        if field and field.text.lower().startswith(("http://", "https://")):
            yield remote(field.text, field.place)


def ordered(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Each statement once, with all places where it stands; statements of origin first, and the better trusted first."""
    places: dict[tuple[str, str, Trust], list[str]] = {}
    for claim in claims:
        found = places.setdefault((claim.kind, claim.statement, claim.trust), [])
        if claim.source not in found and len(found) < 4:
            found.append(claim.source)
    merged = [Claim(kind, words, "; ".join(where), trust_) for (kind, words, trust_), where in places.items()]
    merged.sort(key=lambda claim: (claim.kind not in _ORIGINS, _TRUSTS.index(claim.trust), _KINDS.index(claim.kind)))
    return tuple(merged if len(merged) <= _MOST_CLAIMS else [*merged[:_MOST_CLAIMS], _CUT])


@hookimpl
def register_detectors(register: Callable[[str, type[Detector]], None]) -> None:
    register("provenance", Provenance)
