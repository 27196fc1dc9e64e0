"""A detector that is tried, and how it is asked: as the engine would, without one."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from forensic_cli import options
from forensic_cli.contract.samples import Sample
from forensic_cli.detector import Batch, Detector, Session
from forensic_cli.records import Finding

RELATIVE, ABSOLUTE = 1e-4, 1e-6
"""What a number may differ by when an image has other neighbours."""


@dataclass(frozen=True)
class Subject:
    """A detector under test with the settings a user would type."""

    factory: type[Detector]
    settings: dict[str, str]

    def make(self) -> Detector:
        """A fresh detector in a fresh session."""
        session = Session(seed=0, offline=True)
        return self.factory(session, options.build(self.factory.Options, self.settings, self.factory.__name__))

    def find(self, samples: Sequence[Sample]) -> list[Finding]:
        """What a fresh detector in a fresh session finds."""
        return ask(self.make(), samples)


def batch_of(detector: Detector, samples: Sequence[Sample]) -> Batch:
    """A batch as the engine would make it."""
    pixels = detector.looks_at == "pixels"
    return Batch(
        detector.session,
        [sample.ref for sample in samples],
        [sample.pixels for sample in samples] if pixels else (),
        () if pixels else [sample.content for sample in samples],
    )


def ask(detector: Detector, samples: Sequence[Sample]) -> list[Finding]:
    """What it finds in one batch of them."""
    with inference():
        return detector.examine(batch_of(detector, samples))


def inference() -> AbstractContextManager[Any]:
    """Without gradients, if torch is there at all."""
    torch = sys.modules.get("torch")
    return torch.inference_mode() if torch else nullcontext()
