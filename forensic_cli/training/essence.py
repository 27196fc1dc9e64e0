"""What was measured of trained weights, in a few lines for `forensic methods`. Needs neither torch nor matplotlib."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forensic_cli.profiles import USUAL
from forensic_cli.text import in_words


def essence(folder: Path) -> list[str]:
    """The essence of the model card in a folder; nothing where nothing was measured, or by another version."""
    try:
        measured: dict[str, Any] = json.loads((folder / "metrics.json").read_bytes())
        return [*_lines(measured), f"The whole model card: {folder / 'README.md'}"]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _lines(measured: dict[str, Any]) -> Iterator[str]:
    conditions: dict[str, Any] = measured["conditions"]
    native = next(iter(conditions.values()))
    yield (
        f"Measured on {native['n_real']:,} photographs and {native['n_generated']:,} generated images from sources and "
        "generators that were held out:"
    )
    for name, one in conditions.items():
        low, high = one["auroc_interval"]
        recall = ", ".join(f"{one[f'tpr_at_fpr_{rate}']:.0%} at {float(rate):.0%} FPR" for rate in ("0.05", "0.01"))
        yield f"  {name:<18}AUROC {one['auroc']:.3f} ({low:.3f} to {high:.3f}), recall {recall}"
    yield f"  without pixels    AUROC {measured['zero_pixel_auroc']:.3f} from suffix, size and bytes per pixel alone"
    usual = f"{USUAL:g}"
    if usual not in native["over"]:
        return
    real, generated = native["over"][usual]
    yield (
        f"A verdict at {USUAL:.0%} called {real:.1%} of these photographs generated, and {in_words(generated)} of the "
        "generated images; by family (images, AUROC, found):"
    )
    for row in measured["families"]:
        yield f"  {row['family']:<28}{row['n']:>5,}  {row['auroc']:.3f}  {row[f'over_{usual}']:>4.0%}"
