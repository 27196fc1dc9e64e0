"""What a transform is that can be typed, whoever brings it, and all that there are."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from forensic_cli.entries import TRANSFORMS
from forensic_cli.offers import Shelf

Value = int | float | str

NUMBER = re.compile(r"-?(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})")


@dataclass(frozen=True)
class Number:
    """A number from `least` to `most`; without a `default` it has to be given."""

    name: str
    least: float
    most: float
    example: float
    whole: bool = False
    default: float | None = None

    @property
    def range(self) -> str:
        return f"{plain(self.least)} to {plain(self.most)}"

    @property
    def wanted(self) -> str:
        return f"a {'whole ' * self.whole}number from {self.range}"

    def read(self, text: str) -> Value | None:
        """The value, or None if it is not what is wanted."""
        if not NUMBER.fullmatch(text):
            return None
        value = float(text)
        if not self.least <= value <= self.most or (self.whole and not value.is_integer()):
            return None
        return int(value) if self.whole else value


@dataclass(frozen=True)
class Word:
    """One of a few words; the first is the default."""

    name: str
    choices: tuple[str, ...]

    @property
    def default(self) -> str:
        return self.choices[0]

    @property
    def range(self) -> str:
        return " or ".join((", ".join(self.choices[:-1]), self.choices[-1]))

    @property
    def wanted(self) -> str:
        return self.range

    def read(self, text: str) -> Value | None:
        return text if text in self.choices else None


@dataclass(frozen=True)
class Kind:
    """`apply` takes the image, the values of the `parameters` in their order, and `seed` by name if it is `seeded`.

    `codec`: what Pillow has to be built with, in the words of PIL.features.
    """

    apply: Callable[..., np.ndarray]
    sentence: str
    parameters: tuple[Number | Word, ...] = ()
    seeded: bool = False
    codec: str = ""


def plain(value: Value) -> str:
    """The one spelling of a value: no exponent, no needless digit, no minus before zero."""
    if isinstance(value, str):
        return value
    return format(Decimal(repr(value + 0.0)).normalize() + 0, "f")


SHELF = Shelf(TRANSFORMS, "transform", Kind)


def usage(name: str) -> str:
    """How it is typed: NAME:FIRST,SECOND, what may be left out in brackets."""
    text = name
    for place, parameter in enumerate(SHELF.get(name).parameters):
        word = ("," if place else ":") + parameter.name.upper()
        text += word if parameter.default is None else f"[{word}]"
    return text


def described() -> list[tuple[str, str]]:
    """How each is typed and what it does, for help and documents, our own first."""
    rows = []
    for name, kind in SHELF.records().items():
        ranges = [_range(parameter) for parameter in kind.parameters]
        rows.append((usage(name), " ".join([f"{kind.sentence}.", *ranges])))
    return rows


def _range(parameter: Number | Word) -> str:
    default = "" if parameter.default is None else f" (default {plain(parameter.default)})"
    return f"{parameter.name.upper()}: {parameter.range}{default}."
