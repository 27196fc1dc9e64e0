"""What every line of the table promises, whatever the picture."""

import hashlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic_cli import transforms
from forensic_cli.errors import ImageError
from forensic_cli.transforms import parse
from forensic_cli.transforms.kinds import Number, plain
from forensic_cli.transforms.table import TABLE
from loops import each

REFUSES = {"crop", "trim"}  # images that are too small
SMALL = {"crop": "crop:1", "size": "size:31,17", "short": "short:9", "long": "long:11", "screenshot": "screenshot:desktop"}


def typed(name):
    """One spelling of each: its examples, and the last of its words."""
    values = [
        plain(one.example) if isinstance(one, Number) else one.choices[-1]
        for one in TABLE[name].parameters
        if isinstance(one, Number) or one.default is None
    ]
    return f"{name}:{','.join(values)}" if values else name


def grain(height, width, seed):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(sorted(TABLE)),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 2**64),
    layout=st.sampled_from(["plain", "turned", "slanted", "grey"]),
)
def test_8_bit_rgb_from_the_seed_alone_and_the_image_left_alone(name, height, width, seed, layout):
    image = grain(height, width, seed)
    image = {"turned": image[::-1, ::-1], "slanted": image.swapaxes(0, 1)}.get(layout, image)
    image = np.broadcast_to(image[..., :1], image.shape) if layout == "grey" else image
    image.setflags(write=False)
    before = image.copy()
    transform = parse(SMALL.get(name, typed(name)))
    try:
        found = transform(image, seed)
    except ImageError as error:
        assert name in REFUSES
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert found.dtype == np.uint8
    assert found.ndim == found.shape[2] == 3
    assert min(found.shape) >= 1
    assert np.array_equal(image, before)
    assert np.array_equal(found, transform(before, seed))
    assert np.array_equal(found, pickle.loads(pickle.dumps(transform))(before, seed))
    assert found.flags.c_contiguous


@each("name", sorted(TABLE))
def test_chance_comes_from_the_seed_where_the_table_says_so(name):
    image = grain(64, 65, 1)
    transform = parse({"flip": "flip", "crop": "crop:48", "screenshot": "screenshot:desktop"}.get(name, typed(name)))
    found = {transform(image, seed).tobytes() for seed in range(8)}
    assert (len(found) > 1) == TABLE[name].seeded


@each("height", [1, 2])
@each("name", sorted(set(TABLE) - {"avif"}))
def test_strips(name, height):
    """20,000 pixels long: done, or refused in one line."""
    strip = grain(height, 20_000, 2)
    refused = {"webp": "too many a side for WebP", "short": "megapixels", "crop": "too few", "trim": "nothing is left"}
    for image in (strip, strip.swapaxes(0, 1)):
        try:
            found = parse(typed(name))(image, 3)
        except ImageError as error:
            assert refused[name] in str(error)  # noqa: PT017
        else:
            assert name not in refused
            assert found.dtype == np.uint8
            assert min(found.shape) >= 1


def test_another_process_makes_the_same_pixels():
    """What Python hashes with a seed of its own for each process has no say."""
    texts = [typed(name) for name in sorted(set(TABLE) - {"avif", "crop"})] + ["crop:48", "halve+noise:0.1+noise:0.1"]
    code = (
        "import hashlib, sys; import numpy as np; from forensic_cli.transforms import parse\n"
        "image = np.random.default_rng(5).integers(0, 256, (64, 80, 3), np.uint8)\n"
        "print(*(hashlib.sha256(parse(text)(image, 12345)).hexdigest() for text in sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", code, *texts], capture_output=True, text=True, check=True, timeout=120)
    image = grain(64, 80, 5)
    assert done.stdout.split() == [hashlib.sha256(parse(text)(image, 12345)).hexdigest() for text in texts]


def test_draws_stay_what_they_were():
    """Moves and cuts that no codec has a hand in: other digests here mean that no earlier evaluation can be repeated."""
    image = (np.arange(64 * 80 * 3) % 251).astype(np.uint8).reshape(64, 80, 3)
    found = {
        text: hashlib.sha256(parse(text)(image, 12345)).hexdigest()[:16]
        for text in ("crop:48", "part:0.5", "shift:0.3", "cutout:0.05", "crop:48+crop:20")
    }
    assert found == {
        "crop:48": "6a17a7ba93cc981d",
        "part:0.5": "7339a137a65b6c82",
        "shift:0.3": "d981a42bf48fd6f6",
        "cutout:0.05": "1cc2b8faf2144e48",
        "crop:48+crop:20": "da17e5619328e8da",
    }


def test_the_same_crop_whatever_else_is_done():
    image = grain(64, 80, 5)
    for seed in range(5):
        crop = parse("crop:20")(image, seed)
        assert np.array_equal(parse("crop:20+jpeg:70")(image, seed), transforms.jpeg(crop, 70))
        assert np.array_equal(parse("tone:0.5+crop:20")(image, seed), transforms.tone(crop, 0.5, 0))


def test_a_step_that_comes_twice_draws_twice():
    grey = np.full((200, 200, 3), 128, np.uint8)
    once, twice = (parse(text)(grey, 9).astype(float) - 128 for text in ("noise:0.04", "noise:0.04+noise:0.04"))
    assert twice.std() == pytest.approx(once.std() * 2**0.5, rel=0.03)


def test_none_is_the_image_itself():
    image = grain(3, 4, 0)
    assert parse("none")(image, 1) is image
