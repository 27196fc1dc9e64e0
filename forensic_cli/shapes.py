"""Makes records of JSON values that somebody else wrote, and says what is wrong with those that are none."""

import functools
import reprlib
import types
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from forensic_cli.records import FileRecord, Finding, Run, Verdict

_Reader = Callable[[Any], Any]

_UNWRITTEN = (FileRecord, "from_store")
_LATER = {  # reports without them are valid
    (Run, "libraries"),
    (Finding, "stability"),
    (Finding, "standard_error"),
    (Finding, "unlike"),
    (Verdict, "reason"),
}


class WrongShape(Exception):
    """What is wrong with a value; `trail` leads to it, innermost first: ".score", "[1]", ".findings"."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.trail: list[str] = []

    @property
    def place(self) -> str:
        """Where the value stands, from the outside in: "methods[1].score"."""
        return "".join(reversed(self.trail)).removeprefix(".")


def shaped(kind: Any, value: Any) -> Any:
    """`value` as a `kind`: a record, or the type of one of its fields. Names that the record does not know are left out.

    Raises WrongShape.
    """
    return _reader(kind)(value)


@functools.cache
def _reader(kind: Any) -> _Reader:
    """A function that makes a `kind` of a JSON value."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return functools.partial(_word, inner)
    if origin in (Union, types.UnionType):
        read = _reader(next(one for one in inner if one is not types.NoneType))
        return lambda value: None if value is None else read(value)
    if origin is tuple:
        return functools.partial(_list, _reader(inner[0]))
    if is_dataclass(kind):
        hints = {name: hint for name, hint in get_type_hints(kind).items() if (kind, name) != _UNWRITTEN}
        return functools.partial(_record, kind, {name: _reader(hint) for name, hint in hints.items()})
    readers: dict[Any, _Reader] = {
        **{str: _string, int: _whole, float: _number, bool: _truth},
        **{dict: _object, Mapping: _object},
    }
    return readers[origin or kind]


def _record(kind: Any, readers: dict[str, _Reader], value: Any) -> Any:
    known = _object(value)
    fields = {}
    for name, read in readers.items():
        if name in known:
            try:
                fields[name] = read(known[name])
            except WrongShape as wrong:
                wrong.trail.append(f".{name}")
                raise
        elif (kind, name) not in _LATER:
            raise WrongShape(f"has no {name!r}")
    return kind(**fields)


def _list(read: _Reader, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise WrongShape(f"is {reprlib.repr(value)}, not a list")
    items = []
    for number, item in enumerate(value):
        try:
            items.append(read(item))
        except WrongShape as wrong:
            wrong.trail.append(f"[{number}]")
            raise
    return tuple(items)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WrongShape(f"is {reprlib.repr(value)}, not an object")
    return value


def _word(words: tuple[Any, ...], value: Any) -> Any:
    """One of a few words, or of a few numbers."""
    found = next((word for word in words if type(word) is type(value) and word == value), None)
    if found is None:
        raise WrongShape(f"is {reprlib.repr(value)}, not one of {', '.join(map(str, words))}")
    return found


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise WrongShape(f"is {reprlib.repr(value)}, not text")
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def _whole(value: Any) -> int:
    if type(value) is not int or abs(value) >= 1 << 63:
        raise WrongShape(f"is {reprlib.repr(value)}, not a whole number of 64 bits")
    return value


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise WrongShape(f"is {reprlib.repr(value)}, not true or false")
    return value


def _number(value: Any) -> float:
    if type(value) is not float and (type(value) is not int or abs(value) > 1 << 53):
        raise WrongShape(f"is {reprlib.repr(value)}, not a number")
    return value  # a whole number stays one, so that a report that is read and written is the same
