"""One test over many cases, where a case is too small to be a test of its own."""

import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping


def each(names: str, values: Iterable) -> Callable:
    """As `pytest.mark.parametrize`, but one test: it tries every case, and each one that fails is named.

    A mapping has the cases as its values and what to call them as its keys. One above the other: every pair. The cases
    share their fixtures: none may leave behind what changes the next.
    """
    parts = [name.strip() for name in names.split(",")]
    called = values.items() if isinstance(values, Mapping) else [(f"{value!r:.100}", value) for value in values]
    mine = [(name, dict(zip(parts, value if parts[1:] else (value,), strict=True))) for name, value in called]
    assert mine

    def loop(test: Callable) -> Callable:
        once, others = getattr(test, "looped", (test, [("", {})]))
        pairs = itertools.product(mine, others)
        cases = [(f"{one} {other}".strip(), first | second) for (one, first), (other, second) in pairs]

        def looped(subtests: object, **fixtures: object) -> None:
            for name, case in cases:
                with subtests.test(name):
                    once(**case, **fixtures)

        asked = ["subtests", *(name for name in inspect.signature(once).parameters if name not in cases[0][1])]
        fixed = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in asked]
        looped.__signature__ = inspect.Signature(fixed)
        looped.__name__, looped.__doc__, looped.__module__ = once.__name__, once.__doc__, once.__module__
        looped.looped = (once, cases)
        return looped

    return loop
