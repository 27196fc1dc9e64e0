"""Where pixels go, against coordinates computed here."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from forensic_cli.errors import ImageError
from forensic_cli.transforms import geometry, parse


def places(height, width):
    """Every pixel tells where it is: its row, its column, and that it is there at all."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows, columns, np.full_like(rows, 255)], -1).astype(np.uint8)


EVERYWHERE = places(256, 256)


def smooth(height, width):
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [127 + 100 * np.sin(columns / 9 + rows / 14), 127 + 100 * np.cos(columns / 7 - rows / 11), 60 + columns + rows]
    return np.stack(waves, -1).clip(0, 255).astype(np.uint8)


def moved(image, matrix):
    """Bilinear, black outside: `matrix` takes an output place (y, x), from the centre, to its source."""
    height, width = image.shape[:2]
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    targets = np.indices((height, width)).reshape(2, -1).T - centre
    sources = (targets @ np.array(matrix).T + centre).T
    planes = [map_coordinates(image[..., c].astype(float), sources, order=1, cval=0) for c in range(3)]
    return np.stack(planes, -1).reshape(image.shape)


def window(found):
    """The top left corner of what was cut, once it is known to be one window without a gap."""
    top, left = found[0, 0, :2].astype(int)
    assert np.array_equal(found, EVERYWHERE[top : top + found.shape[0], left : left + found.shape[1]])
    return top, left


def test_a_random_crop_comes_from_everywhere_equally_often():
    corners = [window(parse("crop:9")(places(10, 12), seed)) for seed in range(800)]
    counts = np.zeros((2, 4), int)
    for corner in corners:
        counts[corner] += 1
    assert counts.min() > 65
    assert counts.max() < 140


def test_a_crop_from_the_centre():
    assert window(parse("crop:4,centre")(places(10, 21), 5)) == (3, 8)
    assert window(parse("part:0.5,centre")(places(10, 21), 5)) == (2, 5)


def test_a_part_has_its_share_of_both_sides():
    corners = set()
    for seed in range(60):
        found = parse("part:0.5")(places(10, 20), seed)
        assert found.shape == (5, 10, 3)
        corners.add(window(found))
    assert len(corners) > 30
    assert parse("part:0.01")(places(3, 3), 0).shape == (1, 1, 3)
    assert np.array_equal(parse("part:1")(places(3, 4), 0), places(3, 4))


def test_a_trim_takes_every_side():
    assert window(parse("trim:3")(places(10, 12), 0)) == (3, 3)
    assert parse("trim:3")(places(10, 12), 0).shape == (4, 6, 3)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("crop:256", "1,200 x 255 pixels are too few for a crop of 256 x 256"),
        ("crop:300,centre", "1,200 x 255 pixels are too few for a crop of 300 x 300"),
        ("trim:128", "1,200 x 255 pixels: nothing is left without 128 on every side"),
        ("trim:1000", "1,200 x 255 pixels: nothing is left without 1,000 on every side"),
    ],
)
def test_an_image_that_is_too_small(text, line):
    with pytest.raises(ImageError) as caught:
        parse(text)(np.zeros((255, 1200, 3), np.uint8), 0)
    assert str(caught.value) == line


def test_a_crop_of_just_its_size():
    assert np.array_equal(parse("crop:30")(places(30, 30), 4), places(30, 30))


def test_a_flip_mirrors_half_of_the_time_unless_told_otherwise():
    image = places(3, 5)
    mirrored = [np.array_equal(parse("flip")(image, seed), image[:, ::-1]) for seed in range(200)]
    assert all(mirror or np.array_equal(parse("flip")(image, seed), image) for seed, mirror in enumerate(mirrored))
    assert 75 < sum(mirrored) < 125
    assert all(np.array_equal(parse("flip:1")(image, seed), image[:, ::-1]) for seed in range(20))
    assert all(np.array_equal(parse("flip:0")(image, seed), image) for seed in range(20))


def test_a_turn_is_clockwise():
    image = places(2, 3)
    assert parse("turn")(image, 0)[..., 0].tolist() == [[1, 0], [1, 0], [1, 0]]
    assert parse("turn:90")(image, 0)[..., 1].tolist() == [[0, 0], [1, 1], [2, 2]]
    assert np.array_equal(parse("turn:180")(image, 0), image[::-1, ::-1])
    assert np.array_equal(parse("turn+turn:270")(image, 0), image)


@pytest.mark.parametrize("angle", [-30, 0.5, 17, 120])
@pytest.mark.parametrize(("height", "width"), [(60, 60), (61, 80)])
def test_a_rotation_is_anticlockwise_about_the_centre(angle, height, width):
    image = smooth(height, width)
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    expected = moved(image, [[cos, sin], [-sin, cos]])
    found = geometry.rotated(image, angle)
    inside = (expected.min(axis=-1) > 0) & (found.min(axis=-1) > 0)  # how a border is blended differs
    assert inside.mean() > 0.6 or angle == 120
    assert np.abs(found - expected)[inside].mean() < 1
    assert np.quantile(np.abs(found - expected)[inside], 0.99) < 4


