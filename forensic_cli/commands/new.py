"""`forensic new`: the beginning of a package of one's own."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from forensic_cli.commands.parameters import Debug
from forensic_cli.errors import UsageError, reason
from forensic_cli.status import Status
from forensic_cli.text import printable

app = typer.Typer(help="Begin a package of your own that forensic finds once it is installed.", no_args_is_help=True)

_TEMPLATE = Path(__file__).parent.parent / "templates" / "detector"
_TAKEN = {
    "None",
    "True",
    "False",
    "Annotated",
    "Batch",
    "Callable",
    "Detector",
    "Options",
    "Session",
}  # titles that cannot be a class


@app.callback()
def new() -> None:
    """Begin a package of your own that forensic finds once it is installed."""


@app.command()
def detector(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The word that people will type: lower case, digits, hyphens.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="The folder to make. [forensic-NAME]")
    ] = None,
    debug: Debug = False,
) -> int:
    """Write a detector's package: it installs, passes its test and scores."""
    _check(name)
    folder = output or Path(f"forensic-{name}")
    title = "".join(word.capitalize() for word in name.split("-"))
    words = {"name": name, "module": _module(name), "title": f"{title}Method" if title in _TAKEN else title}
    try:
        _write(folder, words)
    except FileExistsError as error:
        raise UsageError(f"{printable(str(folder))} is there already: name another folder with -o") from error
    except OSError as error:
        raise UsageError(f"{printable(str(folder))} cannot be written ({error.strerror or reason(error)})") from error
    typer.echo(f"forensic: {printable(str(folder))} is a package now; next: pip install {printable(str(folder))}", err=True)
    return Status.DONE


def _module(name: str) -> str:
    return f"forensic_{name.replace('-', '_')}"


def _check(name: str) -> None:
    """Raises UsageError where no plugin of this name can be installed."""
    from importlib.util import find_spec

    from forensic_cli.entries import DETECTORS, installed

    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(
            f"{name!r} cannot be a detector's name: small letters and digits, a letter first, words joined by -"
        )
    for entry in installed(DETECTORS):
        if entry.name == name:
            raise UsageError(f"{name!r} is the name of {entry} already: choose another")
    if find_spec(_module(name)):
        raise UsageError(f"a module {_module(name)} is installed already: choose another name than {name!r}")


def _write(folder: Path, words: dict[str, str]) -> None:
    """Every file of the template, with `words` in its text and in its name. Raises OSError."""
    folder.mkdir(parents=True)
    for source in sorted(_TEMPLATE.rglob("*.txt")):
        file = folder / Template(str(source.relative_to(_TEMPLATE)).removesuffix(".txt")).substitute(words)
        file.parent.mkdir(exist_ok=True)
        file.write_text(Template(source.read_text(encoding="utf-8")).substitute(words), encoding="utf-8", newline="\n")
