"""A map over the whole image says of every place what the crops said of it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from forensic_cli.classifier import Classifier, Look
from forensic_cli.detector import Batch, Session
from forensic_cli.features.evidence import assemble, covering, heatmaps
from forensic_cli.features.networks import outputs, scores
from forensic_cli.features.windows import Window, cut
from forensic_cli.records import ImageRef, Weights
from loops import each

BLOCK, BIAS = 8, 0.75


def picture(height, width, block=BLOCK):
    """Blocks of one grey each, so that no kernel blurs what a block says."""
    greys = np.random.default_rng(height * width).integers(0, 256, (-(-height // block), -(-width // block)))
    grey = np.kron(greys, np.ones((block, block)))[:height, :width]
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def blocks(array, block=BLOCK):
    """The mean of each block, (h, w)."""
    height, width = (side // block for side in array.shape[:2])
    return array[..., 0].astype(float).reshape(height, block, width, block).mean(axis=(1, 3))


def parts(crops):
    """What a linear network says: the evidence of a block is its grey; its bias is known to the odds alone."""
    maps = [blocks(crop.pixels) for crop in crops]
    return [(crop, one.mean() + BIAS, one) for crop, one in zip(crops, maps, strict=True)]


def seen_by(crops, shape):
    """Which pixels of the image lie in a crop."""
    mask = np.zeros(shape[:2], bool)
    for left, top, right, bottom in (map(round, crop.box) for crop in crops):
        mask[max(0, top) : bottom, max(0, left) : right] = True
    return mask


@each("height, width", [(96, 64), (96, 128), (160, 32), (32, 32), (16, 32), (48, 16), (16, 16)])
@each("pad", ["mirror", "black"])
def test_five_native_crops_of_images_larger_equal_and_smaller(height, width, pad):
    image = picture(height, width)
    crops = cut(image, Look(size=32, crops=5, pad=pad))
    found = assemble(image.shape, parts(crops))
    seen = blocks(seen_by(crops, image.shape)[..., None]) > 0
    assert found.shape == (height // BLOCK, width // BLOCK)
    np.testing.assert_allclose(found[seen], (blocks(image) + BIAS)[seen], rtol=1e-6)
    assert np.isnan(found[~seen]).all()
    assert seen.all() == (min(height, width) <= 32 and max(height, width) <= 48)


@pytest.mark.parametrize(("size", "crops"), [(32, 1), (16, 1), (16, 5)])
def test_resized_crops(size, crops):
    """The image at half its size: a cell of the map is two blocks wide."""
    image = picture(64, 96, block=16)
    found = assemble(image.shape, parts(cut(image, Look(size=size, resize=32, crops=crops, kernel="box"))))
    expected = np.full((4, 6), np.nan)
    whole = blocks(image, 16) + BIAS
    half = size // BLOCK
    expected[2 - half // 2 : 2 + half // 2, 3 - half // 2 : 3 + half // 2] = 0
    if crops == 5:
        expected[:half, :half] = expected[:half, -half:] = expected[-half:, :half] = expected[-half:, -half:] = 0
    np.testing.assert_allclose(found, whole + expected, rtol=1e-6)


def test_a_tiled_image():
    image = picture(80, 96)
    crops = cut(image, Look(size=None, tile=48))
    np.testing.assert_allclose(assemble(image.shape, parts(crops)), blocks(image) + BIAS, rtol=1e-6)


def test_crops_anywhere_and_of_any_fineness_are_averaged_by_area():
    """Against samples: whatever the crops say of 50 by 50 points in each cell."""
    rng = np.random.default_rng(1)
    boxes = [(-3.7, 2.2, 21.9, 30.0), (8.5, -1.0, 39.3, 17.4), (0.0, 0.0, 50.0, 37.0)]
    maps = [rng.normal(size=shape) for shape in ((7, 6), (4, 9), (3, 3))]
    crops = [Window(np.zeros((1, 1, 3), np.uint8), box) for box in boxes]
    found = assemble((37, 50), [(crop, one.mean(), one) for crop, one in zip(crops, maps, strict=True)])
    assert found.shape == (int(np.ceil(37 * 7 / 27.8)), int(np.ceil(50 * 9 / 30.8)))
    rows, columns = found.shape
    y = (np.arange(rows * 50) + 0.5) * 37 / (rows * 50)
    x = (np.arange(columns * 50) + 0.5) * 50 / (columns * 50)
    total, count = np.zeros((len(y), len(x))), np.zeros((len(y), len(x)))
    for (left, top, right, bottom), one in zip(boxes, maps, strict=True):
        i = np.floor((y - top) / (bottom - top) * one.shape[0]).astype(int)
        j = np.floor((x - left) / (right - left) * one.shape[1]).astype(int)
        inside = np.outer((i >= 0) & (i < one.shape[0]), (j >= 0) & (j < one.shape[1]))
        total += inside * one[np.ix_(i.clip(0, one.shape[0] - 1), j.clip(0, one.shape[1] - 1))]
        count += inside

    def cells(samples):
        return samples.reshape(rows, 50, columns, 50).sum(axis=(1, 3))

    np.testing.assert_allclose(found, cells(total) / cells(count), atol=0.05)


def test_cells_are_at_most_512_a_side():
    crop = Window(np.zeros((1, 1, 3), np.uint8), (0, 0, 4000, 10))
    assert assemble((10, 4000), [(crop, 0.0, np.zeros((2, 2000)))]).shape == (2, 512)


@pytest.mark.parametrize(("side", "cells", "seen"), [(27, 5, 6), (26, 5, 5)])
def test_a_cell_of_which_less_than_half_is_covered_was_not_looked_at(side, cells, seen):
    """The crop ends 0.56 or 0.35 of a cell behind the fifth; what is seen of it stays a square."""
    crop = Window(np.zeros((1, 1, 3), np.uint8), (0, 0, side, side))
    found = ~np.isnan(assemble((34, 34), [(crop, 3.0, np.zeros((cells, cells)))]))
    assert found.shape == (7, 7)
    assert found[:seen, :seen].all()
    assert found.sum() == seen**2


def test_crops_that_share_a_cell_have_looked_at_it():
    """Two fifths of the second cell lie in either crop, and nothing says more of it."""
    crops = [Window(np.zeros((1, 1, 3), np.uint8), box) for box in ((0, 0, 7, 7), (8, 0, 15, 7))]
    one, other = ((crop, odds, np.zeros((1, 1))) for crop, odds in zip(crops, (1.0, 3.0), strict=True))
    assert assemble((7, 10), [one, other]).tolist() == [[1, 2]]
    assert assemble((7, 10), [one]).tolist() == [[1, pytest.approx(np.nan, nan_ok=True)]]


@each("shape", [(32, 32), (33, 32), (10, 20), (100, 70), (256, 256), (1, 1), (32, 2048)])
@each("resize", [None, 48])
def test_a_covering_leaves_no_pixel_out(shape, resize):
    image = picture(*shape)
    crops = covering(image, Look(size=32, resize=resize))
    assert all(crop.pixels.shape == (32, 32, 3) for crop in crops)
    assert len({crop.box for crop in crops}) == len(crops) <= 256
    if resize is None:
        assert seen_by(crops, shape).all()
        assert len(crops) == -(-shape[0] // 32) * -(-shape[1] // 32)
    elif shape != (32, 2048):  # 48 by 3072 pixels are 192 crops
        assert not np.isnan(assemble(shape, parts(crops))).any()


def test_a_covering_shows_what_is_there():
    image = picture(72, 104)
    np.testing.assert_allclose(
        assemble(image.shape, parts(covering(image, Look(size=32)))), blocks(image) + BIAS, rtol=1e-6
    )


@pytest.mark.parametrize("shape", [(1024, 1280), (12000, 40), (40, 12000), (8000, 90)], ids=str)
def test_a_covering_of_a_giant_is_spread_evenly(shape):
    crops = covering(np.zeros((*shape, 3), np.uint8), Look(size=32))
    assert 160 <= len({crop.box for crop in crops}) <= 256
    lefts, tops, rights, bottoms = (sorted(set(side)) for side in zip(*(crop.box for crop in crops), strict=True))
    for starts, ends, side in ((tops, bottoms, shape[0]), (lefts, rights, shape[1])):
        assert starts[0] >= 0
        assert ends[-1] <= side
        assert len(starts) == 1 or (starts[0] == 0 and ends[-1] == side)
        assert np.ptp(np.diff(starts)) <= 1 if len(starts) > 1 else True


class Linear(nn.Module):
    """Averages of blocks and one linear layer: its class activation map is known."""

    def __init__(self):
        super().__init__()
        self.global_pool = SimpleNamespace(pool_type="avg")
        self.classifier = nn.Linear(3, 1)

    def get_classifier(self):
        return self.classifier

    def forward_features(self, pixels):
        return nn.functional.avg_pool2d(pixels, BLOCK)


def describe(**look):
    return Classifier("toy", Look(**look), mean=(0.0,) * 3, std=(1.0,) * 3)


@pytest.fixture
def linear(tmp_path):
    """Weights whose evidence is the block's grey over 255."""
    state = {"classifier.weight": torch.tensor([[0.5, 0.25, 0.25]]), "classifier.bias": torch.tensor([BIAS])}
    save_file(state, tmp_path / "model.safetensors")
    return Weights(str(tmp_path))


