"""The scan: everything found goes in, one record for each comes out, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from forensic_cli.engine.passing import Examined, examined
from forensic_cli.engine.versions import name
from forensic_cli.errors import Stopped
from forensic_cli.records import FileRecord, Finding, Stability, Verdict

if TYPE_CHECKING:
    from forensic_cli.engine.loading import Listed
    from forensic_cli.engine.watching import Watch
    from forensic_cli.engine.work import Ready


def scan(
    found: Iterable[Listed], ready: Ready, watch: Watch, *, strict: bool = False, heatmaps: Path | None = None
) -> Iterator[FileRecord]:
    """Yield one record for each thing found, in order; a score has its range under the transforms of `ready`.

    If `strict`, raises Stopped after the first record of a file or a method that failed; what its batch found is kept.
    `heatmaps` is a folder for pictures of where methods looked. Raises what `examined` raises.
    """
    for one in examined(found, ready, watch, heatmaps=heatmaps):
        record = _record(one, ready)
        yield record
        if strict and record.failures:
            raise Stopped(f"{record.path}: {record.failures[0]} (--strict stops at the first failure)")


def _record(one: Examined, ready: Ready) -> FileRecord:
    loaded, ref = one.loaded, one.loaded.ref
    broken = {method.name: Finding(method.name, error=method.error) for method in ready.methods if method.error and ref}
    found = one.found | broken
    findings = tuple(_ranged(found, method.name, ready) for method in ready.methods if method.name in found)
    return FileRecord(
        path=loaded.path,
        status=loaded.status,
        reason=loaded.reason,
        sha256=loaded.sha256,
        bytes=ref.bytes if ref else None,
        format=ref.format if ref else None,
        width=ref.width if ref else None,
        height=ref.height if ref else None,
        verdict=stated(findings),
        findings=findings,
        from_store=one.from_store and loaded.status == "ok",
    )


def _ranged(found: dict[str, Finding], method: str, ready: Ready) -> Finding:
    """The finding with the range of its score over the copies that could be made and scored."""
    finding = found[method]
    copies = [found.get(name(method, one)) for one in ready.transforms]
    others = [copy.score for copy in copies if copy and copy.score is not None]
    if finding.score is None or not others:
        return finding
    every = [finding.score, *others]
    return replace(finding, stability=Stability(min(every), max(every), len(others)))


def stated(findings: Iterable[Finding]) -> Verdict | None:
    """The verdict that statements alone allow: generated, if the file says so and nothing contradicts its signature.

    A claim whose signature is broken is evidence of tampering, not of generation. A claim of photography sets no label.
    """
    claims = [claim for finding in findings for claim in finding.claims]
    says = any(claim.kind == "generated" and claim.trust in ("trusted", "signed", "declared") for claim in claims)
    return Verdict("generated", "provenance") if says else None
