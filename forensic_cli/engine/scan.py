"""The scan: everything found goes in, one record for each comes out, in order, and finished work is kept at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from forensic_cli.detector import Session
from forensic_cli.engine.examining import Examiner, Results, Runtime
from forensic_cli.engine.heatmaps import Heatmaps
from forensic_cli.engine.loading import Found, Loaded, Loader
from forensic_cli.engine.methods import Method
from forensic_cli.errors import Stopped
from forensic_cli.records import FileRecord, Finding, Summary, Verdict
from forensic_cli.store import AnyStore, Forgiving

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
    warn: Callable[[str], None] = lambda line: None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[FileRecord]:
    """Yield one record for each thing found, in order.

    `stop` is asked between batches. A store that fails is left alone after one `warn`. If `strict`, raises Stopped after
    the first record of a file or a method that failed; what its batch found is kept. `heatmaps` is a folder for pictures
    of where methods looked, which is not known to the store.
    Raises it too when no method is left whose weights could be loaded.
    """
    able = [method for method in methods if not method.error]
    kept = Forgiving(store, warn)
    pictures = Heatmaps(heatmaps, able, runtime.trace, warn)
    examiner = Examiner(session, able, runtime, batch_size, pictures.draw)
    loading = Loader(able, kept, workers, 2 * batch_size, anew=pictures.methods).load(pictures.besides(found))
    try:
        for group in _groups(loading, examiner):
            results = examiner.examine(group)
            _save(kept, able, group, results)
            for loaded, fresh in zip(group, results, strict=True):
                record = _record(loaded, pictures.added(loaded.sha256, fresh), methods)
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


def _groups(loading: Iterable[Loaded | None], examiner: Examiner) -> Iterator[list[Loaded]]:
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


def _save(store: Forgiving, methods: Sequence[Method], group: Sequence[Loaded], results: Results) -> None:
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


def _record(loaded: Loaded, fresh: dict[str, Finding], methods: Sequence[Method]) -> FileRecord:
    broken = {method.name: Finding(method.name, error=method.error) for method in methods if method.error}
    found = {**loaded.known, **fresh, **(broken if loaded.ref else {})}
    findings = tuple(found[method.name] for method in methods if method.name in found)
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
        verdict=judge(findings),
        findings=findings,
        from_store=bool(loaded.known) and not fresh and loaded.status == "ok",
    )


def judge(findings: Iterable[Finding]) -> Verdict | None:
    """The verdict that statements alone allow: generated, if the file says so and nothing contradicts its signature.

    A claim whose signature is broken is evidence of tampering, not of generation. A claim of photography sets no label.
    """
    claims = [claim for finding in findings for claim in finding.claims]
    stated = any(claim.kind == "generated" and claim.trust in ("trusted", "signed", "declared") for claim in claims)
    return Verdict("generated", "provenance") if stated else None
