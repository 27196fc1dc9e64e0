"""`forensic calibrate`: what photographs like the user's own score, so that a scan can say how often it is wrong."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forensic_cli.commands.parameters import Debug, Machine, Methods, PluginFiles, spread
from forensic_cli.status import Status

if TYPE_CHECKING:
    from forensic_cli.engine.calibrating import Collected
    from forensic_cli.engine.work import Ready
    from forensic_cli.profiles import Profile


@spread
def calibrate(
    *,
    photographs: Annotated[
        list[str],
        typer.Argument(metavar="PHOTOS...", help="Photographs, and nothing else: files, folders, globs, @list.txt, -."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the profile is written (.json).")],
    methods: Methods = None,
    generated: Annotated[
        list[str] | None,
        typer.Option("--generated", metavar="PATH", help="Generated images, for likelihood ratios. Repeatable."),
    ] = None,
    likelihood: Annotated[
        Literal["logistic", "isotonic", "kde"] | None,
        typer.Option(help="With --generated: how scores become likelihood ratios. [logistic]"),
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for pictures: score histograms, and with --generated Tippett and ECE plots."
        ),
    ] = None,
    machine: Machine,
    plugin: PluginFiles = None,
    debug: Debug = False,
) -> int:
    """Score photographs that are known to be photographs, and write a profile that gives a scan its error rates.

    The rates hold for photographs like these: take them from where the images come from that you will judge. 300 can
    show a false-positive rate of 1 %, 3,000 one of 0.1 %.
    """
    from forensic_cli.engine import runs
    from forensic_cli.engine.calibrating import profile
    from forensic_cli.errors import UsageError, WeightsError
    from forensic_cli.plugins import Plugins
    from forensic_cli.progress import command_line, say
    from forensic_cli.writing import check_writable

    if output.suffix.lower() != ".json":
        raise UsageError(f"-o {output}: a profile is a .json file")
    if likelihood and not generated:
        raise UsageError("--likelihood needs generated images to compare with: name some with --generated")
    check_writable(output)
    plugins = Plugins(plugin or ())
    offers, _ = machine.offers(methods, plugins)
    scoring = [offer for offer in offers if offer.factory.looks_at == "pixels"]
    if not scoring:
        raise UsageError(f"{', '.join(offer.name for offer in offers)} makes statements, there are no scores to calibrate")
    ready = machine.work(machine.choices(offers), plugin).ready(plugins, say)
    names = {offer.name for offer in scoring}
    able = [method for method in ready.methods if method.name in names and not method.error]
    if not able:
        raise WeightsError(next(method.error or "" for method in ready.methods if method.name in names))
    run = runs.begin(ready, command_line())
    with closing(ready.store):
        known = _collected(photographs, ready, is_generated=False)
        others = _collected(generated, ready, is_generated=True, besides=known) if known and generated else None
    if known is None or (generated and others is None):
        say("interrupted; what was scored is kept, the same command goes on from here")
        return Status.INTERRUPTED
    made = profile(run, able, known, photographs, others, generated or (), likelihood or "logistic")
    made.write(output)
    for line in _told(made, output):
        say(line)
    if plots:
        from forensic_cli.engine.evaluating.figures.profile import draw

        for file in draw(made, plots):
            say(f"drawn: {file}")
    failed = known.failed or (others and others.failed) or any(method.error for method in ready.methods)
    return Status.FAILURES if failed else Status.DONE


def _collected(
    images: Sequence[str], ready: Ready, *, is_generated: bool, besides: Collected | None = None
) -> Collected | None:
    """What all of them scored, without what is among those `besides`; None if the user interrupted it."""
    from forensic_cli import paths
    from forensic_cli.engine.calibrating import Collected
    from forensic_cli.engine.scan import scan
    from forensic_cli.progress import Watcher

    collected = Collected(met=set(besides.met) if besides else set())
    with Watcher(lambda: paths.count(images)) as watch:
        for method in ready.methods:
            if not is_generated and (method.error or method.detector.caution):
                watch.say(method.error or f"{method.name}: {method.detector.caution}")
        for record in scan(paths.find(images, getattr(sys.stdin, "buffer", None)), ready, watch):
            watch.take(record)
            collected.take(record, generated=is_generated)
        if watch.interrupted:
            return None
        watch.tell_left_out(collected.left_out)
    return collected


def _told(profile: Profile, output: Path) -> list[str]:
    """The profile in a few sentences."""
    from forensic_cli.profiles import counted
    from forensic_cli.statistics.conformal import fewest

    number = min(len(one.photographs) * one.worth for one in profile.methods.values())
    rate = next((rate for rate in (0.01, 0.05, 0.1) if fewest(rate) <= number), None)
    more = "" if rate == 0.01 else f" --fpr {rate:g}" if rate else " --fpr RATE"
    use = f"forensic scan PATH -m {','.join(profile.methods)} --calibration {output}{more}"
    lines = [f"written: {output} (use it: {use})"]
    for name, one in profile.methods.items():
        lines.append(f"{name}: {counted(len(one.photographs), one.sources, one.worth)}")
        for limit in one.thresholds:
            low, high = limit["share_interval"]
            if limit["score"] is not None:
                lines.append(
                    f"  {limit['fpr']:>5.1%} false positives: score above {limit['score']:.4g} "
                    f"(the true share is {low:.2%} to {high:.2%}, 95 % confidence)"
                )
        lines += [f"  {sentence}" for sentence in one.limits]
        if one.likelihood:
            lines.append(
                f"  likelihood ratios: Cllr {one.likelihood['cllr']:.3f}, least possible {one.likelihood['cllr_min']:.3f} "
                "(1 tells nothing)"
            )
    return lines
