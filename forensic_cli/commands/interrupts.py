"""Ctrl-C and SIGTERM: the first asks the scan to finish the batch in hand, the second ends it at once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts(AbstractContextManager["Interrupts"]):
    """`requested` becomes true at the first signal; `say` is told what happens next."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.requested = False
        self._say = say

    def __enter__(self) -> Interrupts:
        self._before = [signal.signal(one, self._first) for one in _SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        for one, handler in zip(_SIGNALS, self._before, strict=True):
            signal.signal(one, handler)

    def _first(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        for one in _SIGNALS:
            signal.signal(one, signal.default_int_handler)
        self._say("finishing the batch in hand and writing the reports; once more stops at once")
