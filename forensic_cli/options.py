"""A detector's options: from what the user typed to the detector's own frozen dataclass, and back to JSON."""

import math
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from forensic_cli.errors import UsageError, nearest
from forensic_cli.records import Json, Weights

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class Option:
    """One field of a detector's `Options`, as a person should see it."""

    name: str
    values: str
    default: Any
    help: str


def options_of(cls: type) -> Iterator[Option]:
    """The options of a detector, read from its dataclass; the help text is the string in `Annotated[int, "help"]`."""
    hints = get_type_hints(cls, include_extras=True)
    for one in fields(cls):
        kind, words = _unwrap(hints[one.name])
        default = one.default if one.default_factory is MISSING else one.default_factory()
        yield Option(one.name, _values(kind), default, words)


def build(cls: type, settings: Mapping[str, str], method: str) -> Any:
    """An instance of `cls` with `settings` in place of its defaults.

    Raises UsageError for an option that does not exist and for a value that does not fit.
    """
    hints = get_type_hints(cls, include_extras=True)
    values: dict[str, Any] = {}
    for name, text in settings.items():
        if name not in hints:
            raise UsageError(f"{method} has no option {name!r}; {nearest(name, hints)}")
        kind, _ = _unwrap(hints[name])
        try:
            values[name] = _parse(kind, text, getattr(cls, name, None))
        except ValueError as error:
            raise UsageError(f"{method}.{name}={text}: {error or 'wrong value'}; expected {_values(kind)}") from error
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the options of {method} do not fit: {error}") from error


def typed(value: Any) -> str:
    """A value as a user would type it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    plain = _plain(value)
    return "none" if plain is None else ",".join(map(str, plain)) if isinstance(plain, list) else str(plain)


def to_json(options: Any) -> Json:
    """The options as plain values; weights are named by their source, the run record has the rest."""
    return {one.name: _plain(getattr(options, one.name)) for one in fields(options)}


def weights_of(options: Any) -> list[Weights]:
    """Every `Weights` among the options, also inside tuples, in the order of the fields."""
    found: list[Weights] = []
    for one in fields(options):
        value = getattr(options, one.name)
        found += [part for part in (value if isinstance(value, tuple) else (value,)) if isinstance(part, Weights)]
    return found


def paths_of(options: Any) -> list[Path]:
    """Every `Path` among the options: files whose content a result depends on."""
    values = [getattr(options, one.name) for one in fields(options)]
    return [value for value in values if isinstance(value, Path)]


def _unwrap(hint: Any) -> tuple[Any, str]:
    if get_origin(hint) is Annotated:
        kind, *notes = get_args(hint)
        return kind, next((note for note in notes if isinstance(note, str)), "")
    return hint, ""


def _parse(kind: Any, text: str, default: Any) -> Any:
    """`text` as a value of type `kind`; ValueError if it is none."""
    if get_origin(kind) in (Union, types.UnionType):
        if text.lower() in ("none", "null") and type(None) in get_args(kind):
            return None
        return _parse(next(arm for arm in get_args(kind) if arm is not type(None)), text, default)
    if get_origin(kind) is Literal:
        matches = [choice for choice in get_args(kind) if str(choice) == text]
        if not matches:
            raise ValueError(nearest(text, map(str, get_args(kind))))
        return matches[0]
    if get_origin(kind) is tuple:
        return tuple(_parse(get_args(kind)[0], part.strip(), None) for part in text.split(",") if part.strip())
    if kind is Weights:
        return _weights(text, default)
    if kind is bool:
        if text.lower() not in _WORDS:
            raise ValueError("not a yes or no")
        return _WORDS[text.lower()]
    if kind is Path:
        return _file(text)
    try:
        value = kind(text)
    except ValueError as error:
        raise ValueError("not a number" if kind in (int, float) else str(error)) from error
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


def _file(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_file():
        raise ValueError("no such file")
    return path


def _weights(text: str, default: Any) -> Weights:
    """Other weights for the same network: what was known of the default's bytes does not hold for them."""
    literal = text.startswith((".", "/", "~")) or Path(text).exists()
    source, _, revision = (text, "", "") if literal else text.partition("@")
    base = default if isinstance(default, Weights) else Weights(source)
    return replace(base, source=source, revision=revision or None, licence="unknown", bytes=None, sha256={})


def _values(kind: Any) -> str:
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_values(arm) for arm in get_args(kind))
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    if get_origin(kind) is tuple:
        return f"{_values(get_args(kind)[0])},..."
    names = {
        bool: "yes|no",
        int: "a whole number",
        float: "a number",
        str: "text",
        Path: "a file",
        Weights: "a folder, file or REPO[@COMMIT]",
    }
    return "none" if kind is type(None) else names.get(kind, getattr(kind, "__name__", str(kind)))


def _plain(value: Any) -> Any:
    if isinstance(value, Weights):
        return value.source
    if isinstance(value, Path):
        return str(value)
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
