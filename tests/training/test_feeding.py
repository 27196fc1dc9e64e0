"""A batch is a function of the step, whoever makes it; what cannot be read is replaced by its like and named once."""

import io
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from training_pictures import grain, labelled

from forensic_cli.errors import TrainingError
from forensic_cli.training import feeding
from forensic_cli.training.augmentation import crop
from forensic_cli.training.feeding import Batches, Crops, Feed
from forensic_cli.training.sampling import Sampler

HOW = Crops(32, "native", "wild", 2)


def steps(items, batch=6, seed=3, **share):
    return Batches(items, Sampler(items, batch, seed), HOW, seed, **share)


def same(one, other):
    return torch.equal(one.crops, other.crops) and torch.equal(one.targets, other.targets)


def test_a_batch_holds_crops_and_labels_in_the_samplers_order(tmp_path):
    items = labelled(tmp_path)
    sampler = Sampler(items, 6, 3)
    for step in range(4):
        drawn = Batches(items, sampler, HOW, 3)[step]
        assert (drawn.crops.shape, drawn.crops.dtype) == ((6, 32, 32, 3), torch.uint8)
        assert drawn.targets.tolist() == [float(items[index].generated) for index in sampler.batch(step)]
        assert sum(drawn.targets) == 3
        assert drawn.problems == ()


def test_each_crop_is_one_of_its_own_image(tmp_path, monkeypatch):
    items = labelled(tmp_path)
    seen = []

    def watched(pixels, *how):
        seen.append((pixels.tobytes(), how))
        return crop(pixels, *how)

    monkeypatch.setattr(feeding, "crop", watched)
    sampler = Sampler(items, 6, 3)
    drawn = Batches(items, sampler, HOW, 3)[7]
    files = [np.asarray(Image.open(items[index].path)) for index in sampler.batch(7)]
    assert [pixels for pixels, _ in seen] == [one.tobytes() for one in files]
    for (_, how), pixels, made in zip(seen, files, drawn.crops, strict=True):
        assert how[:3] == (32, "native", "wild")
        assert np.array_equal(crop(pixels, *how), made)
    assert len({how[3] for _, how in seen}) == 6  # each with a seed of its own


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_depend_on_the_step_alone(tmp_path, workers):
    """Not on what came before, the number of workers, or where a feed began."""
    items = labelled(tmp_path)
    expected = [steps(items)[step] for step in range(8)]
    whole = list(Feed(steps(items), 0, 8, workers))
    late = list(Feed(steps(items), 5, 8, workers))
    assert all(same(one, other) for one, other in zip(whole, expected, strict=True))
    assert all(same(one, other) for one, other in zip(late, expected[5:], strict=True))
    assert not same(expected[0], expected[1])
    assert not same(steps(items, seed=4)[0], expected[0])


def test_several_processes_share_a_batch(tmp_path):
    items = labelled(tmp_path)
    whole = steps(items)[2]
    parts = [steps(items, rank=rank, world=3)[2] for rank in range(3)]
    assert [len(part.targets) for part in parts] == [2, 2, 2]
    for rank, part in enumerate(parts):
        assert torch.equal(part.crops, whole.crops[rank::3])
        assert torch.equal(part.targets, whole.targets[rank::3])


BROKEN = {
    "empty": b"",
    "text": b"this is no picture",
    "truncated": None,
    "gone": FileNotFoundError,
}


def broken(items, number, how):
    """Item `number` made unreadable."""
    path = Path(items[number].path)
    if how == "gone":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:400])
    else:
        path.write_bytes(BROKEN[how])
    return str(path)


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("workers", [0, 2])
def test_a_corrupt_image_is_replaced_by_one_of_its_class_and_named_once(tmp_path, how, workers):
    items = labelled(tmp_path, count=3)
    path = broken(items, 1, how)
    drawn = list(Feed(steps(items), 0, 30, workers))
    problems = [line for one in drawn for line in one.problems]
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}: ")
    assert "\n" not in problems[0]
    sampler = Sampler(items, 6, 3)
    expected = [[float(items[index].generated) for index in sampler.batch(step)] for step in range(30)]
    assert [one.targets.tolist() for one in drawn] == expected
    assert all(one.crops.shape == (6, 32, 32, 3) for one in drawn)


def test_the_replacement_is_the_same_at_every_run(tmp_path):
    """Also where the run was cut short before: what is known to be broken is not what decides."""
    items = labelled(tmp_path, count=3)
    broken(items, 1, "text")
    whole = list(Feed(steps(items), 0, 12, 0))
    assert all(same(one, other) for one, other in zip(whole[6:], Feed(steps(items), 6, 12, 2), strict=True))


