"""What evaluate shows on standard output: what can be named, and the pooled rows of what came out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill

from forensic_cli.commands.outputs import standard_output
from forensic_cli.errors import PluginError
from forensic_cli.progress import say
from forensic_cli.records import Json
from forensic_cli.status import Status

_WIDTH = 100


def show(*, recipes: bool, layouts: bool) -> Status:
    """All recipes, layouts or transforms."""
    with standard_output() as stream:
        for line in _recipes() if recipes else _layouts() if layouts else _transforms():
            stream.write(f"{line}\n".encode())
    return Status.DONE


def _recipes() -> Iterator[str]:
    from forensic_cli.recipes import every

    for one in every():
        if isinstance(one, PluginError):
            _tell([one])
            continue
        yield one.name
        yield from (fill(text, _WIDTH, initial_indent="  ", subsequent_indent="  ") for text in (one.title, one.shows))
        yield fill(
            f"methods: {', '.join(entry.label for entry in one.entries)}",
            _WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
        )
        yield fill(
            f"data: {one.data.name} (--layout {one.data.layout})", _WIDTH, initial_indent="  ", subsequent_indent="    "
        )
        if one.needs:
            yield fill(f"needs: {' '.join(one.needs.split())}", _WIDTH, initial_indent="  ", subsequent_indent="    ")
        yield ""
    yield "forensic evaluate DATASET --recipe NAME -o results/"


def _layouts() -> Iterator[str]:
    from forensic_cli.datasets.layouts import SHELF, layouts

    _tell(SHELF.failures())
    yield from _pairs(layouts())


def _transforms() -> Iterator[str]:
    from forensic_cli.transforms.kinds import SHELF, described

    _tell(SHELF.failures())
    yield from _pairs(dict(described()))


def _tell(failures: Iterable[PluginError]) -> None:
    for failure in failures:
        say(str(failure))


def _pairs(words: dict[str, str]) -> Iterator[str]:
    width = max(map(len, words)) + 2
    for name, about in words.items():
        yield fill(about, _WIDTH, initial_indent=f"{name:<{width}}", subsequent_indent=" " * width)


def pooled(rows: Sequence[Json]) -> Iterator[str]:
    """The rows of all generators together as a small table."""
    shown = [row for row in rows if row["generator"] == "(pooled)"]
    cells = [["method", "transform", "AUROC", "95 % interval", "AP", "TPR at 1 %", "at 5 % FPR", "images"]]
    for row in shown:
        low, high = row["auroc_interval"] or (None, None)
        rates = row["tpr_at_fpr"]
        interval = "" if low is None else f"{_number(low)} to {_number(high)}"
        numbers = [_number(row["auroc"]), interval, _number(row["ap"]), _number(rates["0.01"]), _number(rates["0.05"])]
        cells.append([row["method"], row["transform"], *numbers, f"{row['n_real']:,} + {row['n_generated']:,}"])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
