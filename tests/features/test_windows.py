"""The crops are those of the authors' own preprocessing, bit for bit, and native ones are the image itself."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import v2

from forensic_cli.classifier import Look
from forensic_cli.detector import Batch, Session
from forensic_cli.features import windows as room
from forensic_cli.features.windows import Window, cut, windows
from forensic_cli.records import ImageRef
from loops import each

PUBLISHED = [Look(384, resize=440), Look(224, resize=256)]


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def by_torchvision(image, look):
    steps = [v2.Resize(look.resize, v2.InterpolationMode[look.kernel.upper()]), v2.CenterCrop(look.size)]
    return np.asarray(v2.Compose(steps)(Image.fromarray(image)))


SHAPES = [
    (480, 640),
    (640, 480),
    (500, 500),
    (440, 440),
    (440, 700),
    (256, 300),
    (383, 441),
    (441, 383),
    (1001, 667),
    (333, 1999),
    (10, 11),
    (3, 2),
    (1, 1),
    (1, 7),
    (9, 1),
]


@each("look", PUBLISHED)
@each("shape", SHAPES)
def test_the_published_preprocessing_is_torchvisions_on_pillow_bit_for_bit(shape, look):
    image = noise(*shape)
    (window,) = cut(image, look)
    assert np.array_equal(window.pixels, by_torchvision(image, look))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 150),
    st.integers(1, 150),
    st.integers(1, 60),
    st.integers(0, 20),
    st.sampled_from(["bilinear", "bicubic"]),
)
def test_so_is_any_size_and_kernel(height, width, size, more, kernel):
    image, look = noise(height, width), Look(size, resize=size + more, kernel=kernel)
    (window,) = cut(image, look)
    assert np.array_equal(window.pixels, by_torchvision(image, look))


@pytest.mark.parametrize("shape", [(480, 640), (700, 441), (60, 33)], ids=str)
def test_the_box_is_where_a_resized_crop_lies_in_the_image(shape):
    height, width = shape
    ramp = np.stack(np.broadcast_arrays(np.arange(height)[:, None], np.arange(width)[None], 0), -1)
    scale = 255 / max(shape)
    (window,) = cut((ramp * scale).astype(np.uint8), Look(224, resize=256))
    left, top, right, bottom = window.box
    assert (right - left, bottom - top) == pytest.approx((224 * min(shape) / 256,) * 2, rel=0.01)
    middle = window.pixels[..., :2].mean(axis=(0, 1)) / scale
    assert middle == pytest.approx([(top + bottom) / 2, (left + right) / 2], abs=0.02 * max(shape) + 1)


def test_five_resized_crops_are_the_centre_and_the_corners():
    image, look = noise(90, 120), Look(32, resize=45, crops=5)
    whole = np.asarray(Image.fromarray(image).resize((60, 45), Image.Resampling.BILINEAR))
    found = cut(image, look)
    places = [(6, 14), (0, 0), (0, 28), (13, 0), (13, 28)]
    assert [window.pixels.tobytes() for window in found] == [
        whole[top : top + 32, left : left + 32].tobytes() for top, left in places
    ]
    assert found[0].pixels.tobytes() == by_torchvision(image, look).tobytes()
    assert found[4].box == pytest.approx((56, 26, 120, 90))


def test_of_a_giant_strip_only_the_window_is_resized(monkeypatch):
    """A row of 40,000 pixels would take gigabytes at a short side of 440."""
    image = np.repeat(np.linspace(0, 255, 40_000).astype(np.uint8)[None, :, None], 3, axis=2)
    look = Look(384, resize=440)
    (window,) = cut(image, look)
    assert window.pixels.shape == (384, 384, 3)
    assert np.ptp(window.pixels) <= 1
    assert abs(int(window.pixels[0, 0, 0]) - 127) <= 1
    smooth = noise(8, 10).repeat(40, axis=0).repeat(40, axis=1)
    (usual,) = cut(smooth, look)
    monkeypatch.setattr(room, "_LARGEST", 1)
    (only,) = cut(smooth, look)
    assert only.box == usual.box
    assert np.abs(only.pixels.astype(int) - usual.pixels).max() <= 2


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "lanczos", "box"])
def test_squashed_the_whole_image_is_the_only_crop(kernel):
    image = noise(50, 90)
    (window,) = cut(image, Look(32, squash=True, kernel=kernel, crops=5))
    expected = Image.fromarray(image).resize((32, 32), Image.Resampling[kernel.upper()])
    assert np.array_equal(window.pixels, np.asarray(expected))
    assert window.box == (0, 0, 90, 50)


@pytest.mark.parametrize("shape", [(40, 64), (65, 32), (33, 33), (32, 32), (101, 99)], ids=str)
def test_native_crops_are_the_pixels_of_the_image(shape):
    image = noise(*shape)
    height, width = shape
    found = cut(image, Look(32, crops=5))
    for window in found:
        left, top, right, bottom = window.box
        assert (right - left, bottom - top) == (32, 32)
        assert np.array_equal(window.pixels, image[top:bottom, left:right])
    centre = np.asarray(v2.CenterCrop(32)(Image.fromarray(image)))
    assert np.array_equal(found[0].pixels, centre)
    corners = {(0, 0), (0, width - 32), (height - 32, 0), (height - 32, width - 32)}
    middle = found[0].box[1], found[0].box[0]
    assert {(window.box[1], window.box[0]) for window in found} == corners | {middle}
    assert len({window.box for window in found}) == len(found)  # each place once
    assert cut(image, Look(32))[0].pixels.tobytes() == centre.tobytes()


def test_an_image_with_room_for_fewer_gives_fewer():
    counts = [len(cut(noise(*shape), Look(32, crops=5))) for shape in ((32, 32), (32, 64), (64, 64), (32, 33), (20, 20))]
    assert counts == [1, 3, 5, 2, 1]


@pytest.mark.parametrize(
    ("shape", "whole"),
    [((32, 32), True), ((71, 72), True), ((72, 72), False), ((40, 128), True), ((32, 160), True), ((33, 160), False)],
)
def test_an_image_with_no_more_pixels_than_its_crops_is_seen_whole(shape, whole):
    image = noise(*shape)
    found = cut(image, Look(32, crops=5, whole=True, pad="mirror"))
    assert (len(found) == 1 and found[0].pixels.shape == image.shape) == whole
    if whole:
        assert np.array_equal(found[0].pixels, image)
        assert found[0].box == (0, 0, shape[1], shape[0])
        assert found[0].area == shape[0] * shape[1]
    else:
        assert all(window.pixels.shape == (32, 32, 3) for window in found)


SMALL = [(1, 1), (1, 50), (50, 1), (2, 3), (31, 31), (31, 33), (33, 31), (7, 32), (5, 100)]


@each("shape", SMALL)
@each("whole", [True, False])
def test_a_small_image_is_mirrored_to_the_size_of_the_crop(shape, whole):
    """Pixel by pixel: -1 shows 0, -2 shows 1, and behind the other end it turns again."""
    image = noise(*shape)
    found = cut(image, Look(32, crops=5, whole=whole, pad="mirror"))
    for window in found:
        left, top, _, _ = window.box
        sides = [max(32, side) for side in shape] if whole else [32, 32]
        assert window.pixels.shape == (*sides, 3)
        rows = _mirrored(top, shape[0], sides[0])
        columns = _mirrored(left, shape[1], sides[1])
        assert np.array_equal(window.pixels, image[rows][:, columns])
    spare = [max(0, 32 - side) for side in shape]
    assert all(window.box[1] == -(spare[0] // 2) for window in found if shape[0] <= 32)
    assert all(window.box[0] == -(spare[1] // 2) for window in found if shape[1] <= 32)


def _mirrored(start, side, length):
    places = [(start + step) % (2 * side) for step in range(length)]
    return [place if place < side else 2 * side - 1 - place for place in places]


@each("shape", SMALL)
def test_or_it_stands_in_the_middle_of_black(shape):
    image = noise(*shape) | 1
    (window, *_) = cut(image, Look(32))
    assert np.array_equal(window.pixels, np.asarray(v2.CenterCrop(32)(Image.fromarray(image))))
    left, top, right, bottom = window.box
    inside = window.pixels[max(0, -top) : min(32, shape[0] - top), max(0, -left) : min(32, shape[1] - left)]
    assert np.array_equal(inside, image[max(0, top) : bottom, max(0, left) : right])


@each("shape", [(1, 1), (31, 500), (512, 512), (513, 1025), (700, 64), (1537, 90)])
@each("side", [64, 256, 512, 1000])
def test_tiles_lie_side_by_side_over_the_whole_image(shape, side):
    image = noise(*shape)
    found = cut(image, Look(None, tile=side))
    laid = np.zeros_like(image)
    count = np.zeros(shape, int)
    for window in found:
        left, top, right, bottom = window.box
        assert window.pixels.shape == (bottom - top, right - left, 3)
        assert max(window.pixels.shape) <= side
        assert left % 32 == top % 32 == 0
        laid[top:bottom, left:right] = window.pixels
        count[top:bottom, left:right] += 1
    assert np.array_equal(laid, image)
    assert (count == 1).all()
    fitting = side // 32 * 32
    assert len(found) == -(-shape[0] // fitting) * -(-shape[1] // fitting)


def test_an_image_within_a_tile_is_itself():
    image = noise(300, 200)
    (window,) = cut(image, Look(None))
    assert np.array_equal(window.pixels, image)
    assert window.box == (0, 0, 200, 300)


def test_a_batch_gives_the_crops_of_each_image_in_order_and_writes_into_none():
    images = [noise(60 + 7 * n, 90 - 5 * n, n) for n in range(9)]
    before = [image.copy() for image in images]
    for image in images:
        image.setflags(write=False)
    refs = [ImageRef(str(n), f"{n:064x}", 1, "PNG", *image.shape[1::-1]) for n, image in enumerate(images)]
    look = Look(32, crops=5)
    found = windows(Batch(Session(), refs, images), look=look)
    expected = [cut(image, look) for image in images]
    assert [[(w.box, w.pixels.tobytes()) for w in some] for some in found] == [
        [(w.box, w.pixels.tobytes()) for w in some] for some in expected
    ]
    assert all(np.array_equal(image, old) for image, old in zip(images, before, strict=True))


def test_crops_become_tensors_without_a_warning():
    """Read-only memory must not reach torch as it is."""
    image = noise(40, 40)
    image.setflags(write=False)
    for look in (Look(32), Look(32, resize=36), Look(None), Look(64, pad="mirror"), Look(16, squash=True)):
        torch.from_numpy(np.stack([window.pixels for window in cut(image, look)]))


def test_the_area_is_in_pixels():
    assert Window(noise(3, 5), (0, 0, 5, 3)).area == 15
