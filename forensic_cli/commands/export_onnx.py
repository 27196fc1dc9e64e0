"""`forensic export-onnx`: a method's network as one ONNX file, compared with torch before it is handed over."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forensic_cli.commands import completion
from forensic_cli.commands.parameters import Debug, Offline, PluginFiles, settings
from forensic_cli.commands.sizes import human
from forensic_cli.errors import UsageError
from forensic_cli.status import Status

if TYPE_CHECKING:
    from forensic_cli.engine.exporting.delivery import Delivered
    from forensic_cli.plugins import Offer, Plugins


def export_onnx(
    method: Annotated[str, typer.Argument(metavar="METHOD", autocompletion=completion.methods)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.onnx", help="The file to write.")],
    weights: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Folder, file or hub repository; else the method's own.")
    ] = None,
    precision: Annotated[
        Literal["fp32", "fp16", "int8"], typer.Option(help="fp16 is half the size, int8 a quarter and fastest on CPUs.")
    ] = "fp32",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="METHOD.OPTION=VALUE", help="Set an option of the method. Repeatable."),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH", help="Pictures for the comparison and for int8's ranges. Repeatable. [scikit-learn's, varied]"
        ),
    ] = None,
    offline: Offline = False,
    plugin: PluginFiles = None,
    debug: Debug = False,
) -> int:
    """Write a method's network as ONNX, and prove it.

    The file goes from uint8 crops to log-odds. It is compared with torch on pictures at several batch sizes; the table is
    also written beside it. Run it with `forensic scan --weights METHOD=FILE.onnx`.
    """
    from forensic_cli.abilities import Calibrates
    from forensic_cli.detector import Session
    from forensic_cli.engine import methods as roster
    from forensic_cli.engine.exporting.delivery import deliver, parity_file
    from forensic_cli.engine.exporting.pictures import pictures
    from forensic_cli.plugins import Plugins
    from forensic_cli.writing import check_writable

    if output.suffix != ".onnx":
        raise UsageError(f"--output {output}: the name must end in .onnx, by which a scan knows it")
    if weights and weights.endswith(".onnx"):
        raise UsageError(f"--weights {weights} is ONNX already: give the model folder it was made from")
    for path in (output, parity_file(output)):
        check_writable(path)
    plugins = Plugins(plugin or ())
    chosen = settings(set_, [f"{method}={weights}"] if weights else None)
    offers = roster.offers([method], plugins, chosen)
    _check_able(offers[0], plugins)
    (made,) = roster.prepare(offers, chosen, Session(offline=offline))
    module, classifier = made.detector.exportable()  # type: ignore[attr-defined]  # checked on its class
    shown = pictures(classifier.look, images or ())
    profile = made.detector.calibration() if isinstance(made.detector, Calibrates) else None
    thresholds = next(iter(profile.methods.values())).verdict_thresholds if profile else {}
    _show(deliver(module, classifier, made.use, shown, output, precision, thresholds))
    return Status.DONE


def _check_able(offer: Offer, plugins: Plugins) -> None:
    """Raises UsageError, with the names of the methods that have a network to export, if this one has none."""
    from forensic_cli.abilities import Exports
    from forensic_cli.entries import DETECTORS
    from forensic_cli.errors import PluginError

    if issubclass(offer.factory, Exports):
        return
    others = [
        one.name
        for one in plugins.load_all(DETECTORS)
        if not isinstance(one, PluginError) and issubclass(one.factory, Exports)
    ]
    known = ", ".join(others) or "none of the installed methods"
    raise UsageError(f"{offer.name} has no network that can be exported; these have: {known}")


def _show(done: Delivered) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    for word in ("precision", "batch", "crops", "log-odds max", "mean", "probability max", "mean", "rank correlation"):
        table.add_column(word, justify="left" if word == "precision" else "right")
    for row in done.agreements:
        figures = [row.odds_max, row.odds_mean, row.probability_max, row.probability_mean]
        rank = "-" if row.rank is None else f"{row.rank:.4f}"
        table.add_row(row.precision, str(row.batch), str(row.crops), *(f"{figure:.2g}" for figure in figures), rank)
    console.print(f"Difference from torch, on {done.pictures}:", markup=False, highlight=False, soft_wrap=True)
    console.print(table)
    for one in done.crossings:
        same = "all pictures on one side" if one.same_quantile is None else f"the same quantile is {one.same_quantile:.4f}"
        words = f"in {one.precision} {same}, {one.changed:.1%} of the pictures change sides"
        line = f"threshold {one.threshold:.4f} (FPR {one.fpr:g}): {words}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    line = f"{done.file} ({human(done.bytes)}) and {done.parity} are written"
    console.print(line, markup=False, highlight=False, soft_wrap=True)
