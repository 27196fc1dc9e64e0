"""`forensic scan`: judge images with every method asked for, and report."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forensic_cli.commands import completion
from forensic_cli.commands.parameters import Debug, Offline, PluginFiles, method_names, settings
from forensic_cli.status import Status

if TYPE_CHECKING:
    from forensic_cli.commands.outputs import Target
    from forensic_cli.detector import Session
    from forensic_cli.engine.examining import Runtime
    from forensic_cli.engine.methods import Method
    from forensic_cli.engine.scan import Tally
    from forensic_cli.plugins import Offer
    from forensic_cli.progress import Silent
    from forensic_cli.records import FileRecord, Summary
    from forensic_cli.store import AnyStore


def scan(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, folders, globs, @list.txt, or - for a list on stdin.")
    ],
    methods: Annotated[
        list[str] | None,
        typer.Option("--methods", "-m", metavar="A,B", help="Methods to run.", autocompletion=completion.methods),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", metavar="FILE", help="Report; the suffix picks the format. Repeatable."),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            metavar="NAME",
            help="Report on stdout when there is no -o. [table on a terminal, else jsonl]",
            autocompletion=completion.formats,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="METHOD.OPTION=VALUE", help="Set an option of a method. Repeatable."),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option("--weights", metavar="METHOD=SOURCE", help="Folder, file or hub repository of weights. Repeatable."),
    ] = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"], typer.Option(help="Number format; auto is float32.")
    ] = "auto",
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Images per batch. [8 on the CPU, else 32; halved if out of memory]"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Threads that read and decode. [CPU cores]")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of everything random.")] = 0,
    store: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where finished scores are kept. [scores.sqlite in the user's cache]"),
    ] = None,
    no_store: Annotated[bool, typer.Option("--no-store", help="Compute everything anew and keep nothing.")] = False,
    offline: Offline = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first failure.")] = False,
    fail_on: Annotated[
        Literal["generated"] | None, typer.Option(help="Exit with 1 if such an image is found.", show_default=False)
    ] = None,
    plugin: PluginFiles = None,
    debug: Debug = False,
) -> int:
    """Look at images and report what each method finds.

    Without --methods the methods run that need no download. A score ranks images and is no verdict.
    """
    from forensic_cli.commands import outputs
    from forensic_cli.engine import methods as roster
    from forensic_cli.plugins import Plugins

    chosen = settings(set_, weights)
    plugins = Plugins(plugin or ())
    targets = outputs.plan(output or [], format_, plugins, terminal=sys.stdout.isatty())
    offers = roster.offers(method_names(methods), plugins, chosen)
    session, runtime, usual_size = _place(offers, device, dtype, seed, offline)
    job = Job(
        paths=paths,
        methods=roster.prepare(offers, chosen, session),
        session=session,
        runtime=runtime,
        store=_store(store, no_store),
        batch_size=batch_size or usual_size,
        workers=workers or os.cpu_count() or 1,
        strict=strict,
        fail_on_generated=fail_on == "generated",
    )
    return job.run(targets)


@dataclass
class Job:
    """One scan with a person in front of it: progress, interruption, reports."""

    paths: list[str]
    methods: list[Method]
    session: Session
    runtime: Runtime
    store: AnyStore
    batch_size: int
    workers: int
    strict: bool
    fail_on_generated: bool

    def run(self, targets: Sequence[Target]) -> Status:
        """Scan and deliver the reports; what was found so far is delivered in any case."""
        from forensic_cli import paths
        from forensic_cli.commands import outputs
        from forensic_cli.commands.interrupts import Interrupts
        from forensic_cli.engine import runs
        from forensic_cli.engine.scan import Tally
        from forensic_cli.engine.spool import Spool
        from forensic_cli.errors import ReportError, Stopped
        from forensic_cli.progress import observer
        from forensic_cli.report import Scan

        run = runs.begin(self.methods, self.session, shlex.join(["forensic", *sys.argv[1:]]))
        live = outputs.live(targets)
        quiet = live is not None and sys.stdout.isatty()  # rows and a bar would overwrite each other
        trouble = [method.error for method in self.methods if method.error]
        tally = Tally()
        with closing(self.store), closing(Spool()) as spool:
            with observer(self.paths, paths.count, quiet) as watcher, Interrupts(watcher.say) as interrupts:
                for line in trouble:
                    watcher.say(line)
                try:
                    live_or_spool = live.write if live else spool.fill
                    live_or_spool(self._records(watcher, tally, lambda: interrupts.requested))
                except Stopped as error:
                    trouble.append(str(error))
                    watcher.say(str(error))
            if not live:
                try:
                    outputs.deliver(targets, Scan(runs.end(run), tally.summary, spool.records))
                except ReportError as error:
                    trouble.append(str(error))
                    watcher.say(str(error))
        if not any(target.name == "table" and target.path is None for target in targets):
            watcher.say(_sentence(tally.summary))
        return self._status(tally.summary, bool(trouble), interrupts.requested)

    def _status(self, summary: Summary, trouble: bool, interrupted: bool) -> Status:
        if interrupted:
            return Status.INTERRUPTED
        if self.fail_on_generated and summary.generated:
            return Status.GENERATED
        return Status.FAILURES if trouble or summary.failed else Status.DONE

    def _records(self, watcher: Silent, tally: Tally, stop: Callable[[], bool]) -> Iterator[FileRecord]:
        from forensic_cli.engine.scan import scan as engine_scan
        from forensic_cli.paths import find

        for record in engine_scan(
            find(self.paths, sys.stdin.buffer),
            self.methods,
            self.session,
            self.store,
            self.runtime,
            batch_size=self.batch_size,
            workers=self.workers,
            strict=self.strict,
            warn=watcher.say,
            stop=stop,
        ):
            tally.count(record)
            watcher.update(tally.summary)
            yield record


def _sentence(summary: Summary) -> str:
    """The run in a line, for those who do not get a table."""
    parts = [f"{summary.scanned} scanned", f"{summary.skipped} skipped" if summary.skipped else ""]
    parts += [f"{summary.failed} failed" if summary.failed else ""]
    parts += [f"{summary.from_store} from the store" if summary.from_store else ""]
    parts += [f"{summary.generated} generated by their own statement" if summary.generated else ""]
    return f"{summary.found} files in {summary.seconds:.1f} s: " + ", ".join(part for part in parts if part)


def _place(offers: Sequence[Offer], device: str, dtype: str, seed: int, offline: bool) -> tuple[Session, Runtime, int]:
    """Where the methods run, and the usual batch size there; torch is imported only for methods that look at pixels."""
    from forensic_cli.detector import Session
    from forensic_cli.engine.examining import Runtime

    if all(getattr(offer.factory, "looks_at", "pixels") == "file" for offer in offers):
        return Session(seed, offline=offline), Runtime(), 64
    from forensic_cli.engine import devices

    where = devices.choose_device(device)
    session = Session(seed, where, devices.choose_dtype(dtype), offline)
    return session, devices.torch_runtime(where), devices.batch_size(where)


def _store(path: Path | None, none: bool) -> AnyStore:
    from forensic_cli.cache import cache_folder
    from forensic_cli.errors import UsageError
    from forensic_cli.store import NoStore, Store

    if none and path:
        raise UsageError("--store and --no-store exclude each other")
    return NoStore() if none else Store(path or cache_folder() / "scores.sqlite")
