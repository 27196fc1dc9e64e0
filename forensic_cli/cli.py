"""The `forensic` command: hands each word to whatever package offers it, tells errors in one line, returns the status."""

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from typing import Annotated, Any

import typer

from forensic_cli import __version__
from forensic_cli.commands.parameters import Shown
from forensic_cli.entries import COMMANDS, OURS, Entry, find, summary
from forensic_cli.errors import ForensicError, PluginError, reason
from forensic_cli.offers import command, load
from forensic_cli.status import Status
from forensic_cli.text import visible

# the order in which people meet them in --help; others follow by name
_FIRST = ("scan", "methods", "weights", "report", "calibrate", "evaluate", "train", "export-onnx")


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
    offered = _commands()
    if words and words[0] in offered:
        _add(app, words[0], command(offered[words[0]]))
        return app
    overview = (not words or words[0] in ("-h", "--help")) and "_FORENSIC_COMPLETE" not in os.environ
    for name, entries in offered.items():
        if overview:
            app.command(name, help=_sentence(entries))(_nothing)
            continue
        with suppress(PluginError):  # it is told when it is typed, and by doctor
            _add(app, name, command(entries))
    return app


def _commands() -> dict[str, list[Entry]]:
    """Those that packages offer, by name; two packages may offer one name, but none takes one of ours."""
    found = sorted(
        find(COMMANDS), key=lambda one: (_FIRST.index(one.name) if one.name in _FIRST else len(_FIRST), one.name)
    )
    groups = {name: list(entries) for name, entries in groupby(found, key=lambda entry: entry.name)}
    return {name: [one for one in some if one.distribution == OURS] or some for name, some in groups.items()}


def _add(app: typer.Typer, name: str, offered: Any) -> None:
    """A function with Typer's annotations, or an app of several commands."""
    if isinstance(offered, typer.Typer):
        app.add_typer(offered, name=name)
    else:
        app.command(name)(offered)


def _sentence(entries: Sequence[Entry]) -> str:
    """What a command is for. That of another package is not imported: the first paragraph of its module says it."""
    if len(entries) > 1 or entries[0].distribution != OURS:
        packages = " and ".join(entry.distribution for entry in entries)
        return f"{summary(entries[0].module).rstrip('.')} ({packages}).".strip()
    ours = load(entries[0])
    return str(ours.info.help if isinstance(ours, typer.Typer) else ours.__doc__)


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
        guest = next((one for one in _commands().get(words[0], ()) if one.distribution != OURS), None) if words else None
        whose = f"{guest}: a mistake of this package" if guest else "this is a mistake of forensic itself"
        _tell(f"{whose}, please report it with --debug: {reason(error)}", error)
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
