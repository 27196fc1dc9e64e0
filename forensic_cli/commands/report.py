"""`forensic report`: one report into another format."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from forensic_cli.commands.parameters import Debug, Format, Outputs, PluginFiles


def report(
    source: Annotated[Path, typer.Argument(metavar="REPORT", help="A .json report, or rows in a .jsonl file.")],
    output: Outputs = None,
    format_: Format = None,
    plugin: PluginFiles = None,
    debug: Debug = False,
) -> None:
    """Convert a report into another format, or show it."""
    from forensic_cli.commands import outputs
    from forensic_cli.plugins import Plugins
    from forensic_cli.report_files import read_report

    targets = outputs.plan(output or [], format_, Plugins(plugin or ()), terminal=sys.stdout.isatty())
    outputs.deliver(targets, read_report(source))
