"""`forensic scan`: judge images with every method asked for, and report."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forensic_cli.commands import completion
from forensic_cli.commands.parameters import (
    Debug,
    Format,
    Offline,
    Outputs,
    PluginFiles,
    check_device,
    method_names,
    settings,
)

if TYPE_CHECKING:
    from forensic_cli.detector import Session
    from forensic_cli.engine.examining import Runtime
    from forensic_cli.plugins import Offer
    from forensic_cli.store import AnyStore


def scan(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, folders, globs, @list.txt, or - for a list on stdin.")
    ],
    methods: Annotated[
        list[str] | None,
        typer.Option("--methods", "-m", metavar="A,B", help="Methods to run.", autocompletion=completion.methods),
    ] = None,
    output: Outputs = None,
    format_: Format = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="METHOD.OPTION=VALUE", help="Set an option of a method. Repeatable."),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option("--weights", metavar="METHOD=SOURCE", help="Folder, file or hub repository of weights. Repeatable."),
    ] = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    require_gpu: Annotated[bool, typer.Option("--require-gpu", help="Fail rather than run a network on the CPU.")] = False,
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
    heatmaps: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for pictures of where a method saw evidence; made if it is missing."),
    ] = None,
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
    from forensic_cli.commands.job import Job
    from forensic_cli.engine import methods as roster
    from forensic_cli.plugins import Plugins
    from forensic_cli.progress import Silent

    chosen = settings(set_, weights)
    plugins = Plugins(plugin or ())
    targets = outputs.plan(output or [], format_, plugins, terminal=bool(sys.stdout and sys.stdout.isatty()))
    names, hints = method_names(methods), list[str]()
    if not names:
        names, hints = roster.usual(plugins)
    offers = roster.offers(names, plugins, chosen)
    if heatmaps:
        _announce(heatmaps, paths, offers)
    session, runtime, usual_size = _place(offers, device, dtype, seed, offline, require_gpu)
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
        heatmaps=heatmaps,
    )
    for hint in hints:
        Silent().say(hint)
    return job.run(targets)


def _place(
    offers: Sequence[Offer], device: str, dtype: str, seed: int, offline: bool, require_gpu: bool
) -> tuple[Session, Runtime, int]:
    """Where the methods run, and the usual batch size there; torch takes seconds to import, so only if it is needed."""
    from forensic_cli.commands.providers import gpu_driver
    from forensic_cli.detector import Session
    from forensic_cli.engine.examining import Runtime

    check_device(device)
    if all(offer.factory.looks_at == "file" for offer in offers):
        return Session(seed, offline=offline), Runtime(), 64
    light = all(offer.factory.looks_at == "file" or offer.factory.light for offer in offers)
    if light and not require_gpu and (device == "cpu" or (device == "auto" and not gpu_driver())):
        session = Session(seed, "cpu", "float32" if dtype == "auto" else dtype, offline, half=dtype == "auto")
        return session, Runtime(), 8
    from forensic_cli.engine import devices

    where = devices.choose_device(device, require_gpu)
    session = Session(seed, where, devices.choose_dtype(dtype), offline, require_gpu, half=dtype == "auto")
    return session, devices.torch_runtime(where), devices.batch_size(where)


def _announce(heatmaps: Path, paths: Sequence[str], offers: Sequence[Offer]) -> None:
    """Say which methods will have no pictures, once the folder for the others is there."""
    from forensic_cli.engine.heatmaps import prepare
    from forensic_cli.progress import Silent

    for name in prepare(heatmaps, paths, offers):
        Silent().say(f"{name} shows no heatmap")


def _store(path: Path | None, none: bool) -> AnyStore:
    from forensic_cli.cache import cache_folder
    from forensic_cli.errors import StoreError, UsageError
    from forensic_cli.progress import Silent
    from forensic_cli.store import NoStore, Store

    if none and path:
        raise UsageError("--store and --no-store exclude each other")
    if none or path:
        return Store(path) if path else NoStore()
    try:
        return Store(cache_folder() / "scores.sqlite")
    except (StoreError, UsageError) as error:  # nobody asked for this one by name
        Silent().say(f"{error}; this scan goes on without a store")
        return NoStore()
