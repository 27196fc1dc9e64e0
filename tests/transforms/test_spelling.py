"""One name for one transform, and one line for what is none."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import features

from forensic_cli import transforms
from forensic_cli.errors import UsageError
from forensic_cli.transforms import described, expand, parse
from forensic_cli.transforms.kinds import Number
from forensic_cli.transforms.table import TABLE
from loops import each


@each(
    "text, name",
    [
        ("none", "none"),
        ("jpeg:70", "jpeg:70"),
        ("jpeg:070", "jpeg:70"),
        ("jpeg:70.0", "jpeg:70"),
        (" JPEG: 70 ,420", "jpeg:70"),
        ("jpeg:70,444", "jpeg:70,444"),
        ("resize:.5", "resize:0.5"),
        ("resize:0.50,bicubic", "resize:0.5"),
        ("resize:1.", "resize:1"),
        ("noise:0.001", "noise:0.001"),
        ("size:100,200", "size:100,200"),
        ("flip:0.5", "flip"),
        ("flip:1", "flip:1"),
        ("turn:90", "turn"),
        ("jitter:0.25,0.1", "jitter"),
        ("jitter:0.25,0.2", "jitter:0.25,0.2"),
        ("jitter:0.5", "jitter:0.5"),
        ("tone:1.2,-0", "tone:1.2"),
        ("tone:1.2,-10", "tone:1.2,-10"),
        ("halve + jpeg:85", "halve+jpeg:85"),
        ("none+jpeg:85+none", "jpeg:85"),
        ("noise:0.05@generated", "noise:0.05@generated"),
        ("noise:0.05@real", "noise:0.05@photographs"),
        ("halve+noise:0.05 @ Photographs", "halve+noise:0.05@photographs"),
        ("none@generated", "none"),
    ],
)
def test_one_transform_has_one_name(text, name):
    transform = parse(text)
    assert transform.name == name
    assert expand(text) == [name]
    again = parse(name)
    assert again == transform
    assert hash(again) == hash(transform)
    assert pickle.loads(pickle.dumps(transform)) == transform


def values(parameter):
    if not isinstance(parameter, Number):
        return st.sampled_from(parameter.choices)
    if parameter.whole:
        return st.integers(int(parameter.least), int(parameter.most)).map(str)
    fine = st.integers(round(parameter.least * 1000), round(parameter.most * 1000)).map(lambda one: f"{one / 1000:.3f}")
    return (
        fine | fine.map(lambda text: text + "00") | fine.filter(lambda text: text[0] != "-").map(lambda text: "00" + text)
    )


def step(name):
    parameters = TABLE[name].parameters
    required = sum(one.default is None for one in parameters)
    ways = [st.tuples(*map(values, parameters[:count])) for count in range(required, len(parameters) + 1)]
    return st.one_of(ways).map(lambda texts: f"{name}:{','.join(texts)}" if texts else name)


STEPS = st.one_of([step(name) for name in sorted(TABLE)])
TEXTS = st.builds(
    lambda steps, only: "+".join(steps) + only,
    st.lists(STEPS, min_size=1, max_size=4),
    st.sampled_from(["", "@generated", "@real", "@photographs"]),
)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_a_name_is_read_back_as_what_it_names(text):
    transform = parse(text)
    assert parse(transform.name) == transform
    assert expand(transform.name) == [transform.name]
    assert parse(transform.name).name == transform.name
    typed = [piece for piece in text.partition("@")[0].split("+") if piece != "none"]
    assert [one.kind for one in transform.steps] == [piece.partition(":")[0] for piece in typed]
    for one, piece in zip(transform.steps, typed, strict=True):
        for value, said in zip(one.values, piece.partition(":")[2].split(",") if ":" in piece else [], strict=False):
            assert value == (said if isinstance(value, str) else float(said))


@settings(max_examples=150, deadline=None)
@given(st.text("jpegnois:.,/+@0123456789-hal ", max_size=25) | TEXTS.map(lambda text: text[:-1]) | st.text(max_size=12))
def test_whatever_is_typed_is_a_transform_or_one_line(text):
    try:
        names = expand(text)
    except UsageError as error:
        assert str(error)  # noqa: PT017
    else:
        assert [parse(name).name for name in names] == names


def test_classes():
    everywhere, generated, others = (parse(f"noise:0.1{only}") for only in ("", "@generated", "@real"))
    assert (everywhere.only, generated.only, others.only) == ("", "generated", "photographs")
    assert [one.applies(True) for one in (everywhere, generated, others)] == [True, True, False]
    assert [one.applies(False) for one in (everywhere, generated, others)] == [True, False, True]


@each(
    "text, names",
    [
        ("jpeg:100..70:10", "jpeg:100 jpeg:90 jpeg:80 jpeg:70"),
        ("jpeg:70..100:15,444", "jpeg:70,444 jpeg:85,444 jpeg:100,444"),
        ("resize:0.9..0.5:0.1", "resize:0.9 resize:0.8 resize:0.7 resize:0.6 resize:0.5"),
        ("resize:.9...7:.1", "resize:0.9 resize:0.8 resize:0.7"),
        ("jpeg:90/70", "jpeg:90 jpeg:70"),
        ("jpeg:90/70,444/420", "jpeg:90,444 jpeg:90 jpeg:70,444 jpeg:70"),
        ("jpeg:95/90..80:10", "jpeg:95 jpeg:90 jpeg:80"),
        ("jpeg:70/070/70,420", "jpeg:70"),
        ("jpeg:50..50:1", "jpeg:50"),
        ("tone:1,-20..20:20", "tone:1,-20 tone:1 tone:1,20"),
        ("halve+jpeg:90/70", "halve+jpeg:90 halve+jpeg:70"),
        ("resize:0.9/0.5+jpeg:90/70", "resize:0.9+jpeg:90 resize:0.9+jpeg:70 resize:0.5+jpeg:90 resize:0.5+jpeg:70"),
        ("noise:0.05..0.15:0.05@real", "noise:0.05@photographs noise:0.1@photographs noise:0.15@photographs"),
    ],
)
def test_sweeps_and_grids(text, names):
    assert expand(text) == names.split()


def test_nothing_that_is_typed_means_anything_to_a_shell():
    for usage in ("jpeg:100..70:10,444", "resize:0.9/0.5+jpeg:90/70@generated"):
        assert not set(usage) & set(" \t{}[]()*?!$&|;<>~#'\"`\\=%")


@each(
    "text, line",
    [
        ("jpg:70", "no transform is called 'jpg': did you mean jpeg?"),
        ("gray", "no transform is called 'gray': did you mean grey?"),
        ("jpeg", "jpeg: quality is missing; for example jpeg:70"),
        ("jpeg:", "jpeg:: quality is a whole number from 1 to 100, not ''; for example jpeg:70"),
        ("jpeg:high", "jpeg:high: quality is a whole number from 1 to 100, not 'high'; for example jpeg:70"),
        ("jpeg:0", "jpeg:0: quality is a whole number from 1 to 100, not '0'; for example jpeg:70"),
        ("jpeg:101", "jpeg:101: quality is a whole number from 1 to 100, not '101'; for example jpeg:70"),
        ("jpeg:70.5", "jpeg:70.5: quality is a whole number from 1 to 100, not '70.5'; for example jpeg:70"),
        ("jpeg:\u0667", "jpeg:\u0667: quality is a whole number from 1 to 100, not '\u0667'; for example jpeg:70"),
        ("jpeg:nan", "jpeg:nan: quality is a whole number from 1 to 100, not 'nan'; for example jpeg:70"),
        ("noise:5", "noise:5: sigma is a number from 0.001 to 1, not '5'; for example noise:0.05"),
        ("size:100", "size:100: height is missing; for example size:256,256"),
        ("jpeg:70,411", "jpeg:70,411: chroma is 420, 422 or 444, not '411'; for example jpeg:70"),
        ("social:x", "social:x: platform is feed or chat, not 'x'; it is typed social[:PLATFORM]"),
        ("jpeg:70,444,9", "jpeg:70,444,9: jpeg takes quality and chroma and no more"),
        ("grey:1", "grey:1: grey takes no parameters"),
        ("", "'': a transform is missing; none is the image as it is"),
        ("jpeg:70+", "'jpeg:70+': a transform is missing; none is the image as it is"),
        (
            "noise:0.1@fake",
            "noise:0.1@fake: behind @, at the end of the chain, stands generated or photographs, not 'fake'",
        ),
        (
            "noise:0.1@generated+jpeg:70",
            "noise:0.1@generated+jpeg:70: behind @, at the end of the chain, stands generated or photographs, "
            "not 'generated+jpeg:70'",
        ),
        ("jpeg:100..70", "jpeg:100..70: a sweep is FIRST..LAST:STEP with a step above 0, for example jpeg:100..70:10"),
        ("jpeg:9..7:0", "jpeg:9..7:0: a sweep is FIRST..LAST:STEP with a step above 0, for example jpeg:100..70:10"),
        ("jpeg:9..7:-1", "jpeg:9..7:-1: a sweep is FIRST..LAST:STEP with a step above 0, for example jpeg:100..70:10"),
        ("jpeg:100..70:20", "jpeg:100..70:20: in steps of 20 the sweep ends at 80, not at 70"),
        ("jpeg:110..90:10", "jpeg:110: quality is a whole number from 1 to 100, not '110'; for example jpeg:70"),
        ("noise:0..1:0.000001", "noise:0..1:0.000001: 1,000,001 transforms; the limit is 256"),
        ("jpeg:1..100:1+webp:1..100:1", "jpeg:1..100:1+webp:1..100:1: 10,000 transforms; the limit is 256"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(text, line):
    with pytest.raises(UsageError) as caught:
        expand(text)
    assert str(caught.value) == line


def test_an_unknown_name_that_is_near_to_none_is_told_all():
    with pytest.raises(UsageError) as caught:
        parse("qqq")
    assert all(name in str(caught.value) for name in TABLE)


@pytest.mark.parametrize("name", ["webp", "avif"])
def test_a_codec_that_this_pillow_lacks(monkeypatch, name):
    monkeypatch.setattr(features, "check", lambda codec: codec != name)
    with pytest.raises(UsageError, match=f"^{name}: this Pillow was built without it; pip install"):
        parse(f"{name}:80")
    assert parse("jpeg:80").name == "jpeg:80"


def test_every_transform_is_described_as_it_is_typed():
    rows = dict(described())
    assert len(rows) == len(TABLE)
    for usage, name in zip(rows, TABLE, strict=True):
        assert usage.partition(":")[0].partition("[")[0] == name
        examples = [one.example for one in TABLE[name].parameters if isinstance(one, Number)]
        typed = f"{name}:{','.join(map(str, examples))}" if examples else name
        assert parse(typed).steps or name == "none"
        assert rows[usage].endswith(".")
    assert rows["jpeg:QUALITY[,CHROMA]"].endswith("QUALITY: 1 to 100. CHROMA: 420, 422 or 444 (default 420).")
    assert rows["halve"] == "Half as wide and high, by area."


def test_what_the_table_says_about_defaults_and_examples_is_in_range():
    for kind in TABLE.values():
        optional = [one.default is not None for one in kind.parameters]
        assert optional == sorted(optional)  # what may be left out stands at the end
        for one in kind.parameters:
            if isinstance(one, Number):
                assert one.least <= one.example <= one.most
                assert one.default is None or one.least <= one.default <= one.most


def test_public_names():
    assert all(hasattr(transforms, name) for name in transforms.__all__)
