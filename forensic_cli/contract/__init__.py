"""The promises that every detector keeps. Our tests run them over each detector there is; a plugin author's tests do too:

from forensic_cli.contract import check
def test_my_detector_keeps_its_promises():
    check(MyDetector, weights="tests/tiny-network")
"""

from collections.abc import Callable

from forensic_cli.contract.abilities import (
    comparisons_fit,
    embeddings_fit,
    exports_fit,
    maps_fit,
    opening_fits,
    training_fits,
)
from forensic_cli.contract.promises import (
    forgets_earlier_batches,
    gives_one_finding_each,
    has_plain_options,
    ignores_the_batch,
    ignores_the_path,
    is_documented,
    leaves_its_input_alone,
    leaves_the_world_alone,
    looks_at_something,
    repeats_itself,
)
from forensic_cli.contract.samples import make_samples
from forensic_cli.contract.subject import Subject
from forensic_cli.detector import Detector
from forensic_cli.errors import PluginError, reason

__all__ = ["PROMISES", "Subject", "check", "has_plain_options", "is_documented", "make_samples"]

PROMISES: tuple[Callable[[Subject], None], ...] = (
    is_documented,
    looks_at_something,
    has_plain_options,
    leaves_the_world_alone,  # before anything else is asked of it, which might change the world already
    gives_one_finding_each,
    repeats_itself,
    forgets_earlier_batches,
    ignores_the_batch,
    ignores_the_path,
    leaves_its_input_alone,
    maps_fit,
    embeddings_fit,
    comparisons_fit,
    exports_fit,
    training_fits,
    opening_fits,
)


def check(factory: type[Detector], **settings: str) -> None:
    """Run every promise over one detector. Raises PluginError that names the first one broken, and how."""
    subject = Subject(factory, {name: str(value) for name, value in settings.items()})
    for promise in PROMISES:
        try:
            promise(subject)
        except AssertionError as error:
            raise PluginError(f"{factory.__name__} breaks a promise ({promise.__name__}): {error}") from error
        except Exception as error:
            raise PluginError(f"{factory.__name__} fails ({promise.__name__}): {reason(error)}") from error
