import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from forensic_cli.classifier import IMAGENET_MEAN, IMAGENET_STD
from forensic_cli.detector import Batch, Session
from forensic_cli.features import windows
from forensic_cli.features.crops import pixels
from forensic_cli.features.noise import gaussian
from forensic_cli.records import ImageRef


def batch(images, names=None, seed=0):
    names = names or [f"{index:064x}" for index in range(len(images))]
    refs = [
        ImageRef("x", name, 1, "PNG", image.shape[1], image.shape[0]) for name, image in zip(names, images, strict=True)
    ]
    return Batch(Session(seed), refs, images)


def uint8(crops):
    """Back to grey levels."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return ((crops * std + mean) * 255).round().to(torch.uint8)


@pytest.mark.parametrize("size", [(640, 427), (427, 640), (256, 300), (301, 299), (90, 40), (1000, 250), (206, 309)])
def test_shared_is_torchvisions_resize_and_centre_crop(photographs, size):
    image = photographs[0].resize(size)
    theirs = v2.Compose([v2.Resize(256, interpolation=v2.InterpolationMode.BICUBIC), v2.CenterCrop(224)])(image)
    ours = uint8(pixels(batch([np.asarray(image)]), transform="shared"))[0]
    assert np.array_equal(ours.permute(1, 2, 0).numpy(), np.asarray(theirs))


def test_squash_is_torchvisions_bilinear_resize(photographs):
    theirs = v2.Resize((224, 224))(photographs[1])
    ours = uint8(pixels(batch([np.asarray(photographs[1])]), transform="squash"))[0]
    assert np.array_equal(ours.permute(1, 2, 0).numpy(), np.asarray(theirs))


def test_normalisation(photographs):
    image = np.asarray(photographs[0])
    crop = pixels(batch([image]), transform="shared")
    expected = v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)(uint8(crop).float() / 255)
    assert torch.allclose(crop, expected, atol=1e-6)


def test_a_random_window_is_native_pixels_and_belongs_to_the_image(photographs):
    image = np.asarray(photographs[0])
    window = uint8(pixels(batch([image], ["ab" * 32]), transform="random"))[0].permute(1, 2, 0).numpy()
    places = [
        (top, left)
        for top in range(image.shape[0] - 223)
        for left in np.flatnonzero((image[top, : image.shape[1] - 223] == window[0, 0]).all(axis=1))
        if np.array_equal(image[top : top + 224, left : left + 224], window)
    ]
    assert len(places) == 1
    other = uint8(pixels(batch([image], ["cd" * 32]), transform="random"))[0].permute(1, 2, 0).numpy()
    assert not np.array_equal(other, window)
    other_run = uint8(pixels(batch([image], ["ab" * 32], seed=1), transform="random"))[0].permute(1, 2, 0).numpy()
    assert not np.array_equal(other_run, window)


def test_small_images_are_framed_in_black():
    window = uint8(pixels(batch([np.full((100, 300, 3), 200, np.uint8)]), transform="random"))[0]
    assert (window[:, 62:162] == 200).all()
    assert (window[:, :62] == 0).all()
    assert (window[:, 162:] == 0).all()


def test_noise_is_standard_normal_and_the_same_in_any_company():
    images = [np.zeros((4, 4, 3), np.uint8)] * 3
    names = ["aa" * 32, "bb" * 32, "cc" * 32]
    together = gaussian(batch(images, names), shape=(3, 64, 64))
    alone = gaussian(batch(images[:1], names[1:2]), shape=(3, 64, 64))
    assert torch.equal(together[1], alone[0])
    assert abs(float(together.mean())) < 0.02
    assert abs(float(together.std()) - 1) < 0.02
    assert not torch.equal(gaussian(batch(images, names), shape=(3, 64, 64), draw=1), together)
    assert not torch.equal(gaussian(batch(images, names), shape=(3, 64, 64), purpose="else"), together)


def test_pictures_are_not_changed(photographs):
    image = np.asarray(Image.Image.copy(photographs[0])).copy()
    before = image.copy()
    image.flags.writeable = False
    pixels(batch([image]), transform="random")
    assert np.array_equal(image, before)


@pytest.mark.parametrize("size", [(30000, 40), (40, 30000), (5000, 1)])
def test_the_window_of_a_strip_is_that_of_the_whole_resize(photographs, size, monkeypatch):
    """Within the rounding of Pillow's resampling, which starts from another corner."""
    image = np.asarray(photographs[0].resize(size))
    monkeypatch.setattr(windows, "_LARGEST", 0)
    window = uint8(pixels(batch([image]), transform="shared")).int()
    monkeypatch.setattr(windows, "_LARGEST", 1 << 62)
    whole = uint8(pixels(batch([image]), transform="shared")).int()
    assert (window - whole).abs().max() <= 8
    assert (window - whole).abs().float().mean() < 0.5
