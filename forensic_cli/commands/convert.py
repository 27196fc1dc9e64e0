"""`forensic weights convert`: a published pickle becomes safetensors, checked against the network of the method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forensic_cli.commands import completion
from forensic_cli.commands.parameters import Debug, PluginFiles, settings
from forensic_cli.commands.sizes import human
from forensic_cli.errors import UsageError
from forensic_cli.status import Status


def convert(
    method: Annotated[str, typer.Argument(metavar="METHOD", autocompletion=completion.methods)],
    file: Annotated[Path, typer.Argument(metavar="FILE.pth", help="The checkpoint as its authors publish it.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.safetensors", help="The file to write. [where the method finds it]"),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="METHOD.OPTION=VALUE", help="Set an option of the method. Repeatable."),
    ] = None,
    plugin: PluginFiles = None,
    debug: Debug = False,
) -> int:
    """Make safetensors of a published pickle, without running what is in it."""
    from forensic_cli import options
    from forensic_cli.detector import Session
    from forensic_cli.plugins import Plugins

    offer = Plugins(plugin or ()).detector(method)
    chosen = settings(set_, None)
    if foreign := chosen.keys() - {method}:
        raise UsageError(f"a setting is given for {min(foreign)!r}; this converts for {method}")
    if not file.is_file():
        raise UsageError(f"{file}: {'not a file' if file.exists() else 'no such file'}")
    if offer.factory.caution:
        typer.echo(f"forensic: {method}: {offer.factory.caution}", err=True)
    from forensic_cli.engine import converting

    detector = offer.factory(Session(offline=True), options.build(offer.factory.Options, chosen.get(method, {}), method))
    detector.name = method
    made = converting.convert(detector, file, output)
    known = {True: ", the file that the authors publish", False: ", NOT the file that the authors publish", None: ""}
    licences = [weights.licence for weights in options.weights_of(detector.options) if weights.pickle]
    typer.echo(f"from     {file}  SHA-256 {made.origin_sha256}{known[made.as_published]}")
    typer.echo(f"to       {made.path}  SHA-256 {made.sha256}")
    typer.echo(
        f"holds    {made.tensors} tensors, {human(made.path.stat().st_size)}; every one fits the network of {method}"
    )
    typer.echo(f"licence  {', '.join(licences) or 'not named by the method'}")
    use = f"--methods {method}" if output is None else f"--methods {method} --weights {method}={output}"
    typer.echo(f"forensic: to use it: forensic scan PATH {use}", err=True)
    return Status.DONE
