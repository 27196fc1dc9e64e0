"""`forensic weights`: what the methods need, what of it is here, and how it gets to a machine without a network."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forensic_cli.commands import completion
from forensic_cli.commands.convert import convert
from forensic_cli.commands.parameters import Debug, Offline, PluginFiles
from forensic_cli.commands.sizes import human
from forensic_cli.errors import PluginError, UsageError, WeightsError
from forensic_cli.status import Status

if TYPE_CHECKING:
    from forensic_cli.bundles import Progress
    from forensic_cli.records import Weights
    from forensic_cli.weights import OnDisk

app = typer.Typer(help="The networks that methods need: list, fetch, check and carry them.", no_args_is_help=True)
app.command()(convert)

Some = Annotated[list[str] | None, typer.Argument(metavar="METHOD...", autocompletion=completion.methods)]
Named = Annotated[list[str], typer.Argument(metavar="METHOD...", autocompletion=completion.methods)]
_PLACES = {"local": "local files", "bundle": "unbundled", "hub": "hub cache", "package": "comes with the tool"}


@app.command("list")
def list_(plugin: PluginFiles = None, debug: Debug = False) -> int:
    """Show what each method needs and where it is."""
    from rich.console import Console
    from rich.table import Table

    chosen, broken = _needs([], plugin or [])
    table = Table("method", "weights", "licence", "size", "where", box=None, pad_edge=False, header_style="bold")
    for method, needs in chosen:
        for row in [_row(weights) for weights in needs] or [("needs none", "", "", "")]:
            table.add_row(method, *row)
    Console(width=None if sys.stdout.isatty() else 160).print(table, markup=False)
    return _status(broken)


@app.command()
def pull(
    methods: Some = None,
    everything: Annotated[bool, typer.Option("--all", help="The weights of every installed method.")] = False,
    plugin: PluginFiles = None,
    debug: Debug = False,
) -> int:
    """Download what is not here yet."""
    from forensic_cli.weights import find, locate

    if bool(methods) == everything:
        raise UsageError("name the methods whose weights to pull, or give --all")
    chosen, problems = _needs(methods or [], plugin or [])
    askers: dict[Weights, list[str]] = {}
    for name, needs in chosen:
        for weights in needs:
            askers.setdefault(weights, []).append(name)
    for weights, names in askers.items():
        method = ", ".join(names)
        try:
            found = find(weights)
            if found is None:
                _say(f"{method}: {_name(weights)}, licence {weights.licence}, {_download_size(weights)}")
                found = locate(weights)
                _say(f"{method}: {_name(weights)} is at {found.path}")
            else:
                _say(f"{method}: {_name(weights)} is here already ({_PLACES[found.place]})")
        except WeightsError as error:
            problems.append(_told(method, error))
    return _status(problems)


@app.command()
def verify(methods: Some = None, plugin: PluginFiles = None, debug: Debug = False) -> int:
    """Compare every byte with what is known of it.

    Weights that are not on this machine are left out; large files in the hub's cache are named by their digest.
    """
    from forensic_cli.weights import expected
    from forensic_cli.weights import verify as differences

    chosen, problems = _needs(methods or [], plugin or [])
    checked: set[tuple[Path, tuple[str, ...]]] = set()
    for method, weights, found in _here(chosen, problems):
        if found is None:
            typer.echo(f"{method}: {_name(weights)}: not on this machine")
            continue
        if (found.path, weights.files) in checked:
            continue
        checked.add((found.path, weights.files))
        wrong = differences(found)
        problems += [f"{method}: {line}" for line in wrong]
        known = f"{len(found.files)} files" if expected(found) else "nothing is known to compare with"
        typer.echo(f"{method}: {_name(weights)}: {'NOT as expected' if wrong else f'as expected, {known}'}")
    return _status(problems)


@app.command()
def bundle(
    methods: Named,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.tar", help="The bundle to write.")],
    plugin: PluginFiles = None,
    offline: Offline = False,
    debug: Debug = False,
) -> int:
    """Write weights into one file for a machine offline."""
    from forensic_cli import bundles
    from forensic_cli.weights import locate

    chosen, _ = _needs(methods, plugin or [])
    try:
        located = [locate(weights, offline=offline) for _, needs in chosen for weights in needs]
    except WeightsError as error:
        raise WeightsError(_told(", ".join(methods), error)) from error
    if not located:
        raise UsageError(f"there is nothing to bundle: {', '.join(methods)} needs no weights")
    with _progress("bundling") as progress:
        size = bundles.bundle(located, output, progress)
    _say(f"{output} has {human(size)}; on the other machine: forensic weights unbundle {output.name}")
    return Status.DONE


@app.command()
def unbundle(file: Annotated[Path, typer.Argument(metavar="FILE.tar")], debug: Debug = False) -> int:
    """Check a bundle and put it where methods find it."""
    from forensic_cli import bundles

    with _progress("unpacking") as progress:
        arrived = bundles.unbundle(file, progress)
    for one in arrived:
        commit = f"@{one.revision[:12]}" if one.revision else ""
        _say(f"{one.source}{commit}: {one.files} files checked, at {one.folder}")
    return Status.DONE


def _needs(methods: Iterable[str], loose: list[Path]) -> tuple[list[tuple[str, list[Weights]]], list[str]]:
    """Each method (all, if none is named) with its weights, and a line for each plugin that is broken."""
    from forensic_cli.entries import DETECTORS
    from forensic_cli.options import weights_of
    from forensic_cli.plugins import Plugins

    plugins = Plugins(loose)
    named = [plugins.detector(name) for name in dict.fromkeys(methods)]
    chosen, broken = [], []
    for offer in named or plugins.load_all(DETECTORS):
        if isinstance(offer, PluginError):
            broken.append(str(offer))
            continue
        try:
            chosen.append((offer.name, [one for one in weights_of(offer.factory.Options()) if one.source]))
        except (TypeError, ValueError) as error:
            broken.append(f"{offer.entry}: its options have no usable defaults ({error})")
    return chosen, broken


def _here(chosen: list[tuple[str, list[Weights]]], problems: list[str]) -> Iterator[tuple[str, Weights, OnDisk | None]]:
    from forensic_cli.weights import find

    for method, needs in chosen:
        for weights in needs:
            try:
                yield method, weights, find(weights)
            except WeightsError as error:
                problems.append(_told(method, error))


def _told(method: str, error: WeightsError) -> str:
    """The error with the method's own name in the commands that it recommends."""
    return f"{method}: {str(error).replace('METHOD', method)}"


