"""`forensic doctor`: is this installation well, and if not, what cures it?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forensic_cli.commands.parameters import Debug
from forensic_cli.commands.sizes import human
from forensic_cli.status import Status

if TYPE_CHECKING:
    from forensic_cli.commands.checkup import Checkup


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON, to send with a bug report.")] = False,
    debug: Debug = False,
) -> int:
    """Examine devices, execution providers, versions, caches and plugins; name each problem and its repair."""
    from forensic_cli.commands.checkup import examine

    found = examine()
    if as_json:
        from json import dumps

        typer.echo(dumps(found.to_json(), indent=2))
    else:
        typer.echo("\n".join(_report(found)))
    return Status.FAILURES if found.problems else Status.DONE


def _report(found: Checkup) -> Iterator[str]:
    for title, section in found.sections.items():
        yield title
        yield from _lines(section, "  ")
        yield ""
    if not found.problems:
        yield "No problem found."
        return
    yield f"{len(found.problems)} problem{'s' if len(found.problems) > 1 else ''} found:"
    for what, repair in found.problems:
        yield f"  ! {what}"
        yield f"    repair: {repair}"


def _lines(section: dict[str, Any], margin: str) -> Iterator[str]:
    width = max((len(name) for name in section), default=0)
    for name, value in section.items():
        if isinstance(value, dict) and name != "environment":
            yield f"{margin}{name}"
            yield from _lines(value, margin + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{margin}{name}"
            yield from (f"{margin}  {', '.join(_phrases(row))}" for row in value)
        else:
            yield f"{margin}{name.replace('_', ' '):<{width}}  {_words(name, value)}"


def _phrases(row: dict[str, Any]) -> Iterator[str]:
    for name, value in row.items():
        yield f"{value} {name}" if name == "threads" else _words(name, value)


def _words(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("bytes") and isinstance(value, int):
        return human(value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={text}" for key, text in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
