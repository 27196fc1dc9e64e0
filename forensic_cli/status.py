"""What the process tells the shell when it ends."""

from enum import IntEnum


class Status(IntEnum):
    """Exit codes; a script may rely on them."""

    DONE = 0
    GENERATED = 1  # only with --fail-on generated
    USAGE = 2
    FAILURES = 3  # done, but some file or method failed
    INTERRUPTED = 130
