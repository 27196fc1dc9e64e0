"""What the shell offers when Tab is pressed: names from metadata alone, because a person waits for each key."""

from forensic_cli.entries import DETECTORS, REPORTS, find


def methods(incomplete: str) -> list[str]:
    """The methods that begin so; of a list with commas the last word is completed."""
    return _named(DETECTORS, incomplete)


def formats(incomplete: str) -> list[str]:
    """The report formats that begin so."""
    return _named(REPORTS, incomplete)


def _named(group: str, incomplete: str) -> list[str]:
    head, comma, word = incomplete.rpartition(",")
    taken = head.split(",")
    names = dict.fromkeys(entry.name for entry in find(group))
    return [f"{head}{comma}{name}" for name in names if name.startswith(word) and name not in taken]
