"""Makes records of JSON values that somebody else wrote, and says in our words what is wrong with those that are none."""

import re
import reprlib
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

_KINDS: dict[Any, str] = {
    **{str: "text", int: "a whole number", float: "a number", bool: "true or false"},
    **{tuple: "a list", dict: "an object", Mapping: "an object"},
}


class WrongShape(Exception):
    """What is wrong and where, in half a line: "methods[1].score is 'high', not a number"."""


def shaped(kind: Any, value: Any, place: str = "") -> Any:
    """`value` as a `kind`: a record, or the type of one of its fields. Names that the record does not know are left out.

    `place`: where the value stands, for the error. Raises WrongShape, also for a ValueError of the record's own.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise WrongShape(_in_our_words(str(error), kind, value, place)) from error


def _in_our_words(text: str, kind: Any, value: Any, place: str) -> str:
    """msgspec ends its sentence with the path, "Expected `int`, got `str` - at `$.methods[1].seed`"."""
    sentence, _, path = text.partition(" - at `$")
    path = path.rstrip("`")
    for name, number in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        kind = get_type_hints(_present(kind))[name] if name else get_args(_present(kind))[0]
        value = value[name or int(number)]
    place = (place + path).removeprefix(".")
    if missing := re.fullmatch("Object missing required field `(.*)`", sentence):
        return f"{place} has no {missing[1]!r}".lstrip()
    if sentence.startswith(("Expected ", "Invalid enum value", "Number out of range")):
        return f"{place} is {reprlib.repr(value)}, not {_words(_present(kind))}".lstrip()
    return f"{place}: {sentence}" if place else sentence


def _present(kind: Any) -> Any:
    """A type without None; of several numbers the last."""
    if get_origin(kind) in (Union, types.UnionType):
        return [one for one in get_args(kind) if one is not types.NoneType][-1]
    return kind


def _words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    return _KINDS.get(get_origin(kind) or kind, "an object")
