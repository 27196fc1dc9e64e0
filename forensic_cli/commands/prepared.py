"""What scan, calibrate and evaluate do alike before the first image: methods, device, store."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from forensic_cli.commands.parameters import check_device, method_names, settings

if TYPE_CHECKING:
    from forensic_cli.detector import Session
    from forensic_cli.engine.examining import Runtime
    from forensic_cli.engine.methods import Method
    from forensic_cli.plugins import Offer, Plugins
    from forensic_cli.store import AnyStore


@dataclass(frozen=True)
class Prepared:
    """Ready to run."""

    methods: list[Method]
    session: Session
    runtime: Runtime
    store: AnyStore
    batch_size: int
    workers: int


@dataclass(frozen=True)
class Typed:
    """What was typed about methods and machine."""

    methods: list[str] | None
    set_: list[str] | None
    weights: list[str] | None
    device: str
    require_gpu: bool
    dtype: str
    batch_size: int | None
    workers: int | None
    seed: int
    store: Path | None
    no_store: bool
    offline: bool

    def offers(self, plugins: Plugins) -> tuple[list[Offer], list[str]]:
        """The plugins asked for, imported, and a line about each that would join the usual ones."""
        from forensic_cli.engine import methods as roster

        names, hints = method_names(self.methods), list[str]()
        if not names:
            names, hints = roster.usual(plugins)
        return roster.offers(names, plugins, settings(self.set_, self.weights)), hints

    def prepared(self, offers: Sequence[Offer]) -> Prepared:
        """Methods with their weights, on their device. Raises what a person has to know before any image is read."""
        from forensic_cli.engine import methods as roster

        place = self.placed(offers)
        return replace(place, methods=roster.prepare(offers, settings(self.set_, self.weights), place.session))

    def placed(self, offers: Sequence[Offer]) -> Prepared:
        """The device and the store for these, and no method yet."""
        session, runtime, usual_size = self._place(offers)
        return Prepared(
            methods=[],
            session=session,
            runtime=runtime,
            store=self._store(),
            batch_size=self.batch_size or usual_size,
            workers=self.workers or os.cpu_count() or 1,
        )

    def _place(self, offers: Sequence[Offer]) -> tuple[Session, Runtime, int]:
        """Where the methods run, and the usual batch size there; torch takes seconds to import, so only if needed."""
        from forensic_cli.commands.providers import gpu_driver
        from forensic_cli.detector import Session
        from forensic_cli.engine.examining import Runtime

        check_device(self.device)
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

    def _store(self) -> AnyStore:
        from forensic_cli.cache import cache_folder
        from forensic_cli.errors import StoreError, UsageError
        from forensic_cli.progress import Silent
        from forensic_cli.store import NoStore, Store

        if self.no_store and self.store:
            raise UsageError("--store and --no-store exclude each other")
        if self.no_store or self.store:
            return Store(self.store) if self.store else NoStore()
        try:
            return Store(cache_folder() / "scores.sqlite")
        except (StoreError, UsageError) as error:  # nobody asked for this one by name
            Silent().say(f"{error}; this goes on without a store")
            return NoStore()
