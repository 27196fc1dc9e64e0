"""The tables of an evaluation, as rows of plain cells: what the page shows and what goes into a paper."""

import re
from collections.abc import Callable, Iterable, Sequence

from forensic_cli.engine.evaluating.measuring.results import MEAN, NONE, POOLED, Evaluation
from forensic_cli.engine.evaluating.tables.cells import Cell, Table, from_records, turned, within
from forensic_cli.records import Json

_OVER = re.compile(r"^over_([0-9.]+)")
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
        _kinds(evaluation),
        _comparisons(evaluation),
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


def _auroc(row: Json) -> Cell:
    return within(row, "auroc")


def _tpr(row: Json) -> Cell:
    at, ends = row.get("tpr_at_fpr") or {}, row.get("tpr_at_fpr_interval") or {}
    return within({"tpr": at.get("0.05"), "tpr_interval": ends.get("0.05")}, "tpr")


def _summary(evaluation: Evaluation) -> Table:
    """One line per method: what a reader with ten seconds sees."""
    rows, transform = index(evaluation), base(evaluation)
    lines: list[tuple[Cell, ...]] = []
    for method in methods(evaluation):
        pooled = rows.get((method, transform, POOLED), {})
        chosen = rows.get((method, transform, overall(evaluation)), pooled)
        numbers = [within(pooled, key) for key in ("ap", "accuracy_calibrated", "fpr_calibrated", "accuracy_0.5", "brier")]
        ranks = (_auroc(chosen), _auroc(pooled), _tpr(pooled))
        lines.append((method, *ranks, *numbers, pooled.get("n_left_out")))
    header = ("method", f"AUROC {overall(evaluation)}", f"AUROC {POOLED}", "found at 5 % FPR", "AP")
    note = (
        "AUROC: the chance that a generated image scores higher than a photograph; 0.5 is guessing. (mean): over "
        "generators, each counting once; (pooled): all images together, as in the columns after it. AP depends on how "
        "many of the images are generated. Accuracy, calibrated: at a threshold set on other photographs. Accuracy at "
        "0.5 is uncalibrated: the cut is where the authors put it, not where an error rate was chosen. Pictures made by "
        "hand are in neither class: see false alarms by kind."
    )
    more = ("accuracy, calibrated", "its false alarms", "accuracy at 0.5 (uncalibrated)", "Brier", "left out")
    return Table("summary", f"All methods, {_state(transform)}", (*header, *more), tuple(lines), note)


def _by_generator(evaluation: Evaluation, name: str, title: str, cell: Callable[[Json], Cell]) -> Table:
    rows, transform, columns = index(evaluation), base(evaluation), generators(evaluation)
    lines = [(method, *(cell(rows.get((method, transform, one), {})) for one in columns)) for method in methods(evaluation)]
    return turned(Table(name, f"{title}, {_state(transform)}", ("method", *columns), tuple(lines) if columns else ()))


def _robustness(evaluation: Evaluation) -> Table:
    rows, over = index(evaluation), overall(evaluation)
    lines = [
        (method, *(_auroc(rows.get((method, one, over), {})) for one in evaluation.transforms))
        for method in methods(evaluation)
    ]
    some = tuple(lines) if len(evaluation.transforms) > 1 and evaluation.rows else ()
    return turned(Table("robustness", f"AUROC {over} under each transform", ("method", *evaluation.transforms), some))


def _state(transform: str) -> str:
    return "images as they are" if transform == NONE else f"images after {transform}"


def _kinds(evaluation: Evaluation) -> Table:
    rows = [_renamed(row) for row in _in_order(evaluation, evaluation.kinds)]
    return from_records("kinds", "How often pictures that are not generated are taken for generated", rows)


def _renamed(row: Json) -> Json:
    """ "over_0.05" is the share above the threshold at 5 % FPR."""
    return {
        _OVER.sub(lambda match: f"flagged at {100 * float(match[1]):g} % FPR", key): value for key, value in row.items()
    }


def _comparisons(evaluation: Evaluation) -> Table:
    rows = []
    for row in _in_order(evaluation, evaluation.comparisons):
        rest = {key: value for key, value in row.items() if key != "interval"}
        rows.append({**rest, "difference_interval": row["interval"]} if "interval" in row else rest)
    note = "Difference: AUROC of the method less that of the other, with DeLong's interval and p, which take images as "
    note += "independent. Where sources are few, trust the interval beside it, for which whole sources were drawn anew."
    return from_records("comparisons", "Pairs of methods on the same images", rows, note)


def _in_order(evaluation: Evaluation, records: Sequence[Json]) -> list[Json]:
    """Those about the images as they are come first: a long table is cut on the page."""
    return sorted(records, key=lambda one: one.get("transform", base(evaluation)) != base(evaluation))


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


def warnings(controls: Iterable[Json]) -> list[str]:
    """What the controls warn of, each once."""
    return list(dict.fromkeys(str(control["warning"]) for control in controls if control.get("warning")))
