"""The results folder: numbers for programs, tables for papers, figures, and a page for people."""

import codecs
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

from forensic_cli.engine.evaluating.figures.figures import FIGURES, drawings
from forensic_cli.engine.evaluating.measuring.results import SCHEMA, Evaluation
from forensic_cli.engine.evaluating.page.page import page
from forensic_cli.engine.evaluating.tables.rendering import plain, to_csv, to_latex, to_markdown
from forensic_cli.engine.evaluating.tables.tables import NAMES, tables
from forensic_cli.errors import ReportError, reason
from forensic_cli.records import Json
from forensic_cli.text import encode, printable
from forensic_cli.writing import atomic

_KINDS = {"csv": to_csv, "tex": to_latex, "md": to_markdown}


def write_results(evaluation: Evaluation, folder: Path, say: Callable[[str], None]) -> None:
    """Fill `folder`, made if it is not there. What an earlier evaluation left under our names is replaced or removed.

    `say` is told where to look. Raises ReportError when something cannot be written.
    """
    parts = [folder / part for part in ("tables", "figures")]
    try:
        for part in (folder, *parts):
            part.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportError(
            f"{printable(str(folder))}: cannot be made a folder: {error.strerror or reason(error)}"
        ) from error
    _write(folder / "results.json", encode(to_json(evaluation), indent=2) + b"\n")
    _write_scores(evaluation, folder / "scores.csv")
    made = tables(evaluation)
    for name in NAMES:
        for suffix, render in _KINDS.items():
            _put(parts[0] / f"{name}.{suffix}", render(made[name]).encode() if name in made else None)
    drawn = {drawing.name: drawing for drawing in drawings(evaluation)}
    for name in FIGURES:
        drawing = drawn.get(name)
        _put(parts[1] / f"{name}.svg", drawing.svg if drawing else None)
        _put(parts[1] / f"{name}.png", drawing.png if drawing else None)
    _write(folder / "index.html", page(evaluation, made, list(drawn.values())).encode())
    say(f"results in {printable(str(folder))}: look at {printable(str(folder / 'index.html'))}")


def to_json(evaluation: Evaluation) -> Json:
    """The content of results.json."""
    return {
        "schema": SCHEMA,
        "run": evaluation.run.to_json(),
        "controls": list(evaluation.controls),
        "rows": list(evaluation.rows),
        "kinds": list(evaluation.kinds),
        "comparisons": list(evaluation.comparisons),
        "recipe": evaluation.recipe,
        "left_out": [{"path": printable(path), "reason": why} for path, why in evaluation.left_out],
    }


def _write_scores(evaluation: Evaluation, file: Path) -> None:
    """One row per image, transform and method; a score that there is not is empty."""
    known = [
        [plain(cell) for cell in (printable(image.path), image.sha256, image.label, image.generator)]
        for image in evaluation.images
    ]
    with atomic(file) as target:
        writer = csv.writer(codecs.getwriter("utf-8")(target))
        writer.writerow(["path", "sha256", "label", "generator", "transform", "method", "score"])
        for (method, transform), scores in evaluation.scores.items():
            name = [plain(transform), plain(method)]
            values = [
                None if absent else value for value, absent in zip(scores.tolist(), ~np.isfinite(scores), strict=True)
            ]
            writer.writerows([*image, *name, value] for image, value in zip(known, values, strict=True))


def _put(file: Path, content: bytes | None) -> None:
    """Without content the file must not be there: it would be of another evaluation."""
    if content is not None:
        _write(file, content)
        return
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(
            f"{printable(str(file))}: of an earlier evaluation, cannot be removed: {reason(error)}"
        ) from error


def _write(file: Path, content: bytes) -> None:
    with atomic(file) as target:
        target.write(content)
