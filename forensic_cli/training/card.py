"""The model card: what a trained model is, what it saw, what it was measured on, where it fails, how to make it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forensic_cli.datasets import Labelled
from forensic_cli.profiles import counted
from forensic_cli.writing import atomic

if TYPE_CHECKING:
    from forensic_cli.engine.measuring import Measured

_WEAKEST = 8


@dataclass(frozen=True)
class Card:
    """What a card tells: the record of the training, its images, and what was measured on those held out."""

    record: dict[str, Any]
    known: Sequence[Labelled]
    unseen: Sequence[Labelled]
    measured: Measured | None


def write_card(file: Path, card: Card) -> None:
    """README.md of a model folder, in Markdown."""
    parts = [_head(card), _figures(card), _kinds(card), _again(card), _data(card)]
    with atomic(file) as stream:
        stream.write("\n".join(part for part in parts if part).encode("utf-8", "backslashreplace"))


def _head(card: Card) -> str:
    record, recipe, data = card.record, card.record["recipe"], card.record["data"]
    lessons = f"for {recipe['steps']:,} steps of {recipe['batch']}, " if "steps" in recipe else ""
    return f"""# {recipe.get("backbone", "A detector")}, trained with `forensic train {record["method"]}`

Gives the log-odds that an image was generated; higher means more likely generated. A score ranks images and is no verdict:
below every threshold is not "authentic".

Trained on {data["trained_on"]:,} images, {lessons}from {record["started_from"]}.
Held out{", whole sources at a time," * (not record.get("doubts"))} and never trained on: {data["held_out"]:,} images.
"""


def _figures(card: Card) -> str:
    measured = card.measured
    if measured is None:
        return "Nothing was held out, so nothing was measured: no figure could be trusted.\n"
    known = measured.calibrated
    rates = known.verdict_thresholds
    if not measured.conditions:
        photographs = counted(len(known.photographs), known.sources, known.worth)
        return (
            f"{photographs} were held out and calibrate its verdicts. No generated image was, so nothing is known of what "
            "it finds.\n"
        )
    rows = []
    for name, one in measured.conditions.items():
        cells = [_with_interval(one, key) for key in ("auroc", "tpr_at_fpr_0.05", "tpr_at_fpr_0.01")]
        over = (f"{real:.1%} and {fake:.1%}" for real, fake in (one["over"][f"{rate:g}"] for rate in rates))
        rows.append([name, *cells, *over])
    native = measured.conditions["native"]
    control = "not known" if measured.zero_pixel is None else f"{measured.zero_pixel:.3f}"
    worst = sorted(measured.generators, key=lambda row: float(row["auroc"]))[:_WEAKEST]
    head = ["files", "AUROC", "recall at 5 % FPR", "recall at 1 % FPR", *(f"verdicts at {rate:.1%}" for rate in rates)]
    return f"""## On {"images" if card.record.get("doubts") else "sources"} it never saw

{counted(native["n_real"], known.sources, known.worth)}, {native["n_generated"]:,} generated images; 95 % intervals over
whole sources (bootstrap). A verdict at a rate is drawn where, with 95 % confidence over sources, no larger share of the
photographs scores so high: which photographs and which generated images it calls generated stands in the last columns, at
thresholds from the native files.

{_table(head, rows)}
{_doubts(card)}A control that sees no pixel, only suffix, size and bytes per pixel, has AUROC {control} on the same split.

By family of generators:

{_table(*_found(measured.families, "family", list(rates)))}
Where it is weakest, of the held-out generators with five images or more:

{_table(*_found(worst, "generator", list(rates)))}"""


def _found(rows: Sequence[dict[str, Any]], word: str, rates: Sequence[float]) -> tuple[list[str], list[list[str]]]:
    """A table of generators: what is in each, and which part a scan calls generated."""
    cells = [
        [
            one[word],
            str(one["n"]),
            f"{one['auroc']:.3f}",
            *(_share(one, f"over_{rate:g}", f"over_{rate:g}_interval") for rate in rates),
        ]
        for one in rows
    ]
    return [word, "images", "AUROC", *(f"called generated at {rate:.1%}" for rate in rates)], cells


def _doubts(card: Card) -> str:
    """What so few images cannot tell."""
    classes = [("photographs", "photograph"), ("generated images", "generated")]
    sources = {words: {item.source for item in card.unseen if item.label == label} for words, label in classes}
    doubts = [f"{doubt}\n" for doubt in card.record.get("doubts", ())]
    doubts += [
        f"All {words} come from one source, so that the intervals of this table say too little.\n"
        for words, found in sources.items()
        if len(found) < 2
    ]
    if card.measured and not card.measured.calibrated.verdict_thresholds:
        doubts.append("There are too few photographs for a threshold at any false-positive rate.\n")
    return "".join(f"{doubt}\n" for doubt in doubts)


def _kinds(card: Card) -> str:
    rates = [f"{rate:g}" for rate in card.measured.calibrated.verdict_thresholds] if card.measured else []
    if card.measured is None or not card.measured.kinds or not rates:
        return ""
    rows = [
        [one["kind"], str(one["n"]), *(_share(one, f"over_{rate}", f"over_{rate}_interval") for rate in rates)]
        for one in card.measured.kinds
    ]
    head = ["kind of picture", "images", *(f"called generated at {float(rate):.1%}" for rate in rates)]
    return "## Wrongly flagged, by kind of picture\n\n" + _table(head, rows)


def _again(card: Card) -> str:
    record = card.record
    recipe = "".join(f"- {name}: {value}\n" for name, value in record["recipe"].items())
    return f"""## To make it again

```
{record["command"]}
```

Seed {record["seed"]}, {record["dtype"]}; fingerprint of the data `{record["data"]["fingerprint"]}`. The recipe:

{recipe}"""


def _data(card: Card) -> str:
    held, known = ({item.source for item in some} for some in (card.unseen, card.known))
    counts: Counter[tuple[str, str, str]] = Counter()
    for item in (*card.known, *card.unseen):
        counts[item.source, item.label, item.licence or "not stated"] += 1
    rows = [
        [
            source,
            what,
            str(number),
            licence,
            "" if source not in held else "held out in part" if source in known else "held out",
        ]
        for (source, what, licence), number in sorted(counts.items())
    ]
    return f"""## Data

Source by source, with the licence that the source states. Images whose licence is not stated, or does not allow it, were
trained on and are not redistributed.

{_table(["source", "images of", "number", "licence", ""], rows)}"""


def _with_interval(one: dict[str, Any], key: str) -> str:
    low, high = one[f"{key}_interval"]
    return f"{one[key]:.3f} ({low:.3f} to {high:.3f})"


def _share(one: dict[str, Any], key: str, interval: str) -> str:
    low, high = one[interval]
    return f"{one[key]:.1%} ({low:.1%} to {high:.1%})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |\n" for line in lines
    )
