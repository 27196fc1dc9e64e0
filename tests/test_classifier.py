"""What stands in config.json comes back as it was; what is wrong there is told in one line."""

import json
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic_cli.classifier import SCHEMA, Classifier, Look
from forensic_cli.errors import WeightsError
from loops import each

FULL = Classifier(
    "tf_efficientnet_lite0",
    Look(224, resize=256, crops=5, whole=True, kernel="bicubic", pad="mirror", tile=512),
    mean=(0.5, 0.25, 0.125),
    std=(0.5, 1.0, 2.0),
    head="softmax",
    settings=(("folded", True), ("drop_rate", 0.5), ("depth", 2), ("norm", "layer")),
    licence="MIT",
    half=True,
)


def through_json(classifier):
    return Classifier.from_json(json.loads(json.dumps(classifier.to_json())), "config.json")


@pytest.mark.parametrize("classifier", [FULL, Classifier("resnet18", Look(None)), Classifier("x", Look(32))], ids=str)
def test_it_comes_back_as_it_was(classifier):
    assert through_json(classifier) == classifier
    assert hash(through_json(classifier)) == hash(classifier)


@settings(max_examples=40, deadline=None)
@given(
    st.builds(
        Classifier,
        st.text(min_size=1),
        st.builds(
            Look,
            st.none() | st.integers(1, 500),
            resize=st.none() | st.integers(500, 10_000),
            crops=st.sampled_from([1, 5]),
            whole=st.booleans(),
            kernel=st.sampled_from(["bilinear", "bicubic", "lanczos", "box"]),
            pad=st.sampled_from(["mirror", "black"]),
            tile=st.integers(1, 10_000),
            squash=st.booleans(),
        ),
        settings=st.dictionaries(
            st.text(), st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False), max_size=3
        ).map(lambda one: tuple(one.items())),
    )
)
def test_whatever_it_says_comes_back(classifier):
    assert through_json(classifier) == classifier


def test_the_number_one_is_a_number_of_floats_too():
    """JSON writers drop the ".0"; the types that come back are those of the fields."""
    value = FULL.to_json() | {"std": [1, 1, 1]}
    found = Classifier.from_json(value, "config.json")
    assert found.std == (1.0, 1.0, 1.0)
    assert all(type(number) is float for number in found.std)


def refusal(value):
    with pytest.raises(WeightsError) as caught:
        Classifier.from_json(value, "model/config.json")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("model/config.json")
    return line


def changed(path, value):
    """FULL as JSON with one field changed: "look.size"."""
    whole = json.loads(json.dumps(FULL.to_json()))
    *above, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = whole
    for part in above:
        place = place[part]
    place[last] = value
    return whole


WRONG = {
    "network": [None, 3, ["resnet18"], {}, True],
    "look": [None, 224, [], "x"],
    "look.size": ["224", 224.0, True, [224], 0, -1],
    "look.resize": ["256", 256.5, False, 0, -5, 223],
    "look.crops": ["5", 2, None, [5], True, 5.0],
    "look.whole": [1, "yes", None],
    "look.kernel": ["nearest", None, 3, ["bilinear"], {}],
    "look.pad": ["white", None, []],
    "look.tile": [None, "1024", 0.5, 0],
    "look.squash": ["no", 0],
    "mean": [
        None,
        0.5,
        "abc",
        [0.5, "0.5", 0.5],
        [0.5, None, 0.5],
        [True, True, True],
        [0.5],
        [0.5] * 4,
        [0.5, 0.5, 10**400],
    ],
    "std": [None, 1, [1.0, {}, 1.0], [1.0, 1.0], [0.0, 1.0, 1.0], [1.0, float("nan"), 1.0], [1.0, -1.0, 1.0]],
    "head": ["sigmoid", None, 2, ["logit"]],
    "settings": [None, [], "x", {"a": None}, {"a": [1]}, {"a": {}}],
    "half": [None, 1, "yes"],
    "licence": [None, 3, ["MIT"]],
}


def test_every_field_is_tried():
    tried = {path.split(".")[0] for path in WRONG}
    assert tried == {one.name for one in fields(Classifier)}
    inner = {path.split(".")[-1] for path in WRONG if path.startswith("look.")}
    assert inner == {one.name for one in fields(Look)}


@each("path, value", [(path, value) for path, values in WRONG.items() for value in values])
def test_one_line_names_the_file_and_the_field(path, value):
    line = refusal(changed(path, value))
    for part in path.split("."):
        assert part.isdigit() or part in line.removeprefix("model/config.json"), line


@pytest.mark.parametrize("path", ["network", "look", "look.size"])
def test_a_field_that_is_missing_is_named(path):
    whole = changed(path, "gone")
    *above, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = whole
    for part in above:
        place = place[part]
    del place[last]
    line = refusal(whole)
    assert all(str(part) in line for part in (*above, last) if not isinstance(part, int)), line


def test_fields_with_a_default_may_be_missing():
    found = Classifier.from_json({"schema": SCHEMA, "network": "resnet18", "look": {"size": 64}}, "config.json")
    assert found == Classifier("resnet18", Look(64))


@pytest.mark.parametrize(
    "value", [None, [], "x", 3, {}, {"model_type": "vit"}, {"schema": "forensic/classifier/2"}], ids=repr
)
def test_what_is_no_classifier(value):
    line = refusal(value)
    assert line == "model/config.json does not describe a classifier of forensic (schema forensic/classifier/1)"


def test_foreign_keys_are_ignored_wherever_they_stand():
    """A later version may say more."""
    value = FULL.to_json() | {"note": "x", "mean_": 3}
    value["look"] = {**value["look"], "zoom": 2}
    assert Classifier.from_json(value, "config.json") == FULL