def test_others_of_the_class_are_all_used_in_its_place(tmp_path):
    """Whole pictures of one grey each tell who stands in."""
    items = labelled(tmp_path, count=4)
    for number, item in enumerate(items):
        Image.new("RGB", (40, 40), (20 * number + 10,) * 3).save(item.path)
    broken(items, 3, "text")
    how = Crops(32, "native", "none", 2)
    made = Batches(items, Sampler(items, 8, 0), how, 0)
    sampler = Sampler(items, 8, 0)
    instead = set()
    for step in range(60):
        for index, pixels in zip(sampler.batch(step), made[step].crops, strict=True):
            shown = (int(pixels[0, 0, 0]) - 10) // 20
            if index == 3:
                instead.add(shown)
            else:
                assert shown == index
    assert instead == {1, 5, 7}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_class_of_which_nothing_can_be_read_is_one_line(tmp_path, workers):
    items = labelled(tmp_path, count=3)
    for number in (1, 3, 5):
        broken(items, number, "text")
    with pytest.raises(TrainingError) as caught:
        list(Feed(steps(items), 0, 5, workers))
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("too many images cannot be read: ")
    assert any(items[number].path in line for number in (1, 3, 5))


class Killed(Batches):
    """A worker that the system ends, as it does where memory runs out."""

    def __getitem__(self, step):
        if step == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(step)


def test_a_worker_that_dies_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.utils.data._utils, "MP_STATUS_CHECK_INTERVAL", 0.2)  # how long it waits for the dead
    items = labelled(tmp_path)
    with pytest.raises(TrainingError) as caught:
        list(Feed(Killed(items, Sampler(items, 4, 0), HOW, 0), 0, 8, 1))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("a process that prepares images died: it may have run out of memory")


def test_more_workers_than_cores_are_what_was_asked_for(tmp_path):
    """Torch would warn, and a warning here is an error."""
    items = labelled(tmp_path)
    assert len(list(Feed(steps(items), 0, 2, (os.cpu_count() or 1) + 2))) == 2


def test_no_more_than_so_many_bytes_of_images_are_remembered(tmp_path, monkeypatch):
    items = labelled(tmp_path, side=40)
    room = 4 * 44 * 47 * 3
    monkeypatch.setattr(feeding, "_REMEMBERED", room)
    made = steps(items)
    expected = [steps(items)[step] for step in range(10)]
    for step in range(10):
        assert same(made[step], expected[step])
        assert sum(one.nbytes for one in made._decoded.values()) == made._held <= room
    assert made._decoded


def test_an_image_is_decoded_once_while_it_is_remembered(tmp_path, monkeypatch):
    items = labelled(tmp_path, count=2)
    read = []

    def content(item):
        read.append(item.path)
        return Path(item.path).read_bytes()

    monkeypatch.setattr(feeding, "content", content)
    made = steps(items)
    for step in range(20):
        made[step]
    assert sorted(read) == sorted(item.path for item in items)


def test_pictures_on_their_side_and_grey_ones_come_upright_and_in_colour(tmp_path):
    items = labelled(tmp_path, count=1)
    exif = Image.Exif()
    exif[274] = 6
    pixels = grain(40, 60, 0)
    Image.fromarray(pixels).save(items[0].path, exif=exif)
    Image.fromarray(pixels[..., 0]).save(items[1].path)
    how = Crops(40, "native", "none", 2)
    drawn = Batches(items, Sampler(items, 8, 0), how, 0)[0]
    turned, grey = np.rot90(pixels, -1), np.repeat(pixels[..., :1], 3, axis=2)
    for label, made in zip(drawn.targets, drawn.crops.numpy(), strict=True):
        whole = grey if label else turned
        windows = [whole[t : t + 40, x : x + 40] for t in range(whole.shape[0] - 39) for x in range(whole.shape[1] - 39)]
        assert any(np.array_equal(made, window) for window in windows)


def test_the_time_spent_waiting_is_counted(tmp_path, monkeypatch):
    items = labelled(tmp_path)
    clock = iter(range(100))
    monkeypatch.setattr(feeding, "perf_counter", lambda: next(clock))
    feed = Feed(steps(items), 0, 3, 0)
    assert len(list(feed)) == 3
    assert feed.waited == 4  # three batches and the end


def test_items_of_a_table_are_read_from_it(tmp_path):
    items = labelled(tmp_path, count=2)
    stream = io.BytesIO()
    Image.new("RGB", (40, 40), (1, 2, 3)).save(stream, "PNG")
    file = tmp_path / "images.parquet"
    pq.write_table(pa.table({"image": [{"bytes": stream.getvalue(), "path": "x.png"}], "label": [1]}), file)
    items = [replace(item, path=f"{file}#0", row=0) if item.generated else item for item in items]
    drawn = Batches(items, Sampler(items, 4, 0), Crops(32, "native", "none", 2), 0)[0]
    for label, made in zip(drawn.targets, drawn.crops, strict=True):
        assert (made == torch.tensor([1, 2, 3])).all() == bool(label)
