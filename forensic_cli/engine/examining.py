"""Runs detectors on batches so that one image, one detector or too small a memory takes nobody else down."""

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from dataclasses import dataclass, replace
from math import isfinite

from forensic_cli.detector import Batch, Session
from forensic_cli.engine.loading import Loaded
from forensic_cli.engine.methods import Method
from forensic_cli.errors import PluginError, WeightsError, out_of_memory, reason
from forensic_cli.records import Finding

Results = list[dict[str, Finding]]

_TOO_LARGE = "out of memory on a single image"


@dataclass(frozen=True)
class Runtime:
    """What the engine needs from around it: a context for inference, a way to free memory, whom to tell of a failure."""

    inference: Callable[[], AbstractContextManager[object]] = nullcontext
    free: Callable[[], None] = lambda: None
    trace: Callable[[BaseException], None] = lambda error: None


class Examiner:
    """Shows batches to the methods of one run. `limit` is the batch size that was found to fit into memory so far.

    `draw` gets each batch with what a method found in it, before the batch is let go.
    """

    def __init__(
        self,
        session: Session,
        methods: Sequence[Method],
        runtime: Runtime,
        limit: int,
        draw: Callable[[Method, Batch, Sequence[Finding]], None] = lambda method, batch, findings: None,
    ) -> None:
        self.limit = limit
        self._draw = draw
        self._session = session
        self._methods = methods
        self._runtime = runtime
        self._dead: dict[str, str] = {}

    @property
    def hopeless(self) -> str | None:
        """Why, if no method is left that could find anything."""
        names = [method.name for method in self._methods]
        return f"{names[0]}: {self._dead[names[0]]}" if names and self._dead.keys() >= set(names) else None

    def examine(self, group: Sequence[Loaded]) -> Results:
        """What the missing methods find in each file; files that lack the same methods share one batch."""
        results: Results = [{} for _ in group]
        for looks_at in ("file", "pixels"):
            methods = [method for method in self._methods if method.detector.looks_at == looks_at]
            parties: dict[tuple[str, ...], list[int]] = {}
            for index, loaded in enumerate(group):
                if (loaded.content if looks_at == "file" else loaded.image) is not None:
                    lacking = tuple(method.name for method in methods if method.name not in loaded.known)
                    parties.setdefault(lacking, []).append(index)
            for lacking, indices in parties.items():
                party = [method for method in methods if method.name in lacking]
                first = {group[index].sha256: index for index in reversed(indices)}  # copies are examined once
                found = self._party([group[index] for index in first.values()], party)
                of = dict(zip(first, found, strict=True))
                for index in indices:
                    results[index] |= of[group[index].sha256]
        return results

    def _party(self, group: Sequence[Loaded], methods: Sequence[Method]) -> Results:
        results: Results = [{} for _ in group]
        batch = self._batch(group)
        for method in methods:
            for found, finding in zip(results, self._examine(method, group, batch), strict=True):
                found[method.name] = finding
        return results

    def _batch(self, group: Sequence[Loaded]) -> Batch:
        return Batch(
            self._session,
            [loaded.ref for loaded in group if loaded.ref],
            [loaded.image for loaded in group if loaded.image is not None],
            [loaded.content for loaded in group if loaded.content is not None],
        )

    def _examine(self, method: Method, group: Sequence[Loaded], batch: Batch) -> list[Finding]:
        """One finding per file; a failure is retried in halves (memory) or one by one (anything else)."""
        if method.name in self._dead:
            return [Finding(method.name, error=self._dead[method.name])] * len(group)
        try:
            return self._asked(method, batch)
        except WeightsError as error:
            self._dead[method.name] = reason(error)
            self._runtime.trace(error)
            return [Finding(method.name, error=self._dead[method.name])] * len(group)
        except (Exception, SystemExit) as error:
            memory = out_of_memory(error)
            if len(group) == 1:
                self._runtime.trace(error)
                return [Finding(method.name, error=_TOO_LARGE if memory else reason(error))]
        step = (len(group) + 1) // 2 if memory else 1
        if memory:
            batch.forget()
            self._runtime.free()
        parts = [group[start : start + step] for start in range(0, len(group), step)]
        findings = [finding for part in parts for finding in self._examine(method, part, self._batch(part))]
        if memory and not any(finding.error == _TOO_LARGE for finding in findings):
            self.limit = min(self.limit, step)  # one giant among the images would not tell what fits
        return findings

    def _asked(self, method: Method, batch: Batch) -> list[Finding]:
        with self._runtime.inference(), redirect_stdout(sys.stderr):  # a chatty plugin must not write into a report
            findings = method.detector.examine(batch)
            if len(findings) != len(batch) or not all(isinstance(finding, Finding) for finding in findings):
                raise PluginError(f"{method.use.distribution}: {len(findings)} findings for {len(batch)} images")
            sound = [_sound(finding, method.name) for finding in findings]
            self._draw(method, batch, sound)
        return sound


def _sound(finding: Finding, method: str) -> Finding:
    """The finding with plain numbers, fit for every report. Raises TypeError or ValueError where it cannot be."""
    score = None if finding.score is None else float(finding.score)
    if score is not None and not isfinite(score):
        return Finding(method, error=f"the score is {score}")
    seconds = None if finding.seconds is None else float(finding.seconds)
    sound = replace(finding, method=method, score=score, seconds=seconds, claims=tuple(finding.claims))
    json.dumps(sound.to_json(), allow_nan=False)
    return sound
