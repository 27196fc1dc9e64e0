"""What runs on what, with which options; and the same made ready to run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from forensic_cli.cache import cache_folder
from forensic_cli.detector import Session
from forensic_cli.engine import methods as roster
from forensic_cli.engine.examining import Runtime
from forensic_cli.engine.methods import Method
from forensic_cli.errors import StoreError, UsageError, WeightsError
from forensic_cli.features.drivers import gpu_driver
from forensic_cli.plugins import Offer, Plugins
from forensic_cli.store import AnyStore, NoStore, Store
from forensic_cli.transforms import Transform, parse


@dataclass(frozen=True)
class Choice:
    """One method with its settings as text, and the name under which it stands in tables."""

    method: str
    settings: dict[str, str] = field(default_factory=dict)
    label: str = ""


@dataclass(frozen=True)
class Ready:
    """Methods with their weights, on their device. `transforms`: each image is shown again after each of them."""

    methods: Sequence[Method]
    session: Session
    runtime: Runtime = field(default_factory=Runtime)
    store: AnyStore = field(default_factory=NoStore)
    batch_size: int = 8
    workers: int = 1
    transforms: Sequence[Transform] = ()


@dataclass(frozen=True)
class Work:
    """What runs, with which options: plain values, which can be pickled and made ready in another process as well.

    `transforms` are spelled as `parse` reads them, `plugins` are loose files, and "auto" is decided where it runs.
    `batch_size`, `workers`: None, or 0, for the usual number there. `store`: a file, or None for the one in the user's
    cache; `no_store`: neither.
    """

    methods: Sequence[Choice]
    transforms: Sequence[str] = ()
    device: str = "auto"
    require_gpu: bool = False
    dtype: str = "auto"
    batch_size: int | None = None
    workers: int | None = None
    seed: int = 0
    store: Path | None = None
    no_store: bool = False
    offline: bool = False
    plugins: Sequence[Path] = ()

    def ready(self, plugins: Plugins | None = None, say: Callable[[str], None] = lambda line: None) -> Ready:
        """Made ready here; `plugins` are this work's, if they are loaded already. `say` is told if there is no store.

        Raises what a person has to know before any image is read: UsageError and PluginError for methods, options and
        device, WeightsError if no method is left that can run, StoreError for a store that was asked for by name.
        """
        plugins = plugins or Plugins(self.plugins)
        offers = [plugins.detector(one.method) for one in self.methods]
        session, runtime, usual = self._place(offers)
        store = self._store(say)
        chosen = zip(offers, self.methods, strict=True)
        methods = [roster.labelled(offer, one.settings, session, one.label or one.method) for offer, one in chosen]
        if all(method.error for method in methods):
            raise WeightsError(methods[0].error or "")
        workers = self.workers or os.cpu_count() or 1
        copies = [parse(text) for text in self.transforms]
        return Ready(methods, session, runtime, store, self.batch_size or usual, workers, copies)

    def _place(self, offers: Sequence[Offer]) -> tuple[Session, Runtime, int]:
        """Where the methods run, and the usual batch size there; torch takes seconds to import, so only if needed."""
        half = self.dtype == "auto"
        if all(offer.factory.looks_at == "file" for offer in offers):
            return Session(self.seed, offline=self.offline), Runtime(), 64
        light = all(offer.factory.looks_at == "file" or offer.factory.light for offer in offers)
        here = self.device == "cpu" or (self.device == "auto" and not gpu_driver())
        if light and here and not self.require_gpu:
            return Session(self.seed, "cpu", "float32" if half else self.dtype, self.offline, half=half), Runtime(), 8
        from forensic_cli.engine import devices

        where = devices.choose_device(self.device, self.require_gpu)
        dtype = devices.choose_dtype(self.dtype)
        session = Session(self.seed, where, dtype, self.offline, self.require_gpu, half=half)
        return session, devices.torch_runtime(where), devices.batch_size(where)

    def _store(self, say: Callable[[str], None]) -> AnyStore:
        if self.no_store or self.store:
            return Store(self.store) if self.store else NoStore()
        try:
            return Store(cache_folder() / "scores.sqlite")
        except (StoreError, UsageError) as error:  # nobody asked for this one by name
            say(f"{error}; this goes on without a store")
            return NoStore()