def _row(weights: Weights) -> tuple[str, str, str, str]:
    from forensic_cli.hub import unpinned
    from forensic_cli.weights import find

    try:
        found = find(weights)
    except WeightsError:
        found = None
    size = weights.bytes if found is None else sum(path.stat().st_size for path in found.files.values())
    name = f"{_name(weights)} ({words})" if (words := unpinned(weights)) else _name(weights)
    return name, weights.licence, human(size), _PLACES[found.place] if found else "not here"


def _download_size(weights: Weights) -> str:
    from forensic_cli import hub

    if weights.bytes is not None or weights.by_hand or hub.offline():
        return human(weights.bytes)
    return human(sum(hub.ask(weights.source, weights.revision, weights.files).files.values()))


def _name(weights: Weights) -> str:
    return f"{weights.source}@{weights.revision[:7]}" if weights.revision else weights.source


def _say(words: str) -> None:
    typer.echo(f"forensic: {words}", err=True)


def _status(problems: list[str]) -> int:
    """Each problem as a line on stderr, and the status that tells a script of them."""
    for line in problems:
        _say(line)
    return Status.FAILURES if problems else Status.DONE


@contextmanager
def _progress(word: str) -> Iterator[Progress]:
    """A bar on stderr if a person watches."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn(word), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(word, total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)
