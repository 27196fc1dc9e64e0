"""The two hooks of a plugin; hooks only register, ordinary methods do the work."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from forensic_cli.detector import Detector
    from forensic_cli.report import Report

hookspec = pluggy.HookspecMarker("forensic")
hookimpl = pluggy.HookimplMarker("forensic")


@hookspec
def register_detectors(register: "Callable[[str, type[Detector]], None]") -> None:
    """Call register(name, factory) once for each detector that this plugin offers."""


@hookspec
def register_reports(register: "Callable[[str, type[Report]], None]") -> None:
    """Call register(name, factory) once for each report format that this plugin offers."""
