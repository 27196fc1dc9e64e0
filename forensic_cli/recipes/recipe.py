"""What a recipe says, whoever wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass

from forensic_cli.records import Json


@dataclass(frozen=True)
class Data:
    """The data set that a recipe is run on.

    `layout`: as `forensic evaluate --layout` takes it. `where`: how to get it and how to lay it out. `generators`: those
    of the table, as the layout names them; none: whatever the data set holds. `address`: "" if nobody publishes it.
    """

    name: str
    layout: str
    where: str
    generators: tuple[str, ...]
    address: str = ""


@dataclass(frozen=True)
class Entry:
    """One row to compute. `label`: unique in its recipe. `settings`: options of `method` as they are typed after --set.

    `note`: what about the published row of this label is not the same.
    """

    label: str
    method: str
    settings: Mapping[str, str]
    note: str = ""


@dataclass(frozen=True)
class Published:
    """One number out of the paper. `method`: the label of an entry, or the paper's name for what cannot be run here.

    `generator`: as the layout names it, "(mean)" for the paper's average. `value`: in the unit of our metrics, so that
    87.99 % is 0.8799.
    """

    method: str
    generator: str
    transform: str
    metric: str
    value: float

    def to_json(self) -> Json:
        return {
            "method": self.method,
            "generator": self.generator,
            "transform": self.transform,
            "metric": self.metric,
            "value": self.value,
        }


@dataclass(frozen=True)
class Recipe:
    """A table or figure. `shows`: in one sentence. `metrics`: those of the table, the first the one to draw.

    `needs`: what has to be made or trained before, by which commands; "" for nothing. `differs`: where even a perfect run
    is not the paper's.
    """

    name: str
    title: str
    paper: str
    shows: str
    data: Data
    entries: tuple[Entry, ...]
    transforms: tuple[str, ...]
    metrics: tuple[str, ...]
    needs: str = ""
    differs: str = ""
    published: tuple[Published, ...] = ()

    def to_json(self) -> Json:
        """For the results: what was published, beside which ours is put, and what must be known to compare the two."""
        return {
            "name": self.name,
            "title": self.title,
            "paper": self.paper,
            "shows": self.shows,
            "differs": self.differs,
            "notes": {entry.label: entry.note for entry in self.entries if entry.note},
            "published": [one.to_json() for one in self.published],
        }
