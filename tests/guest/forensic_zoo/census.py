"""Counts the images of a data set."""

import typer

from forensic_cli.datasets import read_dataset


def census(dataset: list[str]) -> None:
    """Count the photographs and the generated images of DATASET."""
    items = read_dataset(dataset).items
    generated = sum(item.generated for item in items)
    typer.echo(f"{len(items) - generated} photographs, {generated} generated")