def test_the_corners_are_black_and_expanding_cuts_nothing_off():
    image = np.full((40, 60, 3), 200, np.uint8)
    kept, grown = geometry.rotated(image, 30), geometry.rotated(image, 30, "expand")
    assert kept.shape == image.shape
    assert kept[0, 0].tolist() == [0, 0, 0]
    assert grown.shape[0] == pytest.approx(40 * np.cos(np.pi / 6) + 60 * 0.5, abs=2)
    assert grown.shape[1] == pytest.approx(60 * np.cos(np.pi / 6) + 40 * 0.5, abs=2)
    assert grown.astype(float).sum() == pytest.approx(image.astype(float).sum(), rel=0.02)
    assert kept.astype(float).sum() < 0.95 * image.astype(float).sum()


@pytest.mark.parametrize(("text", "name"), [("rotate:30", "rotated"), ("shear:30", "sheared")])
def test_the_angle_is_drawn_evenly_from_either_side(monkeypatch, text, name):
    seen = []
    monkeypatch.setattr(geometry, name, lambda image, angle, *_, **__: seen.append(angle) or image)
    for seed in range(500):
        parse(text)(places(3, 3), seed)
    assert -30 <= min(seen) < -28
    assert 28 < max(seen) <= 30
    assert np.std(seen) == pytest.approx(60 / 12**0.5, rel=0.08)


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("angle", [-40, 15, 60])
def test_a_shear_slants_about_the_centre(angle, upright):
    image, slope = smooth(70, 91), np.tan(np.radians(angle))
    expected = moved(image, [[1, slope], [0, 1]] if upright else [[1, 0], [slope, 1]])
    found = geometry.sheared(image, angle, upright)
    inside = (expected.min(axis=-1) > 0) & (found.min(axis=-1) > 0)
    assert inside.mean() > 0.3
    assert np.abs(found - expected)[inside].mean() < 1


def test_a_shear_by_half_a_right_angle_makes_a_line_a_diagonal():
    image = np.zeros((21, 41, 3), np.uint8)
    image[:, 20] = 255
    found = geometry.sheared(image, -45, upright=False)[..., 0]
    assert found.argmax(axis=1).tolist() == list(range(10, 31))
    assert found.max(axis=1).min() == 255


def test_a_shear_takes_either_axis():
    image = np.zeros((31, 31, 3), np.uint8)
    image[15] = 255  # moves only with columns that go up and down
    still = sum(np.array_equal(parse("shear:15")(image, seed)[:, 3:-3], image[:, 3:-3]) for seed in range(100))
    assert 30 < still < 70


def test_a_shift_is_by_whole_pixels_with_black_behind_it():
    image, seen = places(40, 60), []
    image[..., :2] += 1
    for seed in range(200):
        found = parse("shift:0.1")(image, seed)
        there = found[..., 2] == 255
        rows, columns = np.nonzero(there)
        down, across = (
            rows[0] - (found[rows[0], columns[0], 0].astype(int) - 1),
            columns[0] + 1 - int(found[rows[0], columns[0], 1]),
        )
        seen.append((down, across))
        expected = np.zeros_like(image)
        expected[max(0, down) : 40 + min(0, down), max(0, across) : 60 + min(0, across)] = image[
            max(0, -down) : 40 - max(0, down), max(0, -across) : 60 - max(0, across)
        ]
        assert np.array_equal(found, expected)
    downs, acrosses = zip(*seen, strict=True)
    assert (min(downs), max(downs)) == (-4, 4)
    assert (min(acrosses), max(acrosses)) == (-6, 6)


def test_a_cutout_is_one_black_rectangle_of_its_share():
    image = np.full((100, 150, 3), 9, np.uint8)
    shapes, corners = [], set()
    for seed in range(100):
        black = (parse("cutout:0.05")(image, seed) == 0).all(axis=-1)
        rows, columns = np.nonzero(black.any(axis=1))[0], np.nonzero(black.any(axis=0))[0]
        down, across = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert black.sum() == down * across == pytest.approx(750, rel=0.06)
        shapes.append(down / across)
        corners.add((rows[0], columns[0]))
    assert 0.28 < min(shapes) < 0.6
    assert 2.8 < max(shapes) < 3.5
    assert len(corners) > 80
    assert (image == 9).all()


def test_expanding_stops_where_memory_would():
    with pytest.raises(ImageError, match="the limit is 250 megapixels"):
        geometry.rotated(np.broadcast_to(np.uint8(3), (15_000, 15_000, 3)), 45, "expand")
