"""The same images after transforms, shown to the same methods; what was scored once is known to the store."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from forensic_cli import transforms
from forensic_cli.detector import Session
from forensic_cli.engine.examining import Examiner, Results
from forensic_cli.engine.loading import Loaded
from forensic_cli.engine.methods import Method
from forensic_cli.errors import ForensicError, reason
from forensic_cli.records import Finding
from forensic_cli.transforms import Transform

Concerns = Callable[[Transform, Loaded], bool]
"""Whether a transform is made of a file at all."""


class Versions:
    """Every method that looks at pixels under every transform.

    `methods`: one for each pair, under a name of its own, for whoever asks the store. The examiner is shown copies of the
    files, one transform after the other, so that memory does not grow with their number.
    """

    def __init__(self, methods: Sequence[Method], chosen: Sequence[Transform], session: Session, workers: int = 1) -> None:
        self._session = session
        self._chosen = chosen
        self._plain = [method for method in methods if method.looks_at_pixels]
        self._workers = workers
        code = _code() if chosen else ""
        self.methods = [
            replace(method, name=name(method.name, one), key=_key(method.key, one, code))
            for one in chosen
            for method in self._plain
        ]

    def examine(
        self, examiner: Examiner, group: Sequence[Loaded], concerns: Concerns = lambda transform, loaded: True
    ) -> Results:
        """What is not known yet of each file: findings by `name(method, transform)`.

        Where a transform cannot be made of an image (too small for a crop) its findings have an error.
        """
        results: Results = [{} for _ in group]
        with ThreadPoolExecutor(self._workers) as pool:
            for transform in self._chosen:
                lacking = [row for row, one in enumerate(group) if self._lacks(one, transform, concerns)]
                made = list(pool.map(lambda row: self._made(group[row], transform), lacking))  # noqa: B023  used at once
                shown = [one for one in made if isinstance(one, Loaded)]
                found = iter(examiner.examine(shown))
                for row, one in zip(lacking, made, strict=True):
                    for method, finding in self._findings(one, found):
                        results[row][name(method, transform)] = finding
        return results

    def _lacks(self, loaded: Loaded, transform: Transform, concerns: Concerns) -> bool:
        names = {name(method.name, transform) for method in self._plain}
        return loaded.image is not None and not names <= loaded.known.keys() and concerns(transform, loaded)

    def _made(self, loaded: Loaded, transform: Transform) -> Loaded | str:
        """The file as it would be after the transform, or why it cannot be."""
        assert loaded.ref is not None
        assert loaded.image is not None
        known = {method.name: loaded.known.get(name(method.name, transform)) for method in self._plain}
        try:
            image = transform(loaded.image, self._session.seed_for(loaded.ref.sha256, "transform"))
        except ForensicError as error:
            return f"{transform.name}: {reason(error)}"
        image = np.ascontiguousarray(image)
        image.flags.writeable = False
        ref = replace(loaded.ref, width=image.shape[1], height=image.shape[0])
        there = {method: finding for method, finding in known.items() if finding}
        return replace(loaded, image=image, ref=ref, content=None, known=there)

    def _findings(self, one: Loaded | str, found: Iterator[dict[str, Finding]]) -> Iterator[tuple[str, Finding]]:
        if isinstance(one, Loaded):
            yield from next(found).items()
        else:
            yield from ((method.name, Finding(method.name, error=one)) for method in self._plain)


def name(method: str, transform: Transform) -> str:
    """Under which a method's findings after a transform are filed among those of a file."""
    return f"{method} {transform.name}"


def _key(key: str, transform: Transform, code: str) -> str:
    return hashlib.sha256(f"{key} {transform.name} {code}".encode()).hexdigest()[:32]


def _code() -> str:
    """A digest of the transforms' own code."""
    digest = hashlib.sha256()
    for file in sorted(Path(transforms.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
