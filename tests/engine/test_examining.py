"""One image, one detector or too small a memory takes nobody else down."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from forensic_cli.detector import Detector, Session
from forensic_cli.engine.examining import Examiner, Runtime
from forensic_cli.engine.loading import Loaded
from forensic_cli.engine.methods import Method
from forensic_cli.errors import WeightsError
from forensic_cli.records import Claim, Finding, ImageRef, MethodUse


def method(detector_class, name=None):
    name = name or detector_class.__name__.lower()
    return Method(name, detector_class(Session()), MethodUse(name, "dist", "1", {}, ()), "00" * 16)


def files(count, content=None):
    made = []
    for index in range(count):
        ref = ImageRef(f"{index}.png", f"{index:064x}", 1, "PNG", 2, 2)
        made.append(
            Loaded(ref.path, sha256=ref.sha256, ref=ref, image=np.full((2, 2, 3), index, np.uint8), content=content)
        )
    return made


def examine(*classes, count=5, limit=8, group=None):
    examiner = Examiner(Session(), [method(one) for one in classes], Runtime(), limit)
    return examiner.examine(group or files(count)), examiner


class Value(Detector):
    def score(self, batch):
        return [float(image.mean()) for image in batch.images]


class BadThird(Value):
    def score(self, batch):
        if any(image.mean() == 2 for image in batch.images):
            raise RuntimeError("cannot look\nat this one")
        return super().score(batch)


def test_one_image_does_not_take_others_with_it():
    results, _ = examine(BadThird, Value)
    assert [found["badthird"].score for found in results] == [0, 1, None, 3, 4]
    assert results[2]["badthird"].error == "RuntimeError: cannot look at this one"
    assert [found["value"].score for found in results] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda batch: [1.0], "1 scores for 5 images"),
        (lambda batch: ["x"] * len(batch), "ValueError"),
        (lambda batch: exit(3), "SystemExit"),
        (lambda batch: None, "TypeError"),
    ],
)
def test_a_detector_that_breaks_its_contract_fails_its_own_column(act, message):
    class Broken(Detector):
        def score(self, batch):
            if len(batch) == 5:
                return act(batch)
            raise AssertionError(message)

    results, _ = examine(Broken, Value)
    assert all(message in found["broken"].error for found in results)
    assert [found["value"].score for found in results] == [0, 1, 2, 3, 4]


def test_a_score_that_is_no_number_fails_that_image_alone():
    class Nan(Detector):
        def score(self, batch):
            return [float("nan") if image.mean() == 1 else 0.5 for image in batch.images]

    results, _ = examine(Nan)
    assert [found["nan"].error for found in results] == [None, "the score is nan", None, None, None]


def test_out_of_memory_halves_the_batch_and_is_remembered():
    sizes = []

    class Hungry(Value):
        def score(self, batch):
            sizes.append(len(batch))
            if len(batch) > 2:
                raise MemoryError
            return super().score(batch)

    results, examiner = examine(Hungry, count=8)
    assert [found["hungry"].score for found in results] == list(range(8))
    assert sizes == [8, 4, 2, 2, 4, 2, 2]
    assert examiner.limit == 2


def test_out_of_memory_on_one_image_is_said():
    class Hungry(Detector):
        def score(self, batch):
            raise MemoryError

    results, _ = examine(Hungry, count=2)
    assert {found["hungry"].error for found in results} == {"out of memory on a single image"}


def test_weights_that_do_not_load_are_tried_once():
    @dataclass
    class Calls:
        names: list[str] = field(default_factory=list)

    calls = Calls()

    class Heavy(Detector):
        def score(self, batch):
            calls.names.append("score")
            raise WeightsError("no such weights")

    examiner = Examiner(Session(), [method(Heavy), method(Value)], Runtime(), 8)
    for _ in range(3):
        results = examiner.examine(files(4))
        assert {found["heavy"].error for found in results} == {"no such weights"}
        assert [found["value"].score for found in results] == [0, 1, 2, 3]
    assert calls.names == ["score"]


def test_a_feature_that_two_methods_share_runs_once():
    runs = []

    def feature(batch, *, size):
        runs.append(size)
        return [size] * len(batch)

    class One(Detector):
        def score(self, batch):
            return batch.once(feature, size=3)

    class Two(One):
        pass

    results, _ = examine(One, Two)
    assert runs == [3]
    assert {found[name].score for found in results for name in ("one", "two")} == {3.0}


def test_only_what_is_missing_is_asked():
    asked = []

    class Recorder(Value):
        def score(self, batch):
            asked.append(len(batch))
            return super().score(batch)

    group = files(4)
    group[1].known = {"recorder": Finding("recorder", score=9.0)}
    results, _ = examine(Recorder, Value, group=group)
    assert sorted(asked) == [3]
    assert [sorted(found) for found in results] == [
        ["recorder", "value"],
        ["value"],
        ["recorder", "value"],
        ["recorder", "value"],
    ]


def test_statements_come_from_the_file():
    class Teller(Detector):
        looks_at = "file"

        def examine(self, batch):
            return [
                Finding("anything", claims=(Claim("software", text.decode(), "x", "declared"),)) for text in batch.contents
            ]

    results, _ = examine(Teller, group=files(2, content=b"hello"))
    assert [found["teller"].claims[0].statement for found in results] == ["hello", "hello"]
    assert results[0]["teller"].method == "teller"


def test_a_chatty_plugin_does_not_write_to_stdout(capsys):
    class Chatty(Value):
        def score(self, batch):
            print("hello from a plugin")
            return super().score(batch)

    examine(Chatty)
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "hello" in streams.err


def test_one_giant_does_not_shrink_the_batches_of_all():
    class Hungry(Value):
        def score(self, batch):
            if any(image.mean() == 3 for image in batch.images):
                raise MemoryError
            return super().score(batch)

    results, examiner = examine(Hungry, count=8)
    assert [found["hungry"].error is None for found in results] == [index != 3 for index in range(8)]
    assert examiner.limit == 8


@pytest.mark.parametrize(
    "words", ["DefaultCPUAllocator: can't allocate memory: 9 bytes", "MPS backend out of memory", "CUDA out of memory."]
)
def test_torchs_ways_to_say_out_of_memory(words):
    class Hungry(Value):
        def score(self, batch):
            if len(batch) > 1:
                raise RuntimeError(words)
            return super().score(batch)

    results, examiner = examine(Hungry, count=4)
    assert [found["hungry"].score for found in results] == [0, 1, 2, 3]
    assert examiner.limit == 1


@pytest.mark.parametrize(
    "finding",
    [
        Finding("x", score=float("nan")),
        Finding("x", score=1.0, seconds=object()),
        Finding("x", score=1.0, claims=(object(),)),
        Finding("x", p_value=float("inf")),
    ],
)
def test_a_finding_that_fits_no_report_is_an_error_of_its_method(finding):
    class Odd(Detector):
        def examine(self, batch):
            return [finding] * len(batch)

    results, _ = examine(Odd, Value)
    assert all(found["odd"].error for found in results)
    assert [found["value"].score for found in results] == [0, 1, 2, 3, 4]


def test_numbers_of_numpy_become_plain():
    class Odd(Detector):
        def examine(self, batch):
            return [Finding("x", score=np.float32(0.5), seconds=np.float32(1)) for _ in batch.refs]

    results, _ = examine(Odd)
    assert all(type(found["odd"].score) is type(found["odd"].seconds) is float for found in results)


def test_copies_in_a_batch_are_examined_once():
    asked = []

    class Recorder(Value):
        def score(self, batch):
            asked.append(len(batch))
            return super().score(batch)

    group = files(2) + files(2)
    results, _ = examine(Recorder, group=group)
    assert asked == [2]
    assert [found["recorder"].score for found in results] == [0, 1, 0, 1]


def test_a_detector_cannot_reorder_the_batch_of_others():
    class Sorter(Detector):
        def score(self, batch):
            batch.images.reverse()
            batch.refs.clear()
            return [0.0] * len(batch)

    results, _ = examine(Sorter, Value)
    assert [found["value"].score for found in results] == [0, 1, 2, 3, 4]
