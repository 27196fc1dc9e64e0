"""The options of `forensic evaluate` that are about the evaluation itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from forensic_cli.commands.parameters import Methods


@dataclass(frozen=True)
class Asked:
    """What was typed about the evaluation itself."""

    dataset: Annotated[
        list[str] | None,
        typer.Argument(metavar="DATASET...", help="Labelled images: folders, manifests (.csv) or .parquet files."),
    ] = None
    methods: Methods = None
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where tables, figures and the page are written.")
    ] = Path("results")
    transform: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="jpeg:70, halve+jpeg:85, noise:0.05@generated, jpeg:100..70:10, ...; list shows them. Repeatable.",
        ),
    ] = None
    layout: Annotated[
        str | None, typer.Option(metavar="NAME", help="How the folders lie; list shows them. [found by looking]")
    ] = None
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="train, val, test or all. [test, else val, else all]")
    ] = None
    real: Annotated[
        list[str] | None, typer.Option(metavar="DIR", help="Folder of photographs and nothing else. Repeatable.")
    ] = None
    fake: Annotated[
        list[str] | None, typer.Option(metavar="DIR", help="Folder of generated images and nothing else. Repeatable.")
    ] = None
    recipe: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A published table or figure, or your own .toml; list shows them."),
    ] = None
    match: Annotated[
        bool, typer.Option("--match", help="Measure on pairs of both classes that are alike in format, size and weight.")
    ] = False
    calibration: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take the threshold of accuracy_calibrated from this profile."),
    ] = None
    fpr: Annotated[
        float, typer.Option("--fpr", metavar="RATE", help="False-positive rate of the threshold of accuracy_calibrated.")
    ] = 0.05
    draws: Annotated[int, typer.Option(min=10, metavar="N", help="Draws of the bootstrap behind the intervals.")] = 1000
