"""The page that a person opens first: everything in one file, without scripts and without the network."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from html import escape
from importlib.resources import files

from forensic_cli.datasets.labelled import GENERATED, HANDMADE, PHOTOGRAPH
from forensic_cli.engine.evaluating.figures.canvas import inlined
from forensic_cli.engine.evaluating.figures.figures import Drawing
from forensic_cli.engine.evaluating.measuring.results import NONE, Evaluation
from forensic_cli.engine.evaluating.tables.cells import Table
from forensic_cli.engine.evaluating.tables.rendering import numeric, shown
from forensic_cli.engine.evaluating.tables.tables import base, methods, warnings
from forensic_cli.text import printable, visible

ROWS = 60
"""A longer table is cut on the page; its file has all of it."""
LISTED = 50
"""So many files that were left out are named, of all others only the number."""

_MAIN = ("summary", "auroc")
_IN_ROBUSTNESS = "robustness"


def page(evaluation: Evaluation, tables: Mapping[str, Table], drawings: Sequence[Drawing]) -> str:
    """The whole HTML document."""
    title = (evaluation.recipe or {}).get("title") or "Evaluation"
    figures = [drawing for drawing in drawings if drawing.name != _IN_ROBUSTNESS]
    body = [
        f"<h1>{_text(title)}</h1>",
        f"<p class=lead>{_text(sentence(evaluation))}</p>",
        _controls(evaluation, tables),
        _section("How well each method does", (_table(tables[name]) for name in _MAIN if name in tables)),
        _section("Figures", [f"<div class=figures>{''.join(map(_figure, figures))}</div>"] if figures else []),
        _section("After compression, resizing and the like", _robustness(tables, drawings)),
        _section("False alarms by kind of picture", _as_they_are(evaluation, tables, "kinds")),
        _section("Methods compared in pairs", _as_they_are(evaluation, tables, "comparisons")),
        _section("Published and measured here", _one(tables, "published")),
        _section("What was left out", _left_out(evaluation)),
        _section("The run", _run(evaluation)),
    ]
    style = files(__package__).joinpath("page.css").read_text("utf-8")
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{_text(title)}</title>\n'
        f"<style>\n{style}</style>\n</head>\n"
    )
    inside = "\n".join(filter(None, body))
    return f"{head}<body>\n<main>\n{inside}\n</main>\n</body>\n</html>\n"


def sentence(evaluation: Evaluation) -> str:
    """What was evaluated."""
    counts = Counter(image.label for image in evaluation.images)
    names = {image.generator for image in evaluation.images if image.label == GENERATED}
    shown_images = [_number(counts[PHOTOGRAPH], "photograph")]
    if counts[HANDMADE]:
        shown_images.append(_number(counts[HANDMADE], "handmade picture"))
    shown_images.append(_number(counts[GENERATED], "generated image"))
    several = f" by {_number(len(names), 'generator')}" if len(names) > 1 else ""
    altered = sum(transform != NONE for transform in evaluation.transforms)
    states = ["as they are"] * (NONE in evaluation.transforms or not altered)
    states += [f"after {_number(altered, 'transform')}"] if altered else []
    who = _number(len(methods(evaluation)), "method")
    return f"{who} judged {_listed(shown_images)}{several}, {_listed(states)}."


def _controls(evaluation: Evaluation, tables: Mapping[str, Table]) -> str:
    """The loudest part: what makes all numbers below doubtful."""
    loud = [f"<li>{_text(line[:1].upper() + line[1:])}</li>" for line in warnings(evaluation.controls)]
    boxes = (
        [f"<div class=warning role=alert><strong>Before you read on</strong><ul>{''.join(loud)}</ul></div>"] if loud else []
    )
    return "".join([*boxes, _section("Controls", _one(tables, "controls"))])


def _robustness(tables: Mapping[str, Table], drawings: Iterable[Drawing]) -> list[str]:
    return [*map(_figure, (one for one in drawings if one.name == _IN_ROBUSTNESS)), *_one(tables, "robustness")]


def _left_out(evaluation: Evaluation) -> list[str]:
    if not evaluation.left_out:
        return ["<p>Nothing.</p>"]
    reasons = Counter(why for _, why in evaluation.left_out)
    several = [f"<li>{_number(number, 'case')}: {_text(why)}</li>" for why, number in reasons.most_common(LISTED)]
    lines = [f"<li><code>{_text(path)}</code>: {_text(why)}</li>" for path, why in evaluation.left_out[:LISTED]]
    rest = len(evaluation.left_out) - len(lines)
    more = f"<p>And {rest:,} more: see <a href=results.json>results.json</a>.</p>" if rest else ""
    return [f"<ul>{''.join(several)}</ul><details><summary>Which</summary><ul>{''.join(lines)}</ul>{more}</details>"]


def _run(evaluation: Evaluation) -> list[str]:
    run = evaluation.run
    facts: list[tuple[str, object]] = [
        ("command", run.command),
        ("started", run.started),
        ("finished", run.finished or "not finished"),
        ("forensic", run.forensic),
        ("seed", run.seed),
        ("device", " ".join(filter(None, (run.device, run.dtype))) or "none needed"),
        ("platform", f"{run.platform}, Python {run.python}"),
        *((f"method {use.name}", f"{use.distribution} {use.version}".strip()) for use in run.methods),
        *((f"{name}", version) for name, version in run.libraries.items()),
    ]
    rows = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts)
    others = (
        "<p>Beside this page: <a href=results.json>results.json</a> (everything, for programs), "
        "<a href=scores.csv>scores.csv</a> (every score), <a href=tables/>tables/</a> (CSV, LaTeX, Markdown), "
        "<a href=figures/>figures/</a> (SVG, PNG).</p>"
    )
    return [f"<dl>{rows}</dl>", others]


def _section(title: str, parts: Iterable[str]) -> str:
    inside = "".join(parts)
    return f"<section><h2>{_text(title)}</h2>{inside}</section>" if inside else ""


def _one(tables: Mapping[str, Table], name: str) -> list[str]:
    return [_table(tables[name])] if name in tables else []


def _as_they_are(evaluation: Evaluation, tables: Mapping[str, Table], name: str) -> list[str]:
    """The rows about images as they are; those about transforms are in the file."""
    if name not in tables:
        return []
    table = tables[name]
    place = table.header.index("transform") if "transform" in table.header else None
    some = tuple(row for row in table.rows if place is None or row[place] == base(evaluation))
    return [_table(replace(table, rows=some), len(table.rows) - len(some))]


def _table(table: Table, hidden: int = 0) -> str:
    kinds = [" class=n" if number else "" for number in numeric(table)]
    head = "".join(f"<th scope=col{kind}>{_text(name)}</th>" for name, kind in zip(table.header, kinds, strict=True))
    lines = []
    for row in table.rows[:ROWS]:
        first, *rest = (_text(shown(cell)) for cell in row)
        cells = "".join(f"<td{kind}>{_breaking(cell)}</td>" for cell, kind in zip(rest, kinds[1:], strict=True))
        lines.append(f"<tr><th scope=row>{first}</th>{cells}</tr>")
    hidden += max(0, len(table.rows) - ROWS)
    more = f"{_number(hidden, 'more row')} in the file. " if hidden else ""
    links = " ".join(f"<a href=tables/{table.name}.{suffix}>{suffix}</a>" for suffix in ("csv", "tex", "md"))
    note = f"<p class=note>{_text(table.note)} {more}<span>{links}</span></p>"
    caption = f"<h3>{_text(table.title)}</h3>"
    wide = f"<div class=wide tabindex=0><table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    return f"{caption}{wide}{note}"


def _breaking(cell: str) -> str:
    """The interval below its value."""
    value, bracket, ends = cell.partition(" [")
    return f"{value} <small>[{ends}</small>" if bracket and ends.endswith("]") else cell


def _figure(drawing: Drawing) -> str:
    links = " ".join(f"<a href=figures/{drawing.name}.{suffix}>{suffix}</a>" for suffix in ("svg", "png"))
    picture = inlined(drawing.svg, drawing.name)
    return f"<figure>{picture}<figcaption>{_text(drawing.caption)} <span>{links}</span></figcaption></figure>"


def _text(value: object) -> str:
    """Strangers' text: visible, and no markup."""
    return escape(visible(printable(str(value))))


def _number(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
