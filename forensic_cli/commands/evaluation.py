"""One evaluation with a person in front of it: what was asked, the work, what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from forensic_cli.commands.listing import pooled
from forensic_cli.datasets import Dataset, read_dataset
from forensic_cli.engine import runs
from forensic_cli.engine.evaluating.evaluating import Terms, evaluated
from forensic_cli.engine.evaluating.scoring import Scored, score
from forensic_cli.engine.evaluating.writing import write_results
from forensic_cli.engine.methods import Method
from forensic_cli.engine.work import Choice, Ready
from forensic_cli.errors import PluginError, Stopped, UsageError
from forensic_cli.plugins import Plugins
from forensic_cli.progress import Voice, Watcher, command_line, say
from forensic_cli.recipes import Recipe, load
from forensic_cli.status import Status
from forensic_cli.transforms import expand, parse

if TYPE_CHECKING:
    from forensic_cli.commands.asked import Asked
    from forensic_cli.commands.parameters import Machine
    from forensic_cli.records import Run


def run(asked: Asked, machine: Machine, plugin: Sequence[Path] | None) -> Status:
    """Score, measure, write the folder. Raises UsageError for whatever can be known before the work begins."""
    if not 0 < asked.fpr < 1:
        raise UsageError(f"--fpr {asked.fpr:g}: expected a share between 0 and 1, such as 0.05")
    plugins = Plugins(plugin or ())
    recipe = load(asked.recipe) if asked.recipe else None
    specs = [name for text in [*(recipe.transforms if recipe else ()), *(asked.transform or ())] for name in expand(text)]
    chosen = [name for name in dict.fromkeys(specs) if parse(name).steps]
    dataset = _dataset(asked, recipe)
    absent: list[tuple[str, str]] = []
    choices = _of_recipe(recipe, asked, machine, plugins, absent) if recipe else _scoring(asked, machine, plugins, absent)
    ready = _able(machine.work(choices, plugin, chosen).ready(plugins, say), absent)
    for name, why in absent:
        say(f"{name} is left out: {why}")
    dataset = replace(dataset, left_out=(*dataset.left_out, *((f"[{name}]", why) for name, why in absent)))
    thresholds = _thresholds(asked.calibration, ready.methods, asked.fpr) if asked.calibration else None
    begun = runs.begin(ready, command_line())
    with closing(ready.store), Watcher(lambda: len(dataset.items)) as watch:
        try:
            scored = score(dataset.items, ready, watch)
        except Stopped as stopped:
            watch.say(str(stopped))
            return Status.INTERRUPTED if watch.interrupted else Status.FAILURES
    done = runs.end(runs.settled(begun, ready.methods))
    failed = _finish(asked, dataset, scored, done, ready.methods, thresholds, recipe)
    return Status.FAILURES if failed else Status.DONE


def _finish(
    asked: Asked,
    dataset: Dataset,
    scored: Scored,
    done: Run,
    methods: Sequence[Method],
    thresholds: Mapping[str, float] | None,
    recipe: Recipe | None,
) -> bool:
    """Measure and write; whether anything was left out because it failed."""
    units = {method.name: method.detector.unit for method in methods}
    terms = Terms(units, asked.fpr, asked.draws, done.seed, asked.match, thresholds)
    evaluation, notes = evaluated(dataset, scored, done, terms, recipe.to_json() if recipe else None)
    Voice().tell_left_out(scored.left_out, ", see left_out in results.json")
    for note in notes:
        say(note)
    for line in pooled(evaluation.rows):
        print(line)  # noqa: T201  results go to stdout
    write_results(evaluation, asked.output, say)
    return bool(scored.left_out)


def _scoring(asked: Asked, machine: Machine, plugins: Plugins, absent: list[tuple[str, str]]) -> list[Choice]:
    """Methods that give a score; the others go to `absent`, with the reason, if they were asked for."""
    offers, _ = machine.offers(asked.methods, plugins)
    scoring = [offer for offer in offers if offer.factory.looks_at == "pixels"]
    if asked.methods:
        absent += [(offer.name, "it makes statements and gives no score") for offer in offers if offer not in scoring]
    if not scoring:
        raise UsageError("no method is left that gives a score: name one with --methods")
    return machine.choices(scoring)


def _of_recipe(
    recipe: Recipe, asked: Asked, machine: Machine, plugins: Plugins, absent: list[tuple[str, str]]
) -> list[Choice]:
    """The entries of a recipe that are installed, each under its label; what is not goes to `absent`."""
    if asked.methods:
        raise UsageError("--recipe names the methods: leave --methods out")
    found: list[Choice] = []
    typed = machine.settings()
    for name in typed.keys() - {entry.method for entry in recipe.entries}:
        raise UsageError(f"a setting is given for {name!r}, which is not among the methods of {recipe.name}")
    for entry in recipe.entries:
        try:
            plugins.detector(entry.method)
        except (UsageError, PluginError) as error:
            absent.append((entry.label, str(error)))
            continue
        found.append(Choice(entry.method, {**entry.settings, **typed.get(entry.method, {})}, entry.label))
    if not found:
        raise UsageError(f"no method of the recipe {recipe.name} is installed")
    return found


def _able(ready: Ready, absent: list[tuple[str, str]]) -> Ready:
    """Without the methods whose weights are not here; they go to `absent`."""
    able = [method for method in ready.methods if not method.error]
    absent += [(method.name, method.error) for method in ready.methods if method.error]
    for method in able:
        if method.detector.caution:
            say(f"{method.name}: {method.detector.caution}")
    return replace(ready, methods=able)


def _dataset(asked: Asked, recipe: Recipe | None) -> Dataset:
    layout = asked.layout or (recipe.data.layout if recipe and asked.dataset else None)
    if recipe and not (asked.dataset or asked.fake):
        where = " ".join(recipe.data.where.split())
        raise UsageError(f"the recipe {recipe.name} needs {recipe.data.name}: name its folder. {where}")
    split = None if asked.split == "all" else asked.split or "unseen"
    dataset = read_dataset(asked.dataset or (), layout, asked.real or (), asked.fake or (), split=split)
    for note in dataset.notes:
        say(note)
    Voice().tell_left_out(dataset.left_out)
    return dataset


def _thresholds(file: Path, methods: Sequence[Method], fpr: float) -> dict[str, float]:
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
            say(f"{profile.source} gives no threshold of {method.name}: {why or 'too few photographs'}; set on the data")
        else:
            found[method.name] = limit
    if not found:
        raise UsageError(f"{profile.source} gives no threshold of any of these methods")
    return found
