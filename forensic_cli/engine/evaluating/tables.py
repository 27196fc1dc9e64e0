"""The tables of an evaluation, as rows of plain cells: what the page shows and what goes into a paper."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from forensic_cli.engine.evaluating.results import MEAN, NONE, POOLED, Evaluation
from forensic_cli.records import Json

WIDE = 12
"""With more generators or transforms than this they go down the side and the methods along the top."""

_WORDS = {
    "ap": "AP",
    "auroc": "AUROC",
    "brier": "Brier",
    "fpr": "FPR",
    "n": "images",
    "n_generated": "n generated",
    "n_left_out": "left out",
    "n_real": "n not generated",
    "p": "p",
    "p_value": "p",
}


class Within(NamedTuple):
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


Cell = str | int | float | Within | None


@dataclass(frozen=True)
class Table:
    """`name`: of its files. `title`: a line. `note`: what must be known to read it. Each row is as long as `header`."""

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


NAMES = ("summary", "auroc", "ap", "tpr", "robustness", "controls", "kinds", "comparisons", "published")


def tables(evaluation: Evaluation) -> dict[str, Table]:
    """Those of `NAMES` that have anything to tell, in that order."""
    made = (
        _summary(evaluation),
        _by_generator(evaluation, "auroc", "AUROC of each method on each generator", _auroc),
        _by_generator(evaluation, "ap", "Average precision of each method on each generator", lambda row: row.get("ap")),
        _by_generator(evaluation, "tpr", "Share of the generated images found at 5 % false positives", _tpr),
        _robustness(evaluation),
        from_records("controls", "How far one gets without looking at a pixel", evaluation.controls),
        from_records("kinds", "How often pictures that are not generated are taken for generated", evaluation.kinds),
        from_records("comparisons", "Pairs of methods on the same images", evaluation.comparisons),
        _published(evaluation),
    )
    return {table.name: table for table in made if table.rows}


def base(evaluation: Evaluation) -> str:
    """The transform that the tables by generator are about: none, or the first where images were never left alone."""
    return NONE if NONE in evaluation.transforms or not evaluation.transforms else evaluation.transforms[0]


def methods(evaluation: Evaluation) -> list[str]:
    """In the order in which they were asked for."""
    names = [name for name, _ in evaluation.scores] + [row["method"] for row in evaluation.rows]
    return list(dict.fromkeys(names))


def generators(evaluation: Evaluation) -> list[str]:
    """All that have a row of their own, then their mean, then all together."""
    names = dict.fromkeys(row["generator"] for row in evaluation.rows)
    return [name for name in names if name not in (MEAN, POOLED)] + [name for name in (MEAN, POOLED) if name in names]


def index(evaluation: Evaluation) -> dict[tuple[str, str, str], Json]:
    """Each row of results.json by (method, transform, generator)."""
    return {(row["method"], row["transform"], row["generator"]): row for row in evaluation.rows}


def overall(evaluation: Evaluation) -> str:
    """The generator that stands for all of them: their mean, or all together where there is no mean."""
    return MEAN if any(row["generator"] == MEAN for row in evaluation.rows) else POOLED


def within(row: Json, key: str) -> Cell:
    """The value at `key` with its interval, if the row has one."""
    value, ends = row.get(key), row.get(f"{key}_interval")
    if value is None or not ends or None in ends:
        return value
    return Within(value, *ends)


def _auroc(row: Json) -> Cell:
    return within(row, "auroc")


def _tpr(row: Json) -> Cell:
    at = row.get("tpr_at_fpr") or {}
    return at.get("0.05")


def _summary(evaluation: Evaluation) -> Table:
    """One line per method: what a reader with ten seconds sees."""
    rows, transform = index(evaluation), base(evaluation)
    lines: list[tuple[Cell, ...]] = []
    for method in methods(evaluation):
        pooled = rows.get((method, transform, POOLED), {})
        chosen = rows.get((method, transform, overall(evaluation)), pooled)
        rest = [pooled.get(key) for key in ("accuracy_calibrated", "accuracy_0.5", "brier", "n_left_out")]
        lines.append((method, _auroc(chosen), _auroc(pooled), pooled.get("ap"), _tpr(pooled), *rest))
    header = ("method", f"AUROC {overall(evaluation)}", f"AUROC {POOLED}", "AP", "found at 5 % FPR", "accuracy, calibrated")
    note = (
        "AUROC: the chance that a generated image scores higher than another; 0.5 is guessing. (mean): over generators, "
        "each counting once; (pooled): all images together, as in the columns after it. AP depends on how many of the "
        "images are generated. Accuracy at 0.5 is uncalibrated: the cut is where the authors put it, not where an error "
        "rate was chosen."
    )
    more = ("accuracy at 0.5 (uncalibrated)", "Brier", "left out")
    return Table("summary", f"All methods, {_state(transform)}", (*header, *more), tuple(lines), note)


def _by_generator(evaluation: Evaluation, name: str, title: str, cell: Callable[[Json], Cell]) -> Table:
    rows, transform, columns = index(evaluation), base(evaluation), generators(evaluation)
    lines = [(method, *(cell(rows.get((method, transform, one), {})) for one in columns)) for method in methods(evaluation)]
    return _turned(Table(name, f"{title}, {_state(transform)}", ("method", *columns), tuple(lines) if columns else ()))


def _robustness(evaluation: Evaluation) -> Table:
    rows, over = index(evaluation), overall(evaluation)
    lines = [
        (method, *(_auroc(rows.get((method, one, over), {})) for one in evaluation.transforms))
        for method in methods(evaluation)
    ]
    some = tuple(lines) if len(evaluation.transforms) > 1 and evaluation.rows else ()
    return _turned(Table("robustness", f"AUROC {over} under each transform", ("method", *evaluation.transforms), some))


def _turned(table: Table) -> Table:
    """What runs along the top goes down the side where it would be too wide."""
    if len(table.header) - 1 <= WIDE or not table.rows:
        return table
    header, *rows = zip(table.header, *table.rows, strict=True)
    return Table(table.name, table.title, ("", *map(str, header[1:])), tuple(rows), table.note)


def _state(transform: str) -> str:
    return "images as they are" if transform == NONE else f"images after {transform}"


def _published(evaluation: Evaluation) -> Table:
    """A recipe's published figures beside ours. A figure names method, generator, transform and metric."""
    recipe, rows = evaluation.recipe or {}, index(evaluation)
    lines: list[tuple[Cell, ...]] = []
    for figure in recipe.get("published") or ():
        generator, transform = figure.get("generator") or overall(evaluation), figure.get("transform") or NONE
        ours = metric(rows.get((figure["method"], transform, generator), {}), figure["metric"])
        theirs = figure["value"]
        difference = None if ours is None or theirs is None else ours - theirs
        lines.append((figure["method"], generator, transform, figure["metric"], theirs, ours, difference))
    title = f"{recipe.get('title') or 'Published figures'}: published and measured here"
    header = ("method", "generator", "transform", "metric", "published", "here", "difference")
    return Table("published", title, header, tuple(lines), recipe.get("paper") or "")


