"""What a recipe says, whoever wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass

from forensic_cli.records import Json, Record


@dataclass(frozen=True)
class Data:
    """The data set that a recipe is run on."""

    name: str
    layout: str
    """As `forensic evaluate --layout` takes it."""
    where: str
    """How to get it and how to lay it out."""
    generators: tuple[str, ...]
    """Those of the table, as the layout names them; none: whatever the data set holds."""
    address: str = ""
    """Empty if nobody publishes it."""


@dataclass(frozen=True)
class Entry:
    """One row to compute."""

    label: str
    """Unique in its recipe."""
    method: str
    settings: Mapping[str, str]
    """Options of `method`, as they are typed after --set."""
    note: str = ""
    """What is not the same in the published row of this label."""


@dataclass(frozen=True)
class Published(Record):
    """One number out of the paper."""

    method: str
    """The label of an entry, or the paper's name for what cannot be run here."""
    generator: str
    """As the layout names it; "(mean)" for the paper's average."""
    transform: str
    metric: str
    value: float
    """In the unit of our metrics: 87.99 % is 0.8799."""


@dataclass(frozen=True)
class Recipe:
    """A table or figure of a paper, to be measured again."""

    name: str
    title: str
    paper: str
    shows: str
    """What the table shows, in one sentence."""
    data: Data
    entries: tuple[Entry, ...]
    transforms: tuple[str, ...]
    metrics: tuple[str, ...]
    """Those of the table, the one to draw first."""
    needs: str = ""
    """What has to be made or trained before, by which commands; empty for nothing."""
    differs: str = ""
    """Where even a perfect run is not the paper's."""
    published: tuple[Published, ...] = ()

    def to_json(self) -> Json:
        """For the results: what was published, beside which ours is put, and what must be known to compare the two."""
        return {
            **{name: getattr(self, name) for name in ("name", "title", "paper", "shows", "differs")},
            "notes": {entry.label: entry.note for entry in self.entries if entry.note},
            "published": [one.to_json() for one in self.published],
        }
