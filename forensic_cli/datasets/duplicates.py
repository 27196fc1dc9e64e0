"""The same picture twice: under both labels nobody can say what it is, under one it counts once."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from forensic_cli.datasets.labelled import GENERATED, Class


class Duplicates(NamedTuple):
    """What to do with images of equal bytes, told by their places in the list.

    `kept`: those that count, in order. `contradicting`: groups that were found under both labels; none of them counts.
    `repeated`: each image that is in the list already -> the first of its kind.
    """

    kept: list[int]
    contradicting: list[list[int]]
    repeated: dict[int, int]

    def left_out(self, paths: Sequence[str]) -> list[tuple[str, str]]:
        """(path, reason) of each image that does not count."""
        rows = {one: f"the same image as {paths[first]}" for one, first in self.repeated.items()}
        for group in self.contradicting:
            for one in group:
                other = next(another for another in group if another != one)
                rows[one] = f"the same image is labelled both photograph and generated; see {paths[other]}"
        return [(paths[one], reason) for one, reason in sorted(rows.items())]

    def paired(self, pairs: Mapping[str, tuple[str, ...]], sources: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """`Dataset.pairs`, once repeated images are gone: a source whose images count under another also is the other.

        Without it a generator whose photographs are copies of another's would be left with none.
        """
        also: dict[str, dict[str, None]] = {}
        for one, first in self.repeated.items():
            if sources[one] != sources[first]:
                also.setdefault(sources[one], {})[sources[first]] = None
        return {
            generator: tuple(dict.fromkeys(name for source in of for name in (source, *also.get(source, ()))))
            for generator, of in pairs.items()
        }


def duplicates(digests: Sequence[str], labels: Sequence[Class]) -> Duplicates:
    """Images of equal SHA-256. Photographs and handmade pictures are one class."""
    groups: dict[str, list[int]] = {}
    for place, digest in enumerate(digests):
        groups.setdefault(digest, []).append(place)
    found = Duplicates([], [], {})
    for group in groups.values():
        if len({labels[one] == GENERATED for one in group}) > 1:
            found.contradicting.append(group)
        else:
            found.kept.append(group[0])
            found.repeated.update(dict.fromkeys(group[1:], group[0]))
    found.kept.sort()
    return found
