"""What is remembered, and what must not be."""

import gc
import weakref
from contextlib import suppress

import numpy as np
import pytest

from forensic_cli.detector import Batch, Session
from forensic_cli.errors import WeightsError


def test_a_function_runs_once_per_settings():
    runs = []

    def feature(session, *, size):
        runs.append(size)
        return size

    session = Session()
    assert [session.once(feature, size=size) for size in (1, 2, 1, 2)] == [1, 2, 1, 2]
    assert runs == [1, 2]


def test_a_failure_is_remembered_with_its_type():
    runs = []

    def feature(session):
        runs.append(1)
        raise WeightsError("gone")

    session = Session()
    for _ in range(3):
        with pytest.raises(WeightsError, match="gone"):
            session.once(feature)
    assert runs == [1]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate")])
def test_running_out_of_memory_is_not_remembered(error):
    errors = [error]

    def feature(session):
        if errors:
            raise errors.pop()
        return "fits now"

    session = Session()
    with pytest.raises(type(error)):
        session.once(feature)
    assert session.once(feature) == "fits now"


def test_a_remembered_failure_keeps_no_batch_alive():
    def broken(session):
        raise ValueError("always")

    def score(batch):
        batch.session.once(broken)

    session, images = Session(), []
    for _ in range(5):
        image = np.zeros((10, 10, 3), np.uint8)
        images.append(weakref.ref(image))
        with suppress(ValueError):
            score(Batch(session, (), [image]))
        del image
    gc.collect()
    assert [one() for one in images] == [None] * 5


def test_seeds_depend_on_every_word_and_nothing_else():
    assert Session(3).seed_for("a", 1) == Session(3, "cuda:0", "bfloat16", True).seed_for("a", 1)
    seeds = {
        Session(3).seed_for("a", 1),
        Session(4).seed_for("a", 1),
        Session(3).seed_for("a", 2),
        Session(3).seed_for("a1"),
    }
    assert len(seeds) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_batch_cannot_be_rearranged():
    batch = Batch(Session(), (), [np.zeros((2, 2, 3), np.uint8)])
    with pytest.raises(AttributeError):
        batch.images = []
    batch.images.clear()
    assert len(batch.images) == 1
