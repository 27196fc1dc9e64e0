"""What can be told without looking at a pixel, and the warnings that come of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from forensic_cli.records import Json
from forensic_cli.statistics.controls import TOGETHER, Outside, controls

LOUD = 0.7
"""From this AUROC on a control separates the classes, and is warned of."""


def controlled(images: Sequence[Outside], seed: int = 0) -> list[Json]:
    """The rows of `controls`, each with a `warning`: a line, or None where it does not separate the classes."""
    return [row | {"warning": _warning(row)} for row in controls(images, seed)]


def _warning(row: Mapping[str, Any]) -> str | None:
    value = row["auroc"]
    if value is None or value < LOUD:
        return None
    if row["name"] != TOGETHER:
        than = f"; photographs: {row['photographs']}; generated: {row['generated']}" if row["photographs"] else ""
        return f"photographs and generated images can be told apart by {row['name']} alone (AUROC {value:.2f}{than})"
    return (
        f"photographs and generated images can be told apart without looking at a pixel (AUROC {value:.2f}): a detector "
        "may live on that as well; see what --match and --transform jpeg:95 leave of its figures"
    )
