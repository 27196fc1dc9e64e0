"""Reading ahead: in order, within its memory, and never for ever."""

import threading
import time

import pytest

from forensic_cli.detector import Detector, Session
from forensic_cli.engine.loading import Budget, Loader
from forensic_cli.engine.methods import Method
from forensic_cli.paths import find
from forensic_cli.records import Failure, MethodUse, Skipped
from forensic_cli.store import Forgiving, NoStore


class Pixels(Detector):
    pass


class File(Detector):
    looks_at = "file"


def loader(*classes, budget=None, workers=3, ahead=4):
    methods = [Method(one.__name__, one(Session()), MethodUse("x", "d", "1", {}, ()), "00" * 16) for one in classes]
    made = Loader(methods, Forgiving(NoStore(), print), workers, ahead)
    if budget is not None:
        made._budget = Budget(budget)
    return made


def load(reading, found):
    """What is loaded, without the words that the source is slow."""
    return [one for one in reading.load(found) if one is not None]


def test_everything_comes_out_in_order(photo_folder):
    (photo_folder / "a.txt").write_text("no image")
    (photo_folder / "zero.jpg").write_bytes(b"")
    found = list(find([str(photo_folder), "/no/such"]))
    loaded = load(loader(Pixels), found)
    assert [one.path for one in loaded] == [one.path for one in found]
    assert [one.status for one in loaded] == ["skipped", *["ok"] * 6, "failed", "failed"]
    assert all(one.image.shape == (one.ref.height, one.ref.width, 3) for one in loaded if one.status == "ok")


@pytest.mark.parametrize("budget", [0, 1, 400_000])
def test_a_small_budget_slows_and_never_stops(photo_folder, budget):
    loaded = load(loader(Pixels, budget=budget), find([str(photo_folder)]))
    assert len(loaded) == 6
    assert all(one.image is not None for one in loaded)


def test_no_more_is_read_ahead_than_allowed(photo_folder):
    reading = loader(Pixels, budget=1, workers=3)
    source = reading.load(find([str(photo_folder)]))
    first = next(source)
    time.sleep(0.2)
    assert first.image is not None
    assert reading._budget._used <= 1_200_000  # the one image that is always admitted
    source.close()


def test_nothing_is_decoded_for_methods_that_look_at_the_file(photo_folder):
    for one in load(loader(File), find([str(photo_folder)])):
        assert one.image is None
        assert one.content


def test_contents_are_not_kept_for_methods_that_look_at_pixels(photo_folder):
    assert all(one.content is None for one in load(loader(Pixels), find([str(photo_folder)])))


def test_a_broken_image_still_shows_its_file(tmp_path, jpeg):
    (tmp_path / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (one,) = load(loader(Pixels, File), find([str(tmp_path)]))
    assert (one.status, one.image) == ("failed", None)
    assert one.content
    assert one.ref.width == 640


def test_what_find_says_passes_through():
    said = [Skipped("a", "why"), Failure("b", "because")]
    assert [(one.path, one.status, one.reason) for one in load(loader(Pixels), said)] == [
        ("a", "skipped", "why"),
        ("b", "failed", "because"),
    ]


def test_closing_early_ends_the_threads(photo_folder):
    source = loader(Pixels, budget=0).load(find([str(photo_folder)]))
    next(source)
    source.close()
    deadline = time.monotonic() + 10
    while any(thread.name.startswith("forensic-read") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_slow_source_keeps_nobody_waiting(photo_folder):
    """Paths of a list that is still being written are loaded at once."""
    more = threading.Event()

    def slow():
        yield from find([str(photo_folder)])
        more.wait(30)
        yield Skipped("last", "why")

    source = loader(Pixels).load(slow())
    start = time.monotonic()
    first = [next(source) for _ in range(6)]
    assert all(one is not None and one.status == "ok" for one in first)
    assert next(source) is None
    assert time.monotonic() - start < 20
    more.set()
    assert [one.path for one in source if one is not None] == ["last"]


def test_a_file_that_is_slow_does_not_let_others_pile_up(photo_folder, monkeypatch):
    """Memory stays bounded however many files wait behind one that is being read."""
    from forensic_cli import images
    from forensic_cli.engine import loading

    taken, gate, read = [], threading.Event(), images.read

    def counted():
        yield next(iter(find([str(photo_folder)])))
        for number in range(20_000):
            taken.append(number)
            yield Skipped(str(number), "why")

    monkeypatch.setattr(images, "read", lambda path: (gate.wait(30), read(path))[1])
    source = loader(Pixels).load(counted())
    threading.Timer(1.0, gate.set).start()
    assert next(source).status == "ok"
    assert len(taken) < 4 * loading._WAITING
    assert len([one for one in source if one is not None]) == 20_000


def test_an_error_while_finding_is_not_lost():
    def broken():
        yield Skipped("a", "why")
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        load(loader(Pixels), broken())


def test_too_little_memory_to_read_is_a_row(photo_folder, monkeypatch):
    from forensic_cli import images

    def greedy(path):
        raise MemoryError

    monkeypatch.setattr(images, "read", greedy)
    assert {one.reason for one in load(loader(Pixels), find([str(photo_folder)]))} == {"not enough memory to read it"}