def metric(row: Json, name: str) -> float | None:
    """The number called `name` in a row of results.json; "tpr_at_fpr_0.05" is what stands at 0.05 in "tpr_at_fpr"."""
    found = row.get(name)
    if found is None and name.startswith("tpr_at_fpr_"):
        found = (row.get("tpr_at_fpr") or {}).get(name.removeprefix("tpr_at_fpr_"))
    return found


def from_records(name: str, title: str, records: Sequence[Json], note: str = "") -> Table:
    """A column for each key, in the order of their first appearance; "x_interval" goes into the column of "x".

    What is nested gets a column per inner key. Warnings and curves are left out: they are shown elsewhere.
    """
    flat = [dict(_flat(record)) for record in records]
    keys = list(dict.fromkeys(key for record in flat for key in record))
    keys = [key for key in keys if any(record.get(key) is not None for record in flat)]
    return Table(name, title, tuple(map(_heading, keys)), tuple(tuple(one.get(key) for key in keys) for one in flat), note)


def _flat(record: Mapping[str, object], above: str = "") -> Iterator[tuple[str, Cell]]:
    for key, value in record.items():
        name = f"{above}, {key}" if above else key
        owner = key.removesuffix("_interval")
        if key == "warning" or (owner != key and owner in record):
            continue
        if isinstance(value, Mapping):
            if not any(isinstance(inner, list | tuple) and len(inner) > 2 for inner in value.values()):
                yield from _flat(value, name)
        elif isinstance(value, list | tuple):
            if len(value) == 2 and all(isinstance(end, int | float) for end in value):
                yield f"{name}, low", value[0]
                yield f"{name}, high", value[1]
            elif all(isinstance(one, str) for one in value):
                yield name, ", ".join(value)
        elif isinstance(value, bool):
            yield name, "yes" if value else "no"
        elif value is None or isinstance(value, str | int | float):
            yield name, _measured(record, key)


def _measured(record: Mapping[str, object], key: str) -> Cell:
    return within(dict(record), key)


def _heading(key: str) -> str:
    return ", ".join(_WORDS.get(part, part.replace("_", " ")) for part in key.split(", "))


def warnings(controls: Iterable[Json]) -> list[str]:
    """What the controls warn of, each once."""
    return list(dict.fromkeys(str(control["warning"]) for control in controls if control.get("warning")))
