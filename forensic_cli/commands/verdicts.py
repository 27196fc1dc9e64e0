"""What a scan's verdicts rest on: the profile that was given, else what the methods bring themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from forensic_cli.errors import UsageError
from forensic_cli.progress import say

if TYPE_CHECKING:
    from forensic_cli.engine.judging import Basis, Judge
    from forensic_cli.engine.methods import Method
    from forensic_cli.statistics.combining import Rule


def judge(
    methods: Sequence[Method], file: Path | None, fpr: float | None, fdr: float | None, rule: Rule | None
) -> Judge | None:
    """None where no method is calibrated. Raises UsageError for rates that are none and for a profile that does not fit."""
    for name, rate in (("--fpr", fpr), ("--fdr", fdr)):
        if rate is not None and not 0 < rate < 1:
            raise UsageError(f"{name} {rate:g}: expected a share between 0 and 1, such as 0.01")
    if fpr is not None and fdr is not None:
        raise UsageError("--fpr and --fdr exclude each other: one line is drawn, by the one rate or the other")
    bases = {**_own(methods), **_given(methods, file)}
    if not bases:
        for name, value in (("--fpr", fpr), ("--fdr", fdr), ("--combination", rule)):
            if value is not None:
                raise UsageError(
                    f"{name} needs a calibrated method: make a profile with forensic calibrate PHOTOS -m METHOD"
                )
        return None
    from forensic_cli.engine.judging import Judge, Point
    from forensic_cli.profiles import USUAL

    made = Judge(bases, Point(USUAL if fpr is None else fpr, fdr, rule or "bonferroni"))
    if lacking := made.lacking():
        say(lacking)
    return made


def _own(methods: Sequence[Method]) -> dict[str, Basis]:
    """The profiles that methods bring with their weights."""
    from forensic_cli.abilities import Calibrates

    able = [method for method in methods if not method.error and isinstance(method.detector, Calibrates)]
    found = {}
    for method in able:
        assert isinstance(method.detector, Calibrates)
        profile = method.detector.calibration()
        if profile is not None:
            from forensic_cli.engine.judging import Basis

            (scores,) = profile.methods.values()
            found[method.name] = Basis(scores, profile.photographs, f"{method.name}'s own")
    return found


def _given(methods: Sequence[Method], file: Path | None) -> dict[str, Basis]:
    """What of a profile concerns this scan. Raises UsageError if that is nothing, or was made of other weights."""
    if file is None:
        return {}
    from forensic_cli import profiles
    from forensic_cli.engine.judging import Basis

    profile = profiles.read(file)
    found = {}
    for method in methods:
        scores = profile.methods.get(method.name)
        if scores is None or method.error:
            continue
        why = scores.refusal(method.use)
        if why:
            raise UsageError(f"{profile.source} does not fit {method.name}: {why}; calibrate again")
        found[method.name] = Basis(scores, profile.photographs, profile.source)
    if not found:
        names = ", ".join(profile.methods)
        raise UsageError(f"{profile.source} is of {names}, which this scan does not run: name it with --methods")
    return found
