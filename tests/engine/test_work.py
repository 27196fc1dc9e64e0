"""What was asked for is plain values: another process makes the same of it."""

import multiprocessing
import pickle
import shutil
from pathlib import Path

import pytest

from forensic_cli.engine.scan import scan
from forensic_cli.engine.watching import Watch
from forensic_cli.engine.work import Choice, Work
from forensic_cli.errors import WeightsError
from forensic_cli.paths import find

PLUGIN = '''
from dataclasses import dataclass
from typing import Annotated
from forensic_cli import Detector, hookimpl

class Loose(Detector):
    """The mean of an image, and a random number of each."""

    light = True

    @dataclass(frozen=True)
    class Options:
        factor: Annotated[float, "times the mean"] = 1.0

    def score(self, batch):
        seeds = [self.session.seed_for(ref.sha256, "loose") % 1000 for ref in batch.refs]
        return [image.mean() * self.options.factor + seed for image, seed in zip(batch.images, seeds)]

@hookimpl
def register_detectors(register):
    register("loose", Loose)
'''


def scores(pickled, paths):
    """By file: what each method gives, and how far copies move it."""
    ready = pickle.loads(pickled).ready()
    try:
        records = list(scan(find(paths), ready, Watch()))
    finally:
        ready.store.close()
    return {one.path: [(f.method, f.score, f.stability, f.error) for f in one.findings] for one in records}


@pytest.fixture
def work(tmp_path):
    (tmp_path / "loose.py").write_text(PLUGIN)
    return Work(
        (Choice("loose", {"factor": "2"}, "twice"), Choice("loose"), Choice("provenance")),
        transforms=("jpeg:70", "halve"),
        device="cpu",
        batch_size=3,
        seed=7,
        store=tmp_path / "scores.sqlite",
        offline=True,
        plugins=(tmp_path / "loose.py",),
    )


def test_another_process_makes_the_same_scores_of_it(work, photo_folder, tmp_path):
    folder = tmp_path / "elsewhere"
    shutil.copytree(photo_folder, folder)
    here = scores(pickle.dumps(work), [str(folder)])
    Path(work.store).unlink()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.apply(scores, (pickle.dumps(work), [str(folder)]))
    assert there == here
    assert any(score is not None and moved for of in here.values() for _, score, moved, _ in of)
    assert {name for of in here.values() for name, *_ in of} == {"twice", "loose", "provenance"}


def test_where_it_runs_everything_is_as_it_was_asked_for(work):
    ready = work.ready()
    assert [method.name for method in ready.methods] == ["twice", "loose", "provenance"]
    assert [method.detector.options.factor for method in ready.methods[:2]] == [2.0, 1.0]
    assert (ready.session.seed, ready.session.device, ready.session.offline, ready.batch_size) == (7, "cpu", True, 3)
    assert [one.name for one in ready.transforms] == ["jpeg:70", "halve"]
    ready.store.close()


def test_where_no_method_can_run_it_says_why(work, tmp_path):
    lost = Work((Choice("commfor.lite", {"weights": str(tmp_path / "nothing")}),), device="cpu", no_store=True)
    with pytest.raises(WeightsError, match=r"commfor\.lite: .*nothing"):
        lost.ready()
