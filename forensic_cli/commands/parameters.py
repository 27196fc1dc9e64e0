"""Options that several commands share, and how their text becomes values."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from forensic_cli.commands import completion
from forensic_cli.errors import UsageError

if TYPE_CHECKING:
    from forensic_cli.engine.work import Choice, Work
    from forensic_cli.plugins import Offer, Plugins


class Shown:
    """How much of an error the user wants to see."""

    traceback = False


def _debug(value: bool) -> None:
    Shown.traceback = Shown.traceback or value


Debug = Annotated[bool, typer.Option("--debug", callback=_debug, is_eager=True, help="Show the traceback behind an error.")]
PluginFiles = Annotated[
    list[Path] | None, typer.Option("--plugin", metavar="FILE", help="Load a plugin from a Python file. Repeatable.")
]
Outputs = Annotated[
    list[Path] | None,
    typer.Option("--output", "-o", metavar="FILE", help="Report; the suffix picks the format. Repeatable."),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="NAME",
        help="Report on stdout when there is no -o. [table on a terminal, else jsonl]",
        autocompletion=completion.formats,
    ),
]
Methods = Annotated[
    list[str] | None,
    typer.Option("--methods", "-m", metavar="A,B", help="Methods to run.", autocompletion=completion.methods),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="METHOD.OPTION=VALUE", help="Set an option of a method. Repeatable."),
]
WeightsOf = Annotated[
    list[str] | None,
    typer.Option("--weights", metavar="METHOD=SOURCE", help="Folder, file or hub repository of weights. Repeatable."),
]
Device = Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.")]
RequireGpu = Annotated[bool, typer.Option("--require-gpu", help="Fail rather than run a network on the CPU.")]
Dtype = Annotated[Literal["auto", "float32", "bfloat16", "float16"], typer.Option(help="Number format; auto is float32.")]


def _batch_size(text: str) -> int:
    """`auto` is 0. Raises typer's own error for what is no number of images."""
    if text == "auto":
        return 0
    if not text.isdecimal() or not int(text):
        raise typer.BadParameter(f"{text!r} is neither a number of images nor auto")
    return int(text)


BatchSize = Annotated[
    int | None,
    typer.Option(
        parser=_batch_size,
        metavar="N",
        help="Images per batch, or auto: 8 on the CPU, else 32. Halved when memory runs out. [auto]",
    ),
]
Workers = Annotated[int | None, typer.Option(min=1, metavar="N", help="Threads that read and decode. [CPU cores]")]
Seed = Annotated[int, typer.Option(metavar="N", help="Seed of everything random.")]
StoreFile = Annotated[
    Path | None,
    typer.Option("--store", metavar="FILE", help="Where finished scores are kept. [scores.sqlite in the user's cache]"),
]
NoStore = Annotated[bool, typer.Option("--no-store", help="Compute everything anew and keep nothing.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never touch the network.")]


@dataclass(frozen=True)
class Machine:
    """How methods are set, and where they run; each field is an option of every command that is `spread` over it."""

    set_: Set = None
    weights: WeightsOf = None
    device: Device = "auto"
    require_gpu: RequireGpu = False
    dtype: Dtype = "auto"
    batch_size: BatchSize = None
    workers: Workers = None
    seed: Seed = 0
    store: StoreFile = None
    no_store: NoStore = False
    offline: Offline = False

    def settings(self) -> dict[str, dict[str, str]]:
        """{method: {option: text}}. Raises UsageError."""
        return settings(self.set_, self.weights)

    def offers(self, methods: Sequence[str] | None, plugins: Plugins) -> tuple[list[Offer], list[str]]:
        """The plugins asked for, imported, and a line about each that would join the usual ones."""
        from forensic_cli.engine import methods as roster

        names, hints = method_names(methods), list[str]()
        if not names:
            names, hints = roster.usual(plugins)
        return roster.offers(names, plugins, self.settings()), hints

    def choices(self, offers: Iterable[Offer]) -> list[Choice]:
        """These methods as they were set."""
        from forensic_cli.engine.work import Choice

        chosen = self.settings()
        return [Choice(offer.name, chosen.get(offer.name, {})) for offer in offers]

    def work(self, methods: Sequence[Choice], plugins: Sequence[Path] | None, transforms: Sequence[str] = ()) -> Work:
        """These methods on this machine. Raises UsageError for what no machine can do."""
        from forensic_cli.engine.work import Work

        check_device(self.device)
        if self.no_store and self.store:
            raise UsageError("--store and --no-store exclude each other")
        place = {name: value for name, value in vars(self).items() if name not in ("set_", "weights")}
        return Work(tuple(methods), tuple(transforms), plugins=tuple(plugins or ()), **place)


def spread(command: Callable[..., int]) -> Callable[..., int]:
    """The command as Typer is to see it: a parameter whose type is a dataclass gives its place to the fields of that."""
    own = inspect.signature(command, eval_str=True)
    groups: dict[str, Any] = {name: one.annotation for name, one in own.parameters.items() if is_dataclass(one.annotation)}
    shown: list[inspect.Parameter] = []
    for name, one in own.parameters.items():
        shown += inspect.signature(groups[name], eval_str=True).parameters.values() if name in groups else [one]

    @wraps(command)
    def called(**values: Any) -> int:
        made = {name: of(**{one.name: values.pop(one.name) for one in fields(of)}) for name, of in groups.items()}
        return command(**values, **made)

    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in shown]  # in any order, with defaults or not
    called.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return called


def check_device(word: str) -> None:
    """Raises UsageError for what cannot be a device."""
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?|mps", word):
        raise UsageError(f"--device {word}: expected auto, cpu, cuda, cuda:N or mps")


def method_names(texts: Sequence[str] | None) -> list[str]:
    """`-m a,b -m c` as [a, b, c]. Raises UsageError if the option is given and names nothing."""
    names = [name.strip() for text in texts or () for name in text.split(",") if name.strip()]
    if texts and not names:
        raise UsageError("--methods is empty: name one, or leave it out for the usual ones (forensic methods)")
    return names


def settings(assignments: Sequence[str] | None, weights: Sequence[str] | None) -> dict[str, dict[str, str]]:
    """`--set METHOD.OPTION=VALUE` and `--weights METHOD=SOURCE` as {method: {option: text}}; a later one wins.

    A method's name may have a dot of its own (commfor.224): the last dot before the equals sign counts.
    """
    found: dict[str, dict[str, str]] = {}
    for text in assignments or ():
        target, equals, value = text.partition("=")
        method, dot, option = target.rpartition(".")
        if not (equals and dot and method and option):
            raise UsageError(f"--set {text}: expected METHOD.OPTION=VALUE")
        found.setdefault(method, {})[option] = value
    for text in weights or ():
        method, equals, value = text.partition("=")
        if not (equals and method and value):
            raise UsageError(f"--weights {text}: expected METHOD=FOLDER, METHOD=FILE or METHOD=OWNER/NAME")
        found.setdefault(method, {})["weights"] = value
    return found
