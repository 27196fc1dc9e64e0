"""--real DIR --fake DIR, splits, and classes that are missing."""

import os

import pytest
from disk import make, refusal, table, told

from forensic_cli.datasets import read_dataset


def test_generators_are_called_like_the_folders_below_or_the_folder_itself(here):
    make("photos/a.jpg", "photos/n01440764/b.jpg", "fakes/sdxl/a.png", "fakes/flux.1/deep/er/b.png", "Midjourney v6/c.png")
    make("fakes/d.png", "classes/ADM/n01440764/e.png", "classes/ADM/7/f.png", "classes/BigGAN/images/g.png")
    found = read_dataset(real=["photos"], generated=["fakes", "Midjourney v6", "classes/ADM", "classes/BigGAN/images"])
    assert told(found) == {
        "photos/a.jpg": "= photos",
        "photos/n01440764/b.jpg": "= photos",
        "fakes/sdxl/a.png": "sdxl",
        "fakes/flux.1/deep/er/b.png": "flux.1",
        "fakes/d.png": "fakes",
        "Midjourney v6/c.png": "Midjourney v6",
        "classes/ADM/n01440764/e.png": "ADM",
        "classes/ADM/7/f.png": "ADM",
        "classes/BigGAN/images/g.png": "BigGAN",
    }
    assert set(found.pairs.values()) == {()}


def test_photographs_for_each_generator_by_the_same_name(here):
    make("r/sdxl/a.jpg", "r/mj/a.jpg", "f/sdxl/a.png", "f/mj/a.png", "f/dalle/a.png")
    found = read_dataset(real=["r"], generated=["f"])
    assert found.pairs == {"sdxl": ("sdxl",), "mj": ("mj",), "dalle": ()}


def test_photographs_beside_a_data_set(here):
    make("synthbuster/dalle2/a.png", "synthbuster/glide/a.png", "raise/a.tif", "drct/sd-turbo/val2017/a.png")
    make("coco/val2017/a.jpg", "coco/train2017/b.jpg", "drct/sd-turbo/train2017/b.png")
    found = read_dataset(["synthbuster"], real=["raise"])
    assert set(told(found).values()) == {"dalle2", "glide", "= raise"}
    found = read_dataset(["drct"], layout="drct-2m", real=["coco"], split="unseen")
    assert told(found) == {"drct/sd-turbo/val2017/a.png": "sd-turbo", "coco/val2017/a.jpg": "= coco"}
    assert found.notes == (
        "drct: 1 images of val are used; left aside are 1 of train",
        "coco: 1 images of val are used; left aside are 1 of train",
    )


def test_one_class_alone(here):
    make("photos/a.jpg", "fakes/b.png")
    assert told(read_dataset(real=["photos"], both=False)) == {"photos/a.jpg": "= photos"}
    assert refusal(real=["photos"]).startswith("photos has 1 photographs and no generated images; name a data set that has")
    assert "by --real" in refusal(generated=["fakes"])


def test_what_contradicts_itself(here):
    make("data/real/a.jpg", "data/1_fake/b.png", "mixed/x/real/c.jpg", "m/d.jpg", "m/e.jpg")
    assert refusal(real=["data/1_fake"]) == (
        "--real data/1_fake: the folder '1_fake' says otherwise (data/1_fake); rename it"
    )
    assert refusal(generated=["mixed"]).startswith("--fake mixed: the folder 'real' says otherwise (mixed/x/real)")
    assert refusal(real=["data"]).startswith("--real data: the folder '1_fake' says otherwise")
    table("m/manifest.csv", [{"file": "d.jpg", "label": "real"}, {"file": "e.jpg", "label": "fake"}])
    assert refusal(real=["m"]) == "--real m: its manifest.csv says that e.jpg is generated; correct one"
    assert refusal(["data"], generated=["data/real"]).startswith("--fake data/real: ")
    make("same/a.jpg")
    assert "same/a.jpg is generated, same/a.jpg is photograph" in refusal(real=["same"], generated=["same"])


def test_what_is_no_folder_or_empty(here):
    make("a/b.jpg")
    os.mkdir("empty")
    assert refusal(real=["a/b.jpg"]) == "--real a/b.jpg: not a folder"
    assert refusal(generated=["gone"]) == "--fake gone: no such folder"
    assert refusal(real=["empty"]) == "empty: it is empty"


# splits

SPLIT = [
    "g/train/real/a.jpg",
    "g/train/fake/b.png",
    "g/val/real/c.jpg",
    "g/val/fake/d.png",
    "g/Test/real/e.jpg",
    "g/test/fake/f.png",
]


@pytest.mark.parametrize(
    ("split", "files"), [(None, "abcdef"), ("unseen", "ef"), ("test", "ef"), ("val", "cd"), ("train", "ab")]
)
def test_splits_by_name(here, split, files):
    make(*SPLIT)
    assert sorted(path[-5] for path in told(read_dataset(["g"], split=split))) == sorted(files)


def test_unseen_is_the_best_there_is(here):
    make(*SPLIT[:4], "only/train/real/a.jpg", "only/train/fake/b.jpg", "none/real/a.jpg", "none/fake/b.jpg")
    assert sorted(told(read_dataset(["g"], split="unseen"))) == ["g/val/fake/d.png", "g/val/real/c.jpg"]
    for folder in ("only", "none"):
        found = read_dataset([folder], split="unseen")
        assert (len(found.items), found.notes) == (2, ())


def test_images_in_no_split_stay_and_generators_that_go_are_named(here):
    make("d/a/val/real/1.jpg", "d/a/val/fake/2.png", "d/b/train/fake/3.png", "d/c/fake/4.png")
    found = read_dataset(["d"], split="unseen")
    assert set(told(found).values()) == {"= a", "a", "c"}
    assert found.notes == ("d: 2 images of val are used; left aside are 1 of train, among them all of b",)


def test_a_split_that_is_not_there(here):
    make(*SPLIT[:4])
    assert refusal(["g"], split="test") == "g: it has no images for 'test'; there is train, val"
    assert refusal(["g"], split="dev") == "there is no split 'dev'; write train, val, test or unseen"


def test_splits_in_a_column(here):
    make("m/a.jpg", "m/b.jpg", "m/c.jpg")
    rows = [("a.jpg", "real", "validation"), ("b.jpg", "fake", "Validation"), ("c.jpg", "fake", "train")]
    table("m/manifest.csv", [dict(zip(("file", "label", "split"), row, strict=True)) for row in rows])
    assert sorted(told(read_dataset(["m"], split="unseen"))) == ["m/a.jpg", "m/b.jpg"]


def test_an_order_of_paths_changes_nothing_but_the_order(here):
    make("a/real/1.jpg", "b/fake/2.png", "p/3.jpg")
    first, second = (read_dataset(paths, real=["p"]) for paths in (["a", "b"], ["b", "a"]))
    assert told(first) == told(second)
    assert first.fingerprint == second.fingerprint
