"""The run record: what an examiner needs to repeat a scan."""

import platform
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from forensic_cli import __version__, images
from forensic_cli.engine.methods import Method, libraries
from forensic_cli.engine.work import Ready
from forensic_cli.records import Run


def begin(ready: Ready, command: str) -> Run:
    """The record of a run that starts now. Device and dtype are absent where no method looks at pixels."""
    pixels = any(method.looks_at_pixels for method in ready.methods)
    return Run(
        id=uuid4().hex,
        started=_now(),
        finished=None,
        forensic=__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        command=command,
        seed=ready.session.seed,
        device=ready.session.device if pixels else None,
        dtype=ready.session.dtype if pixels else None,
        engine="local",
        methods=tuple(method.use for method in ready.methods),
        libraries={**libraries(ready.methods), "decoder": images.decoder()},
    )


def end(run: Run) -> Run:
    return replace(run, finished=_now())


def settled(run: Run, methods: Sequence[Method]) -> Run:
    """The record with what really ran the network of each method; none where all its findings came from the store."""
    provided = [replace(method.use, provider=method.detector.provider) for method in methods]
    return replace(run, methods=tuple(provided))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
