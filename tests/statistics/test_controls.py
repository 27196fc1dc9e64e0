"""The control finds what the outside of a file tells, and nothing where it tells nothing."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from forensic_cli.engine.evaluating.measuring.controlling import LOUD, controlled
from forensic_cli.engine.evaluating.tables.tables import warnings
from forensic_cli.statistics.controls import Outside, zero_pixel


def noise(draw, count):
    """Files whose outside has nothing to do with their label."""
    return [
        Outside(
            str(draw.choice([".jpg", ".png"])),
            int(draw.integers(100, 4000)),
            int(draw.integers(100, 4000)),
            int(draw.integers(10_000, 5_000_000)),
            bool(number % 2),
        )
        for number in range(count)
    ]


def test_noise_tells_nothing():
    found = [zero_pixel(noise(np.random.default_rng(n), 400), noise(np.random.default_rng(n + 50), 400)) for n in range(2)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def told(draw, count, **by_class):
    """Noise in which one fact follows from the label: (of photographs, of generated images)."""
    return [replace(one, **{name: pair[one.generated] for name, pair in by_class.items()}) for one in noise(draw, count)]


@pytest.mark.parametrize("fact", [{"suffix": (".jpg", ".png")}, {"width": (1500, 1024)}, {"height": (1001, 1024)}], ids=str)
def test_what_separates_is_found(fact):
    known, unseen = told(np.random.default_rng(0), 200, **fact), told(np.random.default_rng(1), 200, **fact)
    assert zero_pixel(known, unseen) > 0.99


def test_bytes_per_pixel_separate_whatever_the_size():
    draw = np.random.default_rng(0)

    def compressed(count):
        per_pixel = {False: 0.2, True: 0.9}
        return [replace(one, bytes=round(one.width * one.height * per_pixel[one.generated])) for one in noise(draw, count)]

    assert zero_pixel(compressed(200), compressed(200)) > 0.99


def test_what_is_learnt_of_one_label_holds_for_it():
    """Where the unseen files are the other way round, the control is wrong all the time, and says so."""
    known = told(np.random.default_rng(0), 200, suffix=(".jpg", ".png"))
    turned = told(np.random.default_rng(1), 200, suffix=(".png", ".jpg"))
    assert zero_pixel(known, turned) < 0.01


def test_suffixes_never_met_and_empty_images_are_no_trouble():
    known = told(np.random.default_rng(0), 40, suffix=(".jpg", ".png"))
    unseen = [Outside(".xyz", 0, 0, 0, False), Outside(".abc", 1, 0, 5, True)]
    assert 0 <= zero_pixel(known, unseen) <= 1


@pytest.mark.parametrize("lacking", [0, 1])
def test_without_one_class_there_is_no_figure(lacking):
    both = noise(np.random.default_rng(0), 40)
    one = [each for each in both if each.generated]
    pair = (one, both) if lacking == 0 else (both, one)
    assert math.isnan(zero_pixel(*pair))
    assert math.isnan(zero_pixel([], both))


def test_the_same_seed_gives_the_same_figure():
    known, unseen = noise(np.random.default_rng(0), 40), noise(np.random.default_rng(1), 40)
    assert zero_pixel(known, unseen, 3) == zero_pixel(known, unseen, 3)


# one by one


def shown(draw, count, sources=("a", "b", "c", "d"), **by_class):
    """Noise with formats, tables and sources, in which some facts follow from the label."""
    return [
        replace(one, format=one.suffix[1:].upper(), quality=int(draw.integers(60, 99)), tables=str(draw.integers(9)))
        for one in (replace(one, source=str(draw.choice(sources))) for one in told(draw, count, **by_class))
    ]


def by_name(images, seed=0):
    return {row["name"]: row for row in controlled(images, seed)}


NAMES = ["suffix", "format", "dimensions", "bytes per pixel", "JPEG tables", "all of these"]


def test_noise_tells_nothing_one_by_one():
    found = by_name(shown(np.random.default_rng(0), 1200))
    assert list(found) == NAMES
    for row in found.values():
        assert row["auroc"] == pytest.approx(0.5, abs=0.06)
        assert row["warning"] is None
        assert (row["n_real"], row["n_generated"]) == (600, 600)
    assert warnings(list(found.values())) == []


def test_each_control_names_what_separates():
    images = shown(np.random.default_rng(0), 300, suffix=(".jpg", ".png"))
    found = by_name(images)
    assert found["suffix"]["auroc"] == found["format"]["auroc"] == 1
    assert found["dimensions"]["auroc"] < LOUD > found["JPEG tables"]["auroc"]
    assert found["all of these"]["auroc"] > 0.99
    assert found["format"]["photographs"] == "JPG 100%"
    told_of = warnings(list(found.values()))
    parts = [line.partition(" can be told apart ")[2].split(" (")[0] for line in told_of]
    assert parts == ["by suffix alone", "by format alone", "without looking at a pixel"]
    assert "AUROC 1.00; photographs: JPG 100%; generated: PNG 100%" in told_of[1]
    assert all("\n" not in line for line in told_of)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("dimensions", lambda one: {"width": 512 if one.generated else one.width}),
        ("bytes per pixel", lambda one: {"bytes": int(one.width * one.height * (1.5 if one.generated else 0.4))}),
        ("JPEG tables", lambda one: {"tables": "x" if one.generated else one.tables}),
        ("JPEG tables", lambda one: {"quality": 95 if one.generated else one.quality - 20}),
    ],
)
def test_the_others_stay_quiet(name, change):
    images = [replace(one, **change(one)) for one in shown(np.random.default_rng(2), 400)]
    found = by_name(images)
    assert found[name]["auroc"] > 0.9
    quiet = {"suffix", "format", "JPEG tables"} - {name}
    assert all(found[other]["warning"] is None for other in quiet)
    assert f"told apart by {name} alone (" in found[name]["warning"]


def test_what_is_true_of_a_source_alone_is_not_learnt():
    """Each source has a format of its own, by which nobody can tell the classes of another source."""
    images = []
    for number in range(400):
        source = number % 8
        images.append(Outside(f".{source}", 100, 100, 3000, source >= 4, f"F{source}", source=f"s{source}"))
    assert by_name(images)["format"]["auroc"] == 0.5
    one_source = [replace(image, source="s") for image in images]
    assert by_name(one_source)["format"]["auroc"] == 1.0


def test_too_few_images_give_no_figure():
    images = shown(np.random.default_rng(0), 12, suffix=(".jpg", ".png"))
    assert all(row["auroc"] is None and row["warning"] is None for row in controlled(images))
    assert all(row["n_real"] == 0 for row in controlled([]))
    assert json.loads(json.dumps(controlled(images)))


def test_the_curve_is_of_its_area():
    images = shown(np.random.default_rng(0), 1000, suffix=(".jpg", ".png"))
    images = [replace(one, suffix=".png") if number % 3 == 0 else one for number, one in enumerate(images)]
    row = by_name(images)["all of these"]
    fpr, tpr = np.array(row["curve"]["fpr"]), np.array(row["curve"]["tpr"])
    assert (fpr[0], fpr[-1], tpr[-1]) == (0, 1, 1)
    assert np.all(np.diff(tpr) >= 0)
    assert np.trapezoid(tpr, fpr) == pytest.approx(row["auroc"], abs=0.01)