def batch(*images):
    refs = [ImageRef(f"{n}.png", f"{n:064x}", 1, "PNG", one.shape[1], one.shape[0]) for n, one in enumerate(images)]
    return Batch(Session(), refs, images)


def test_heatmaps_of_a_network(linear):
    """Images of several sizes in one batch: each is covered, and the score stays that of its five crops."""
    images = [picture(80, 96), picture(32, 32), picture(16, 16)]
    shown = batch(*images)
    asked = {"weights": linear, "published": describe(size=32, crops=5), "build": lambda classifier: Linear()}
    before = scores(shown, **asked)
    for found, image in zip(heatmaps(shown, **asked), images, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, blocks(image) / 255 + BIAS, rtol=1e-4)
    np.testing.assert_array_equal(scores(shown, **asked), before)
    assert [len(crops) for crops, *_ in shown.once(outputs, **asked)] == [5, 1, 1]


def test_a_network_without_evidence_looks_nowhere(linear):
    class Plain(Linear):
        def __init__(self):
            super().__init__()
            self.global_pool = None

        def forward(self, pixels):
            return self.classifier(pixels.mean(dim=(2, 3)))

    asked = {"weights": linear, "published": describe(size=32), "build": lambda classifier: Plain()}
    (found,) = heatmaps(batch(picture(40, 40)), **asked)
    assert np.isnan(found).all()
