"""Takes a file apart that somebody wrote by hand: every mistake is named with its place, none is passed over."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from forensic_cli.errors import UsageError, nearest
from forensic_cli.options import typed

_KINDS = {str: "text in quotes", bool: "true or false", dict: "a table", list: "a list"}


class Table:
    """One table of a TOML file. Whoever reads it takes each key once and calls `end`, which refuses what is left.

    `at` is what errors put before a key: "mine.toml: data.". All methods raise UsageError.
    """

    def __init__(self, at: str, values: Mapping[str, Any]) -> None:
        self._at = at
        self._values = dict(values)
        self._asked: list[str] = []

    def text(self, key: str, default: str | None = None) -> str:
        """Without line breaks. A text that has no default must be there and not be empty."""
        value = " ".join(self._take(key, str, default).split())
        if default is None and not value:
            raise self.wrong(key, "is empty")
        return value

    def truth(self, key: str, default: bool) -> bool:
        return bool(self._take(key, bool, default))

    def texts(self, key: str, default: list[str] | None = None) -> tuple[str, ...]:
        """A list of texts, all different."""
        values = self._take(key, list, default)
        for value in values:
            if not isinstance(value, str) or not value:
                raise self.wrong(key, f"holds {value!r:.60}, which is no text in quotes")
            if values.count(value) > 1:
                raise self.wrong(key, f"names {value!r:.60} twice")
        return tuple(values)

    def settings(self, key: str) -> dict[str, str]:
        """A table of values, each as it is typed on the command line."""
        values = self._take(key, dict, {})
        for name, value in values.items():
            if not isinstance(value, str | int | float):
                raise self.wrong(f"{key}.{name}", f"is {value!r:.60}, neither text nor a number nor true or false")
        return {name: typed(value) for name, value in values.items()}

    def table(self, key: str) -> "Table":
        return Table(f"{self._at}{key}.", self._take(key, dict, None))

    def tables(self, key: str, default: list[Any] | None = None) -> Iterator["Table"]:
        """A list of tables; errors count them from 1."""
        for number, values in enumerate(self._take(key, list, default), 1):
            if not isinstance(values, dict):
                raise self.wrong(f"{key} {number}", f"is {values!r:.60}, not a table")
            yield Table(f"{self._at}{key} {number}: ", values)

    def rows(self, width: int) -> dict[str, tuple[float, ...]]:
        """All that is in the table: names, each with `width` numbers."""
        rows = {name: self._take(name, list, None) for name in list(self._values)}
        for name, numbers in rows.items():
            if len(numbers) != width:
                raise self.wrong(name, f"has {len(numbers)} numbers for {width} columns")
            for number in numbers:
                if type(number) not in (int, float) or not math.isfinite(number):
                    raise self.wrong(name, f"holds {number!r:.60}, which is no number")
        return {name: tuple(map(float, numbers)) for name, numbers in rows.items()}

    def wrong(self, key: str, what: str) -> UsageError:
        """An error about one key."""
        return UsageError(f"{self._at}{key} {what}")

    def end(self) -> None:
        if self._values:
            key = next(iter(self._values))
            raise self.wrong(key, f"is no key that belongs here; {nearest(key, self._asked)}")

    def _take(self, key: str, kind: type, default: Any) -> Any:
        self._asked.append(key)
        value = self._values.pop(key, default)
        if value is None:
            raise self.wrong(key, "is missing")
        if not isinstance(value, kind):
            raise self.wrong(key, f"is {value!r:.60}, not {_KINDS[kind]}")
        return value
