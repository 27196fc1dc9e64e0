"""What is held out is what was asked for, and where that cannot be, what can be, with a sentence on its worth."""

import pytest

from forensic_cli.datasets import Labelled
from forensic_cli.errors import TrainingError, UsageError
from forensic_cli.training.division import divided, read_parts


def some(label, source, count=10, generator=""):
    kind = {"real": "photograph", "fake": "generated", "other": "handmade: comic"}[label]
    return [Labelled(f"{source}/{label}/{n}.jpg", label == "fake", generator, source, kind) for n in range(count)]


TWO_SIDED = [*some("real", "a"), *some("real", "b"), *some("fake", "c", generator="x"), *some("fake", "d", generator="y")]


def test_whole_sources_without_doubt():
    found = divided(TWO_SIDED, 0.3, 0)
    assert not found.doubts
    assert {item.source for item in found.known}.isdisjoint(found.held_out)
    assert len(found.known) + len(found.unseen) == len(TWO_SIDED)


def test_nothing_held_out():
    found = divided(TWO_SIDED, 0, 0)
    assert found.known == tuple(TWO_SIDED)
    assert not found.unseen


def test_a_class_of_one_source_is_held_out_image_by_image():
    items = [*some("real", "a"), *some("real", "b"), *some("fake", "only")]
    found = divided(items, 0.3, 0)
    assert {item.source for item in found.unseen if item.generated} == {"only"}
    assert {item.source for item in found.known if item.generated} == {"only"}
    photographs = [{item.source for item in side if not item.generated} for side in (found.known, found.unseen)]
    assert photographs[0].isdisjoint(photographs[1])  # the other class is held out by source all the same
    (doubt,) = found.doubts
    assert doubt.startswith("All generated images are from one source (only).")


def test_sources_that_share_a_generator_are_held_out_with_a_doubt():
    items = [*some("real", "a"), *some("real", "b"), *some("fake", "c", generator="x"), *some("fake", "d", generator="x")]
    found = divided(items, 0.3, 0)
    generated = [{item.source for item in side if item.generated} for side in (found.known, found.unseen)]
    assert sorted(map(sorted, generated)) == [["c"], ["d"]]
    assert "no generator is new" in found.doubts[0]


def test_a_single_image_cannot_be_held_out():
    with pytest.raises(UsageError):
        divided([*some("real", "a"), *some("real", "b"), *some("fake", "c", 1)], 0.3, 0)


def write(path, *rows):
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_a_file_says_who_is_held_out(tmp_path):
    parts = read_parts(write(tmp_path / "s.csv", "repo,part", "a,train", "b,judge", "c,train", "d,judge", "absent,judge"))
    found = divided(TWO_SIDED, 0.2, 0, parts)
    assert found.held_out == ["b", "d"]
    assert {item.source for item in found.known} == {"a", "c"}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (("name,part", "a,train"), "expected a CSV file with the columns source (or repo) and part"),
        (("source,part", "a,judge"), "no source has the part train"),
        (("source,part", "a,train", "a,judge"), "a is both train and judge"),
        (("",), "expected a CSV file"),
    ],
    ids=["columns", "nobody", "both", "empty"],
)
def test_a_file_that_says_nothing_of_use(tmp_path, rows, words):
    with pytest.raises(UsageError) as caught:
        read_parts(write(tmp_path / "s.csv", *rows))
    assert words in str(caught.value)
    assert str(tmp_path / "s.csv") in str(caught.value)


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_parts(tmp_path / "absent.csv")
    (tmp_path / "s.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UsageError, match="no CSV file"):
        read_parts(tmp_path / "s.csv")


def test_sources_that_the_file_forgot_are_named():
    with pytest.raises(UsageError) as caught:
        divided(TWO_SIDED, 0.2, 0, {"a": "train"})
    assert str(caught.value) == "--split says nothing of b, c, d: give each source of the data a part"


def test_a_file_that_holds_out_one_class_alone():
    parts = {"a": "train", "b": "judge", "c": "train", "d": "train"}
    with pytest.raises(TrainingError, match="nothing that is held out is a generated image"):
        divided(TWO_SIDED, 0.2, 0, parts)
    parts = {"a": "train", "b": "train", "c": "train", "d": "judge"}
    with pytest.raises(TrainingError, match="nothing that is held out is a photograph"):
        divided(TWO_SIDED, 0.2, 0, parts)
