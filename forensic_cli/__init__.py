"""Tell AI-generated images from photographs, and show the evidence. This is what a plugin author imports."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forensic_cli.detector import Batch, Detector, Session
    from forensic_cli.hookspecs import hookimpl
    from forensic_cli.records import Claim, Finding, ImageRef, Weights
    from forensic_cli.report import Report, Scan

__version__ = "0.1.0"

_HOMES = {
    "Batch": "detector",
    "Claim": "records",
    "Detector": "detector",
    "Finding": "records",
    "ImageRef": "records",
    "Report": "report",
    "Scan": "report",
    "Session": "detector",
    "Weights": "records",
    "hookimpl": "hookspecs",
}
__all__ = [
    "Batch",
    "Claim",
    "Detector",
    "Finding",
    "ImageRef",
    "Report",
    "Scan",
    "Session",
    "Weights",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for, so that `forensic --help` pays for none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"forensic_cli.{_HOMES[name]}"), name)
