"""The `forensic` command: hands each word to its file in commands/, tells errors in one line, returns the status."""

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated

import typer

from forensic_cli import __version__
from forensic_cli.commands.parameters import Shown
from forensic_cli.errors import ForensicError, reason
from forensic_cli.status import Status
from forensic_cli.text import visible

# In the order of --help. Only the file of the command that was typed is imported, for people wait for it.
COMMANDS = {
    "scan": "scan",
    "methods": "methods",
    "weights": "weights",
    "report": "report",
    "calibrate": "calibrate",
    "evaluate": "evaluate",
    "train": "train",
    "export-onnx": "export_onnx",
    "doctor": "doctor",
}


def _app(words: Sequence[str]) -> typer.Typer:
    """The command that `words` begin with; all of them where that is none."""
    app = typer.Typer(
        name="forensic",
        help="Tell AI-generated images from photographs, and show the evidence.",
        no_args_is_help=True,
        rich_markup_mode=None,  # its boxes cost 80 ms at every --help
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(root)
    overview = not words or words[0] in ("-h", "--help")
    for name in words[:1] if words and words[0] in COMMANDS else COMMANDS:
        module = import_module(f"forensic_cli.commands.{COMMANDS[name]}")
        group = getattr(module, "app", None)
        if overview and "_FORENSIC_COMPLETE" not in os.environ:
            app.command(name, help=str(group.info.help if group else getattr(module, COMMANDS[name]).__doc__))(_nothing)
        elif group:
            app.add_typer(group, name=name)
        else:
            app.command(name)(getattr(module, COMMANDS[name]))
    return app


def _nothing() -> None:
    """Stands for a command of which the overview shows the name and a sentence: its options would cost time."""


def _version(value: bool) -> None:
    if value:
        typer.echo(f"forensic {__version__}")
        raise typer.Exit


def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Tell AI-generated images from photographs, and show the evidence."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status; every error of ours is one line on stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = _app(words)(args=None if arguments is None else words, prog_name="forensic", standalone_mode=False)
    except ForensicError as error:
        _tell(str(error), error)
        return Status.USAGE
    except (KeyboardInterrupt, typer.Abort):
        _tell("stopped at once" + ": no report was written, finished scores are kept" * (words[:1] == ["scan"]))
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
