"""`forensic scan`: judge images with every method asked for, and report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forensic_cli.commands.parameters import Debug, Format, Machine, Methods, Outputs, PluginFiles, spread

if TYPE_CHECKING:
    from forensic_cli.plugins import Offer


@spread
def scan(
    *,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, folders, globs, @list.txt, or - for a list on stdin.")
    ],
    methods: Methods = None,
    output: Outputs = None,
    format_: Format = None,
    calibration: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Profile made by forensic calibrate. [the methods' own, if they have one]"),
    ] = None,
    fpr: Annotated[
        float | None,
        typer.Option("--fpr", metavar="RATE", help="Call at most this share of photographs generated. [0.05]"),
    ] = None,
    fdr: Annotated[
        float | None,
        typer.Option("--fdr", metavar="RATE", help="Instead: let at most this share of what is called so be photographs."),
    ] = None,
    combination: Annotated[
        Literal["bonferroni", "median", "mean", "harmonic"] | None,
        typer.Option(help="How p-values of several methods become one, however they depend on each other. [bonferroni]"),
    ] = None,
    stability: Annotated[
        bool,
        typer.Option(
            "--stability", help="Score copies too, re-encoded and resized; what they would change is inconclusive."
        ),
    ] = False,
    heatmaps: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for pictures of where a method saw evidence; made if it is missing."),
    ] = None,
    machine: Machine,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first failure.")] = False,
    fail_on: Annotated[
        Literal["generated"] | None, typer.Option(help="Exit with 1 if such an image is found.", show_default=False)
    ] = None,
    plugin: PluginFiles = None,
    debug: Debug = False,
) -> int:
    """Look at images and report what each method finds.

    Without --methods the methods run that need no download. A verdict says "generated" at a stated error rate,
    "unflagged", which is not "authentic", or "inconclusive".
    """
    from forensic_cli.commands import outputs
    from forensic_cli.commands.job import Job
    from forensic_cli.commands.verdicts import judge
    from forensic_cli.errors import UsageError
    from forensic_cli.plugins import Plugins
    from forensic_cli.progress import say
    from forensic_cli.transforms import STABILITY

    plugins = Plugins(plugin or ())
    targets = outputs.plan(output or [], format_, plugins, terminal=bool(sys.stdout and sys.stdout.isatty()))
    offers, hints = machine.offers(methods, plugins)
    if stability and all(offer.factory.looks_at == "file" for offer in offers):
        raise UsageError("--stability needs a method that looks at pixels: name one with --methods")
    if heatmaps:
        _announce(heatmaps, paths, offers)
    work = machine.work(machine.choices(offers), plugin, STABILITY if stability else ())
    ready = work.ready(plugins, say)
    rule = judge(ready.methods, calibration, fpr, fdr, combination)
    for hint in hints:
        say(hint)
    return Job(paths, ready, rule, heatmaps, strict=strict, fail_on_generated=fail_on == "generated").run(targets)


def _announce(heatmaps: Path, paths: Sequence[str], offers: Sequence[Offer]) -> None:
    """Say which methods will have no pictures, once the folder for the others is there."""
    from forensic_cli.engine.heatmaps import prepare
    from forensic_cli.progress import say

    for name in prepare(heatmaps, paths, offers):
        say(f"{name} shows no heatmap")
