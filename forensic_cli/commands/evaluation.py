"""One evaluation with a person in front of it: what was asked, the work, what came out."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from forensic_cli.commands.interrupts import Interrupts
from forensic_cli.commands.listing import pooled
from forensic_cli.commands.parameters import settings
from forensic_cli.commands.prepared import Prepared, Typed
from forensic_cli.datasets import Dataset, read_dataset
from forensic_cli.engine import methods as roster
from forensic_cli.engine import runs
from forensic_cli.engine.evaluating.evaluating import Terms, evaluated
from forensic_cli.engine.evaluating.scoring import Scored, Work, score
from forensic_cli.engine.evaluating.writing import write_results
from forensic_cli.engine.methods import Method
from forensic_cli.errors import PluginError, Stopped, UsageError, WeightsError
from forensic_cli.plugins import Offer, Plugins
from forensic_cli.progress import Silent, observer, tell_left_out
from forensic_cli.recipes import Recipe, load
from forensic_cli.status import Status
from forensic_cli.transforms import expand, parse

if TYPE_CHECKING:
    from forensic_cli.records import Run


@dataclass(frozen=True)
class Asked:
    """What was typed about the evaluation itself."""

    dataset: list[str]
    transforms: list[str]
    layout: str | None
    split: str | None
    real: list[str]
    fake: list[str]
    recipe: str | None
    match: bool
    calibration: Path | None
    fpr: float
    draws: int
    output: Path


def run(asked: Asked, typed: Typed, plugins: Plugins) -> Status:
    """Score, measure, write the folder. Raises UsageError for whatever can be known before the work begins."""
    if not 0 < asked.fpr < 1:
        raise UsageError(f"--fpr {asked.fpr:g}: expected a share between 0 and 1, such as 0.05")
    recipe = load(asked.recipe) if asked.recipe else None
    specs = [name for text in [*(recipe.transforms if recipe else ()), *asked.transforms] for name in expand(text)]
    chosen = [one for one in map(parse, dict.fromkeys(specs)) if one.steps]
    voice = Silent()
    dataset = _dataset(asked, recipe, voice)
    absent: list[tuple[str, str]] = []
    ready = _of_recipe(recipe, typed, plugins, absent) if recipe else _ready(typed, plugins, absent)
    for name, why in absent:
        voice.say(f"{name} is left out: {why}")
    dataset = replace(dataset, left_out=(*dataset.left_out, *((f"[{name}]", why) for name, why in absent)))
    thresholds = _thresholds(asked.calibration, ready.methods, asked.fpr, voice) if asked.calibration else None
    begun = runs.begin(ready.methods, ready.session, shlex.join(["forensic", *sys.argv[1:]]))
    with (
        closing(ready.store),
        observer([], lambda _: len(dataset.items), quiet=False) as watcher,
        Interrupts(watcher.say) as interrupts,
    ):
        work = Work(
            methods=ready.methods,
            transforms=chosen,
            session=ready.session,
            store=ready.store,
            runtime=ready.runtime,
            batch_size=ready.batch_size,
            workers=ready.workers,
            warn=watcher.say,
            watch=watcher.update,
            stop=lambda: interrupts.requested,
        )
        try:
            scored = score(dataset.items, work)
        except Stopped as stopped:
            watcher.say(str(stopped))
            return Status.INTERRUPTED if interrupts.requested else Status.FAILURES
    done = runs.end(runs.settled(begun, ready.methods))
    failed = _finish(asked, dataset, scored, done, ready.methods, thresholds, recipe, voice)
    return Status.FAILURES if failed else Status.DONE


def _finish(
    asked: Asked,
    dataset: Dataset,
    scored: Scored,
    done: Run,
    methods: Sequence[Method],
    thresholds: Mapping[str, float] | None,
    recipe: Recipe | None,
    watcher: Silent,
) -> bool:
    """Measure and write; whether anything was left out because it failed."""
    units = {method.name: method.detector.unit for method in methods}
    terms = Terms(units, asked.fpr, asked.draws, done.seed, asked.match, thresholds)
    evaluation, notes = evaluated(dataset, scored, done, terms, recipe.to_json() if recipe else None)
    tell_left_out(watcher, scored.left_out, ", see left_out in results.json")
    for note in notes:
        watcher.say(note)
    for line in pooled(evaluation.rows):
        print(line)  # noqa: T201  results go to stdout
    write_results(evaluation, asked.output, watcher.say)
    return bool(scored.left_out)


def _ready(typed: Typed, plugins: Plugins, absent: list[tuple[str, str]]) -> Prepared:
    """Methods that can score; the others go to `absent`, with the reason."""
    offers, _ = typed.offers(plugins)
    scoring = [offer for offer in offers if offer.factory.looks_at == "pixels"]
    if typed.methods:
        absent += [(offer.name, "it makes statements and gives no score") for offer in offers if offer not in scoring]
    if not scoring:
        raise UsageError("no method is left that gives a score: name one with --methods")
    ready = typed.prepared(scoring)
    return replace(ready, methods=_able(ready.methods, absent))


def _of_recipe(recipe: Recipe, typed: Typed, plugins: Plugins, absent: list[tuple[str, str]]) -> Prepared:
    """The entries of a recipe that are installed, each under its label; what is not goes to `absent`."""
    if typed.methods:
        raise UsageError("--recipe names the methods: leave --methods out")
    found: list[tuple[Offer, str, dict[str, str]]] = []
    typed_settings = settings(typed.set_, typed.weights)
    for name in typed_settings.keys() - {entry.method for entry in recipe.entries}:
        raise UsageError(f"a setting is given for {name!r}, which is not among the methods of {recipe.name}")
    for entry in recipe.entries:
        try:
            offer = plugins.detector(entry.method)
        except (UsageError, PluginError) as error:
            absent.append((entry.label, str(error)))
            continue
        found.append((offer, entry.label, {**entry.settings, **typed_settings.get(entry.method, {})}))
    if not found:
        raise UsageError(f"no method of the recipe {recipe.name} is installed")
    place = typed.placed([offer for offer, _, _ in found])
    methods = [roster.labelled(offer, chosen, place.session, label) for offer, label, chosen in found]
    return replace(place, methods=_able(methods, absent))


def _able(methods: Sequence[Method], absent: list[tuple[str, str]]) -> list[Method]:
    """Those whose weights are here. Raises WeightsError if there are none."""
    able = [method for method in methods if not method.error]
    if not able:
        raise WeightsError(f"no method is left: {methods[0].error}")
    absent += [(method.name, method.error) for method in methods if method.error]
    for method in able:
        if method.detector.caution:
            Silent().say(f"{method.name}: {method.detector.caution}")
    return able


def _dataset(asked: Asked, recipe: Recipe | None, watcher: Silent) -> Dataset:
    layout = asked.layout or (recipe.data.layout if recipe and asked.dataset else None)
    if recipe and not (asked.dataset or asked.fake):
        where = " ".join(recipe.data.where.split())
        raise UsageError(f"the recipe {recipe.name} needs {recipe.data.name}: name its folder. {where}")
    split = None if asked.split == "all" else asked.split or "unseen"
    dataset = read_dataset(asked.dataset, layout, asked.real, asked.fake, split=split)
    for note in dataset.notes:
        watcher.say(note)
    tell_left_out(watcher, dataset.left_out)
    return dataset


def _thresholds(file: Path, methods: Sequence[Method], fpr: float, voice: Silent) -> dict[str, float]:
    """Of each method the score that a profile flags above; those without one are told. Raises UsageError if that is all."""
    from forensic_cli import profiles

    profile = profiles.read(file)
    found = {}
    for method in methods:
        if method.error:
            continue
        known = profile.methods.get(method.use.name)
        why = known.refusal(method.use) if known else "it is not of this method"
        limit = known.verdict_threshold(fpr) if known and not why else None
        if limit is None:
            voice.say(
                f"{profile.source} gives no threshold of {method.name}: {why or 'too few photographs'}; set on the data"
            )
        else:
            found[method.name] = limit
    if not found:
        raise UsageError(f"{profile.source} gives no threshold of any of these methods")
    return found
