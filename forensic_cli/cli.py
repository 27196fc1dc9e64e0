"""The `forensic` command: hands each word to its file in commands/, tells errors in one line, returns the status."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from forensic_cli import __version__
from forensic_cli.commands.doctor import doctor
from forensic_cli.commands.methods import methods
from forensic_cli.commands.parameters import Shown
from forensic_cli.commands.report import report
from forensic_cli.commands.scan import scan
from forensic_cli.commands.weights import app as weights
from forensic_cli.errors import ForensicError
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
        if Shown.traceback:
            raise
        typer.echo(f"forensic: {visible(str(error))}", err=True)
        return Status.USAGE
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("forensic: interrupted; finished scores are in the store", err=True)
        return Status.INTERRUPTED
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's own usage errors; it no longer exposes their class
            raise
        message = error.format_message()
        if message.startswith("Usage:"):  # no command was given
            typer.echo(message)
        else:
            typer.echo(f"forensic: {message.rstrip('.')} (see --help)", err=True)
        return Status.USAGE
    return int(result or 0)


def main() -> None:
    sys.exit(run())
