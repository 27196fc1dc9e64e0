"""A scan inside this process, from paths to records, without store or reports."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from forensic_cli.detector import Session
from forensic_cli.engine import devices, methods
from forensic_cli.engine.scan import scan
from forensic_cli.engine.watching import Watch
from forensic_cli.engine.work import Ready
from forensic_cli.features.encoders.transformers import network
from forensic_cli.paths import find
from forensic_cli.plugins import Plugins


class Scanner:
    """Methods that are loaded and warm, so that only the scan itself is timed. `more`: further options of each."""

    def __init__(self, names: Sequence[str], network: Path, **more: dict[str, str]) -> None:
        settings = {name: {"weights": str(network), **more.get(name, {})} for name in names}
        self.session = Session()
        self.methods = methods.prepare(methods.offers(names, Plugins(), settings), settings, self.session)

    @property
    def model(self) -> Any:
        """The DINOv2 of the first method."""
        return self.session.once(network, weights=self.methods[0].detector.options.weights, family="DINOv2")

    def run(self, paths: Sequence[Path], batch_size: int) -> tuple[float, dict[str, dict[str, float]]]:
        """Seconds, and {path: {method: score}}."""
        start = time.perf_counter()
        runtime, workers = devices.torch_runtime("cpu"), os.cpu_count() or 1
        ready = Ready(self.methods, self.session, runtime, batch_size=batch_size, workers=workers)
        records = list(scan(find([str(path) for path in paths]), ready, Watch()))
        seconds = time.perf_counter() - start
        assert all(record.status == "ok" for record in records)
        return seconds, {record.path: {one.method: one.score for one in record.findings} for record in records}
