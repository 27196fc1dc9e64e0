"""The scan: everything found goes in, one record for each comes out, in order, and finished work is kept at once."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import get_args

from forensic_cli.detector import Session
from forensic_cli.engine.examining import Examiner, Results, Runtime
from forensic_cli.engine.heatmaps import Heatmaps
from forensic_cli.engine.loading import Found, Loaded, Loader
from forensic_cli.engine.methods import Method
from forensic_cli.engine.versions import Versions, name
from forensic_cli.errors import Stopped
from forensic_cli.records import FileRecord, Finding, Label, Stability, Summary, Verdict
from forensic_cli.store import AnyStore, Forgiving
from forensic_cli.transforms import Transform

_BATCH_BYTES = 512 << 20  # decoded images in one batch
_BATCH_FILES = 512  # files of a batch that need no work


@dataclass
class Tally:
    """Counts records as they pass."""

    started: float = field(default_factory=perf_counter)
    summary: Summary = field(default_factory=Summary)
    heatmaps: int = 0

    def count(self, record: FileRecord) -> None:
        old = self.summary
        label = record.verdict.label if record.verdict else None
        self.heatmaps += sum(finding.heatmap is not None for finding in record.findings)
        self.summary = Summary(
            found=old.found + 1,
            scanned=old.scanned + (record.status == "ok"),
            skipped=old.skipped + (record.status == "skipped"),
            failed=old.failed + bool(record.failures),
            from_store=old.from_store + record.from_store,
            generated=old.generated + (label == "generated"),
            inconclusive=old.inconclusive + (label == "inconclusive"),
            unflagged=old.unflagged + (label == "unflagged"),
            seconds=round(perf_counter() - self.started, 3),
        )

    def recount(self, records: Iterable[FileRecord]) -> None:
        """Take the verdicts from `records`, which are known only now that all files have been seen."""
        labels = Counter(record.verdict.label for record in records if record.verdict)
        self.summary = replace(self.summary, **{name: labels[name] for name in get_args(Label)})


def scan(
    found: Iterable[Found],
    methods: Sequence[Method],
    session: Session,
    store: AnyStore,
    runtime: Runtime,
    *,
    batch_size: int,
    workers: int,
    strict: bool = False,
    heatmaps: Path | None = None,
    copies: Sequence[Transform] = (),
    warn: Callable[[str], None] = lambda line: None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[FileRecord]:
    """Yield one record for each thing found, in order.

    `stop` is asked between batches. A store that fails is left alone after one `warn`. If `strict`, raises Stopped after
    the first record of a file or a method that failed; what its batch found is kept. `heatmaps` is a folder for pictures
    of where methods looked, which is not known to the store. `copies` of each image are scored too, for the range of its
    score.
    Raises it too when no method is left whose weights could be loaded.
    """
    able = [method for method in methods if not method.error]
    kept = Forgiving(store, warn)
    pictures = Heatmaps(heatmaps, able, runtime.trace, warn)
    examiner = Examiner(session, able, runtime, batch_size, pictures.draw)
    altered = Versions(able, copies, session, workers)
    again = Examiner(session, able, runtime, batch_size)
    everyone = [*able, *altered.methods]
    loading = Loader(everyone, kept, workers, 2 * batch_size, anew=pictures.methods).load(pictures.besides(found))
    try:
        for group in groups(loading, examiner):
            results = [
                found | more for found, more in zip(examiner.examine(group), altered.examine(again, group), strict=True)
            ]
            save(kept, everyone, group, results)
            for loaded, fresh in zip(group, results, strict=True):
                record = _record(loaded, pictures.added(loaded.sha256, fresh), methods, copies)
                yield record
                if strict and record.failures:
                    raise Stopped(f"{record.path}: {record.failures[0]} (--strict stops at the first failure)")
            pictures.forget()
            if examiner.hopeless:
                raise Stopped(f"{examiner.hopeless} (no method is left: the scan ends here)")
            if stop():
                break
    finally:
        loading.close()


def groups(loading: Iterable[Loaded | None], examiner: Examiner) -> Iterator[list[Loaded]]:
    """Consecutive files, as many as fit one batch of work; files that need none ride along.

    None says that the source is slow just now: what there is goes out, if only to let `stop` be asked.
    """
    group: list[Loaded] = []
    work = size = 0
    for loaded in loading:
        if loaded is None:
            yield group
            group, work, size = [], 0, 0
            continue
        group.append(loaded)
        work += loaded.size > 0
        size += loaded.size
        if work >= examiner.limit or size >= _BATCH_BYTES or len(group) >= _BATCH_FILES:
            yield group
            group, work, size = [], 0, 0
    if group:
        yield group


def save(store: Forgiving, methods: Sequence[Method], group: Sequence[Loaded], results: Results) -> None:
    """Keep what is new, and the digests of the files that were read for it."""
    of = {method.name: method for method in methods}
    fresh = [
        (
            loaded.ref,
            {of[name].key: one for name, one in found.items() if not one.error and of[name].detector.lasting(one)},
        )
        for loaded, found in zip(group, results, strict=True)
        if loaded.ref and loaded.stat
    ]
    files = [
        (one.path, one.stat, one.sha256, one.read_at) for one in group if one.ref and one.stat and one.sha256 is not None
    ]
    if fresh or files:
        store.save(fresh, files)


def _record(
    loaded: Loaded, fresh: dict[str, Finding], methods: Sequence[Method], copies: Sequence[Transform]
) -> FileRecord:
    broken = {method.name: Finding(method.name, error=method.error) for method in methods if method.error}
    found = {**loaded.known, **fresh, **(broken if loaded.ref else {})}
    findings = tuple(_ranged(found, method.name, copies) for method in methods if method.name in found)
    ref = loaded.ref
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
        from_store=bool(loaded.known) and not fresh and loaded.status == "ok",
    )


def _ranged(found: dict[str, Finding], method: str, copies: Sequence[Transform]) -> Finding:
    """The finding with the range of its score over the copies that could be made and scored."""
    finding = found[method]
    others = [other.score for one in copies if (other := found.get(name(method, one))) and other.score is not None]
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
