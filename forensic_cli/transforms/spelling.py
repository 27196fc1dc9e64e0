"""What people type for a transform: one name for each, chains, classes, sweeps and grids.

    jpeg:70   jpeg:70,444           a name, then its parameters
    halve+jpeg:85                   one after the other
    noise:0.05@generated            applied to generated images alone; @photographs (or @real) to all others
    jpeg:100..70:10                 a sweep: jpeg:100, jpeg:90, jpeg:80, jpeg:70
    resize:0.9/0.5+jpeg:90/70       a grid: each with each, four in all

None of it means anything to a shell.
"""

import hashlib
import itertools
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from PIL import features

from forensic_cli.errors import UsageError
from forensic_cli.transforms.kinds import NUMBER, SHELF, Number, Value, plain, usage

Only = Literal["", "generated", "photographs"]

_CLASSES: dict[str, Only] = {"generated": "generated", "photographs": "photographs", "real": "photographs"}
_NOTHING = "none"
_MOST = 256


@dataclass(frozen=True)
class Step:
    """One transform of a chain: its name in the table and a value for each of its parameters."""

    kind: str
    values: tuple[Value, ...] = ()

    @property
    def name(self) -> str:
        """Its one spelling, without the values at the end that are the defaults."""
        given = list(self.values)
        for parameter in reversed(SHELF.get(self.kind).parameters):
            if given[-1] != parameter.default:
                break
            given.pop()
        return f"{self.kind}:{','.join(map(plain, given))}" if given else self.kind


@dataclass(frozen=True)
class Transform:
    """Calling it gives a uint8 RGB image from another; without steps it is `none`. Made by `parse`."""

    steps: tuple[Step, ...] = ()
    only: Only = ""

    @property
    def name(self) -> str:
        """The one spelling under which it appears in tables; `parse` reads it back."""
        chain = "+".join(step.name for step in self.steps) or _NOTHING
        return f"{chain}@{self.only}" if self.only else chain

    def applies(self, generated: bool) -> bool:
        """Whether an image of this class is changed at all; what people made by hand counts with the photographs."""
        return not self.only or (self.only == "generated") == generated

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """`image` (height, width, 3) is left as it is; the result is contiguous, and may be the same array or read-only.

        Chance comes from `seed` alone, for each kind of step apart: crop:256 and crop:256+jpeg:70 cut the same place.
        With the same versions of the libraries the pixels are the same on every machine. Raises ImageError for an image
        that is too small, or too large, for a step. `only` is the caller's to heed.
        """
        times: Counter[str] = Counter()
        for step in self.steps:
            kind = SHELF.get(step.kind)
            own = {"seed": _seed(seed, step.kind, times[step.kind])} if kind.seeded else {}
            times[step.kind] += 1
            image = kind.apply(image, *step.values, **own)
        return np.ascontiguousarray(image)


def _seed(seed: int, kind: str, time: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {kind} {time}".encode()).digest()[:8], "big")


def parse(text: str) -> Transform:
    """The transform that `text` spells, which is one: see `expand` for several. Raises UsageError."""
    chain, at, word = text.strip().lower().partition("@")
    if at and word.strip() not in _CLASSES:
        raise UsageError(f"{text}: behind @, at the end of the chain, stands generated or photographs, not '{word}'")
    pieces = [piece.strip() for piece in chain.split("+")]
    if not all(pieces):
        raise UsageError(f"'{text}': a transform is missing; none is the image as it is")
    steps = tuple(map(_step, pieces))
    steps = tuple(step for step in steps if step.kind != _NOTHING)
    return Transform(steps, _CLASSES[word.strip()] if at and steps else "")


def expand(text: str) -> list[str]:
    """The names of all transforms that `text` stands for, each once, in the order in which it lists them.

    Raises UsageError for what `parse` refuses, for a sweep that does not reach its end, and for more than 256.
    """
    chain, at, word = text.partition("@")
    ways = [_alternatives(piece) for piece in chain.split("+")]
    _few(text, [len(way) for way in ways])
    return list(dict.fromkeys(parse("+".join(steps) + at + word).name for steps in itertools.product(*ways)))


def _step(text: str) -> Step:
    name, colon, rest = text.partition(":")
    if name not in SHELF.records():
        raise UsageError(f"no transform is called '{name}': {SHELF.hint(name)}")
    kind = SHELF.get(name)
    given = [part.strip() for part in rest.split(",")] if colon else []
    if len(given) > len(kind.parameters):
        raise UsageError(f"{text}: {_takes(name)}")
    values = []
    for parameter, part in itertools.zip_longest(kind.parameters, given):
        value = parameter.default if part is None else parameter.read(part)
        if value is None:
            said = "is missing" if part is None else f"is {parameter.wanted}, not '{part}'"
            raise UsageError(f"{text}: {parameter.name} {said}; {_example(name)}")
        values.append(value)
    if kind.codec and not features.check(kind.codec):
        raise UsageError(f"{name}: this Pillow was built without it; pip install --force-reinstall pillow brings it")
    return Step(name, tuple(values))


def _takes(name: str) -> str:
    names = [parameter.name for parameter in SHELF.get(name).parameters]
    return f"{name} takes {' and '.join(names)} and no more" if names else f"{name} takes no parameters"


def _example(name: str) -> str:
    examples = [plain(one.example) for one in SHELF.get(name).parameters if isinstance(one, Number) and one.default is None]
    typed = f"for example {name}:{','.join(examples)}" if examples else f"it is typed {usage(name)}"
    return typed


def _alternatives(piece: str) -> list[str]:
    """One step of a chain in each of its ways."""
    name, colon, rest = piece.partition(":")
    if not colon:
        return [piece]
    lists = [[one for part in argument.split("/") for one in _swept(piece, part)] for argument in rest.split(",")]
    _few(piece, [len(one) for one in lists])
    return [f"{name}:{','.join(values)}" for values in itertools.product(*lists)]


def _swept(piece: str, part: str) -> list[str]:
    first, dots, rest = part.partition("..")
    if not dots:
        return [part]
    last, _, step = rest.partition(":")
    texts = [text.strip() for text in (first, last, step)]
    if not all(NUMBER.fullmatch(text) for text in texts) or Fraction(texts[2]) <= 0:
        raise UsageError(f"{piece}: a sweep is FIRST..LAST:STEP with a step above 0, for example jpeg:100..70:10")
    start, end, width = map(Fraction, texts)
    count = abs(end - start) / width
    _few(piece, [int(count) + 1])
    width = width if end > start else -width
    if count.denominator != 1:
        reached = plain(float(start + width * int(count)))
        raise UsageError(f"{piece}: in steps of {texts[2]} the sweep ends at {reached}, not at {texts[1]}")
    return [plain(float(start + width * number)) for number in range(int(count) + 1)]


def _few(text: str, counts: list[int]) -> None:
    total = 1
    for count in counts:
        total *= count
    if total > _MOST:
        raise UsageError(f"{text}: {total:,} transforms; the limit is {_MOST}")
