"""`forensic methods`: what is installed, and what one method means."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forensic_cli.commands import completion
from forensic_cli.commands.parameters import Debug, PluginFiles
from forensic_cli.entries import DETECTORS, defaults, find, summary
from forensic_cli.status import Status

if TYPE_CHECKING:
    from forensic_cli.plugins import Offer, Plugins
    from forensic_cli.records import Weights


def methods(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A method to explain.", autocompletion=completion.methods)
    ] = None,
    plugin: PluginFiles = None,
    debug: Debug = False,
) -> int:
    """List the methods that are installed, or explain one: its idea, paper, options, weights, licence and cost."""
    typer.echo(_explained(name, _plugins(plugin)) if name else _listed(plugin))
    return Status.DONE


def _plugins(files: Sequence[Path] | None) -> Plugins:
    from forensic_cli.plugins import Plugins

    return Plugins(files or ())


def _listed(files: Sequence[Path] | None) -> str:
    """Two lines per method, read from metadata and source text: nothing is imported but loose files."""
    entries = find(DETECTORS)
    loose = sorted(set(_plugins(files).names(DETECTORS)) - {entry.name for entry in entries}) if files else []
    width = max(map(len, [*loose, *(entry.name for entry in entries)]), default=0)
    usual = defaults()
    lines = []
    for entry in entries:
        mark = "*" if entry.name in usual else " "
        room = shutil.get_terminal_size((100, 24)).columns
        lines += textwrap.wrap(
            summary(entry.module) or "(no description)",
            max(room, width + 24),
            initial_indent=f"{mark} {entry.name:<{width}}  ",
            subsequent_indent=" " * (width + 4),
        )
        lines.append(f"  {'':<{width}}  {entry.distribution} {entry.version}")
        lines += [f"* {name}, a variant of it" for name in usual if name.startswith(f"{entry.name}.")]
    lines += [f"  {name:<{width}}  from --plugin" for name in loose]
    if not lines:
        return "No method is installed."
    return "\n".join([*lines, "", "* runs when no --methods are given. `forensic methods NAME` explains one."])


def _explained(name: str, plugins: Plugins) -> str:
    """Everything a layperson and an expert want to know of one method."""
    from inspect import cleandoc

    from forensic_cli.abilities import Trains
    from forensic_cli.options import options_of, typed, weights_of

    offer = plugins.detector(name)
    factory = offer.factory
    lines = [
        f"{name}  ({offer.entry.distribution} {offer.entry.version})",
        "",
        cleandoc(factory.__doc__ or "No description."),
        "",
        f"Paper:    {factory.paper or 'none named'}",
        f"Looks at: {'the pixels' if factory.looks_at == 'pixels' else 'the file, not its pixels'}",
        f"Cost:     {factory.cost or 'not stated'}",
    ]
    if hasattr(factory, "heatmaps"):
        lines.append("Heatmaps: yes (scan --heatmaps DIR)")
    for weights in weights_of(factory.Options()):
        lines.append(f"Weights:  {_needed(weights)}")
    if factory.caution:
        lines.append(f"Caution:  {factory.caution}")
    lines += _siblings(offer, plugins)
    if facts := factory.facts():
        lines += ["", *facts]
    options = list(options_of(factory.Options))
    if options:
        lines += ["", "Options:"]
    for option in options:
        lines += [
            f"  --set {name}.{option.name}={typed(option.default)}",
            f"      {option.help + '; ' if option.help else ''}{option.values}",
        ]
    if isinstance(factory, Trains):
        lines += ["", f"Recipe of `forensic train {name}`:"]
        lines += [f"  --set {name}.{one.name}={typed(one.default)}  ({one.help})" for one in options_of(factory.Training)]
    return "\n".join(lines)


def _needed(weights: Weights) -> str:
    """Whose they are, and in brackets the licence, the size, and what vouches for their bytes where no commit does."""
    from forensic_cli.hub import unpinned

    revision = f"@{weights.revision}" if weights.revision else ""
    size = f"{weights.bytes / 1e6:,.0f} MB" if weights.bytes else ""
    facts = ", ".join(fact for fact in (weights.licence, size, unpinned(weights)) if fact)
    return f"{weights.source or 'yours'}{revision} ({facts})"


def _siblings(offer: Offer, plugins: Plugins) -> list[str]:
    if not offer.entry.module:
        return []
    others = [one.name for one in plugins.variants(offer.entry.name) if one.name != offer.name]
    return [f"Variants: {', '.join(others)}"] if others else []
