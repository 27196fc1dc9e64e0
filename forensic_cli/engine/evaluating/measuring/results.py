"""What an evaluation found: who was shown what, every score, and the tables made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from forensic_cli.datasets.labelled import Class
from forensic_cli.records import Json, Run

SCHEMA = "forensic/evaluation/1"
POOLED, MEAN = "(pooled)", "(mean)"
NONE = "none"
"""The name of the transform that leaves images as they are."""


@dataclass(frozen=True, slots=True)
class Image:
    """One labelled image that could be read. `generator`, `source`, `kind`: as in `datasets.Labelled`."""

    path: str
    sha256: str
    label: Class
    generator: str
    source: str
    kind: str
    format: str
    width: int
    height: int
    bytes: int


@dataclass(frozen=True)
class Evaluation:
    """`scores`: by (method, transform), float64 (N,) in the order of `images`, NaN where a method or transform failed.

    `units`: of each method's score, "log-odds", "probability" or "" for a number of its own. `left_out`: (path, reason)
    of whatever could not be read or scored, "path [method, transform]" for the latter. `rows`, `controls`: as in
    results.json. `kinds`: how often each kind of picture that is not generated lies above the thresholds.
    `comparisons`: pairs of methods on the same images. `recipe`: name, title and published figures, where one was run.
    """

    run: Run
    images: Sequence[Image]
    transforms: Sequence[str]
    scores: Mapping[tuple[str, str], np.ndarray]
    units: Mapping[str, str]
    left_out: Sequence[tuple[str, str]]
    rows: Sequence[Json] = ()
    controls: Sequence[Json] = ()
    kinds: Sequence[Json] = ()
    comparisons: Sequence[Json] = ()
    recipe: Json | None = None
