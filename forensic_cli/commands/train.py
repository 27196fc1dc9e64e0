"""`forensic train`: from labelled images to a model folder that `scan --weights METHOD=FOLDER` uses."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forensic_cli.commands import completion
from forensic_cli.commands.parameters import Debug, Offline, PluginFiles, check_device, settings
from forensic_cli.status import Status

if TYPE_CHECKING:
    from forensic_cli.detector import Session
    from forensic_cli.plugins import Offer


def train(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="What to train.", autocompletion=completion.methods)],
    dataset: Annotated[
        list[str],
        typer.Argument(
            metavar="DATASET...",
            help="Folders {generator}/{real,fake}/ or {real,fake,handmade}/, or with a manifest.csv; .csv; .parquet.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the model is written.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="METHOD.OPTION=VALUE", help="Set an option of the recipe. Repeatable."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, metavar="N", help="Optimiser steps. [the recipe's]")] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, metavar="N", help="Images per step. [the recipe's]")] = None,
    holdout: Annotated[
        float,
        typer.Option(min=0.0, max=0.9, metavar="SHARE", help="Share held out to be measured on, whole sources; 0: none."),
    ] = 0.2,
    split: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV with source (or repo) and part: what is not train is held out."),
    ] = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option(help="Number format of the matrix products.")
    ] = "float32",
    workers: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Processes that prepare images. [CPU cores less one]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of everything random.")] = 0,
    offline: Offline = False,
    plugin: PluginFiles = None,
    debug: Debug = False,
) -> int:
    """Train a detector on labelled images and write a model folder with its model card.

    A training that was interrupted or killed goes on where it stood when the same command is given again. `forensic
    methods METHOD` lists the options of the recipe.
    """
    from forensic_cli import options
    from forensic_cli.abilities import Trains
    from forensic_cli.datasets import read_dataset
    from forensic_cli.engine import devices
    from forensic_cli.engine import methods as roster
    from forensic_cli.engine.delivering import complete, deliver
    from forensic_cli.errors import UsageError
    from forensic_cli.plugins import Plugins
    from forensic_cli.progress import command_line, main_process, steps_observer
    from forensic_cli.training.division import divided, read_parts
    from forensic_cli.training.job import TrainingJob

    check_device(device)
    offer = Plugins(plugin or ()).detector(method)
    if not isinstance(offer.factory, Trains):
        raise UsageError(f"{method} cannot be trained: it has nothing that learns (forensic methods {method})")
    recipe = options.build(offer.factory.Training, _of(method, settings(set_, None)), method)
    data = read_dataset(dataset, both=not getattr(offer.factory, "photographs_alone", False))
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{output}: cannot be made a folder ({error.strerror})") from error
    with steps_observer() as watcher:
        watcher.tell_left_out(data.left_out)
        division = divided(data.items, holdout, seed, read_parts(split) if split else None)
        for doubt in division.doubts:
            watcher.say(doubt)
        job = TrainingJob(
            method=method,
            dataset=data,
            options=recipe,
            folder=output,
            session=_session(seed, devices.choose_device(device), dtype, offline),
            steps=steps,
            batch_size=batch_size,
            division=division,
            workers=devices.processes(workers),
            command=command_line(),
            watch=watcher.step,
            say=watcher.say,
        )
        try:
            chosen = offer.factory.train(job)
            if not main_process():
                return Status.DONE
            (made,) = roster.prepare([offer], {method: dict(chosen)}, job.session)
            done = complete(job, made.use)
            if not done:
                deliver(job, made, watcher)
        except KeyboardInterrupt:
            watcher.say(_interrupted(output))
            return Status.INTERRUPTED
        words = f"{output} is finished: nothing is left to train or measure" if done else f"written: {output}"
        watcher.say(f"{words} (use it: {_use(offer, chosen)})")
    return Status.DONE


def _use(offer: Offer, chosen: Mapping[str, str]) -> str:
    """The command that scans with what was trained."""
    name, usual = offer.name, offer.factory.Options()
    words = f"forensic scan PATH -m {name}"
    for option, value in chosen.items():
        if option == "weights":
            words += f" --weights {name}={shlex.quote(value)}"
        elif value != getattr(getattr(usual, option), "source", None):
            words += f" --set {name}.{option}={shlex.quote(value)}"
    return words


def _interrupted(folder: Path) -> str:
    """What is kept of a training that was interrupted, and how it goes on."""
    from forensic_cli.training.job import CHECKPOINT

    if (folder / CHECKPOINT).is_file():
        return f"interrupted: the last checkpoint is kept in {folder}; the same command goes on from there"
    return "interrupted before the first checkpoint: nothing is kept; the same command begins anew"


def _session(seed: int, device: str, dtype: str, offline: bool) -> Session:
    from forensic_cli.detector import Session

    return Session(seed, device, dtype, offline)


def _of(method: str, chosen: dict[str, dict[str, str]]) -> dict[str, str]:
    """The settings of this method; raises UsageError for those of another."""
    from forensic_cli.errors import UsageError

    for name in chosen:
        if name != method:
            raise UsageError(f"--set {name}.…: this trains {method}; write --set {method}.OPTION=VALUE")
    return chosen.get(method, {})
