"""The `forensic` command: hands each word to its file in commands/, tells errors in one line, returns the status."""

import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

from forensic_cli import __version__
from forensic_cli.commands.doctor import doctor
from forensic_cli.commands.export_onnx import export_onnx
from forensic_cli.commands.methods import methods
from forensic_cli.commands.parameters import Shown
from forensic_cli.commands.report import report
from forensic_cli.commands.scan import scan
from forensic_cli.commands.train import train
from forensic_cli.commands.weights import app as weights
from forensic_cli.errors import ForensicError, reason
from forensic_cli.status import Status
from forensic_cli.text import visible

app = typer.Typer(
    name="forensic",
    help="Tell AI-generated images from photographs, and show the evidence.",
    no_args_is_help=True,
    rich_markup_mode=None,  # its boxes cost 80 ms at every --help
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command()(scan)
app.command()(methods)
app.add_typer(weights, name="weights")
app.command()(report)
app.command()(train)
app.command("export-onnx")(export_onnx)
app.command()(doctor)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"forensic {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Tell AI-generated images from photographs, and show the evidence."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status; every error of ours is one line on stderr."""
    try:
        result = app(args=None if arguments is None else list(arguments), prog_name="forensic", standalone_mode=False)
    except ForensicError as error:
        _tell(str(error), error)
        return Status.USAGE
    except (KeyboardInterrupt, typer.Abort):
        _tell("stopped at once: no report was written, finished scores are kept")
        return Status.INTERRUPTED
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's own usage errors; it no longer exposes their class
            return _misused(error.format_message())
        _tell(f"this is a mistake of forensic itself, please report it with --debug: {reason(error)}", error)
        return Status.FAILURES
    return int(result or 0)


def _misused(message: str) -> Status:
    if message.startswith("Usage:"):  # no command was given
        typer.echo(message)
    else:
        _tell(f"{message.rstrip('.')} (see --help)")
    return Status.USAGE


def _tell(line: str, behind: Exception | None = None) -> None:
    """One line on stderr, after the traceback of what is behind it if the user asked for that."""
    with suppress(OSError):  # nobody may be there to hear it
        if behind and Shown.traceback:
            traceback.print_exception(behind)
        typer.echo(f"forensic: {visible(line)}", err=True)


def main() -> None:
    sys.exit(run())
