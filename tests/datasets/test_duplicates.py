"""The same bytes under two labels count for nothing, under one label once."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from forensic_cli.datasets import duplicates

P, G, H = "photograph", "generated", "handmade"


def test_contradicting_and_repeated():
    found = duplicates(["a", "b", "a", "c", "c", "d", "b"], [P, P, G, G, G, H, P])
    assert (found.kept, found.contradicting, found.repeated) == ([1, 3, 5], [[0, 2]], {4: 3, 6: 1})
    assert found.left_out(list("0123456")) == [
        ("0", "the same image is labelled both photograph and generated; see 2"),
        ("2", "the same image is labelled both photograph and generated; see 0"),
        ("4", "the same image as 3"),
        ("6", "the same image as 1"),
    ]


def test_photographs_and_handmade_pictures_are_one_class():
    assert duplicates(["a", "a"], [P, H]).kept == [0]


def test_a_generator_whose_photographs_are_copies_keeps_some():
    sources = ["mj", "adm", "mj", "adm"]
    found = duplicates(["a", "a", "x", "y"], [P, P, G, G])
    assert found.kept == [0, 2, 3]
    assert found.paired({"mj": ("mj",), "adm": ("adm",), "all": ()}, sources) == {
        "mj": ("mj",),
        "adm": ("adm", "mj"),
        "all": (),
    }


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from([P, G, H])), max_size=30))
def test_everything_is_accounted_for_once(images):
    digests, labels = [one for one, _ in images], [label for _, label in images]
    found = duplicates(digests, labels)
    out = [one for group in found.contradicting for one in group]
    assert sorted([*found.kept, *found.repeated, *out]) == list(range(len(images)))
    assert max(Counter(digests[one] for one in found.kept).values(), default=0) <= 1
    sides = {digest: {label == G for one, label in images if one == digest} for digest in digests}
    assert {digests[one] for one in found.kept} == {digest for digest, both in sides.items() if len(both) == 1}
