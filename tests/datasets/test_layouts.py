"""Each published data set in miniature: read by name and by looking, generators and their photographs found."""

import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from disk import make, picture, refusal, table, told
from hypothesis import given
from hypothesis import strategies as st

from forensic_cli.datasets import layouts, read_dataset
from forensic_cli.datasets.layouts import fits, named
from forensic_cli.errors import UsageError
from forensic_layouts import LAYOUTS

SD14 = "stable_diffusion_v_1_4"
# name of the layout -> files below the root "set" and what they are: "= source" of photographs, else the generator
TREES = {
    "genimage": {
        "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/val/ai/033_sdv4_00134.png": SD14,
        "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/val/nature/ILSVRC2012_val_00000090.JPEG": f"= {SD14}",
        "ADM/imagenet_ai_0508_adm/val/AI/0_adm_1.PNG": "ADM",
        "ADM/imagenet_ai_0508_adm/val/Nature/b.v2.JPEG": "= ADM",
        "wukong/wukong/val/ai/a.png": "wukong",
        "midjourney/imagenet_midjourney/val/ai/a.png": "Midjourney",
        "biggan/imagenet_ai_0419_biggan/val/1_fake/a.png": "BigGAN",
    },
    "drct-2m": {
        "sdxl-turbo/val2017/000000000139.png": "sdxl-turbo",
        "stable-diffusion-xl-base-1.0/val2017/a.b.png": "stable-diffusion-xl-base-1.0",
        "stable-diffusion-xl-1.0-inpainting-0.1/val2017/a.png": "stable-diffusion-xl-1.0-inpainting-0.1",
        "MSCOCO/val2017/000000000139.jpg": "= MSCOCO",
    },
    "forensynths": {
        "test/progan/airplane/0_real/a.png": "= progan",
        "test/progan/airplane/1_fake/a.png": "progan",
        "test/progan/cat/1_fake/a.png": "progan",
        "test/crn/0_real/a.png": "= crn",
        "test/crn/1_fake/a.png": "crn",
        "test/StyleGAN2/horse/1_fake/a.png": "stylegan2",
    },
    "aigcdetectionbenchmark": {
        "DALLE2/0_real/a.jpg": "= DALLE2",
        "DALLE2/1_fake/a.png": "DALLE2",
        "VQDM/1_fake/a.png": "VQDM",
        "Glide/1_fake/a.png": "Glide",
        "wukong/1_fake/a.png": "wukong",
        "stylegan/bedroom/1_fake/a.png": "stylegan",
        "gaugan/1_fake/a.png": "gaugan",
        "cyclegan/apple/1_fake/a.png": "cyclegan",
        "sdxl/1_fake/a.png": "sdxl",
    },
    "universalfakedetect": {
        "diffusion_datasets/imagenet/0_real/a.b.jpg": "= imagenet",
        "diffusion_datasets/laion/0_real/a.jpg": "= laion",
        "diffusion_datasets/guided/1_fake/a.png": "guided",
        "diffusion_datasets/ldm_200_cfg/1_fake/a.png": "ldm_200_cfg",
        "diffusion_datasets/glide_50_27/1_fake/a.png": "glide_50_27",
        "diffusion_datasets/dalle/1_fake/a.png": "dalle",
    },
    "diffusionforensics": {
        "images/test/imagenet/real/n01440764/a.jpg": "= imagenet",
        "images/test/imagenet/adm/n01440764/a.png": "imagenet/adm",
        "images/test/lsun_bedroom/real/a.jpg": "= lsun_bedroom",
        "images/test/lsun_bedroom/adm/a.png": "lsun_bedroom/adm",
        "images/test/lsun_bedroom/vqdiffusion/a.png": "lsun_bedroom/vqdiffusion",
        "recons/test/lsun_bedroom/adm/a.png": None,
        "dire/test/lsun_bedroom/real/a.png": None,
    },
    "synthbuster": {
        "dalle2/r05839451t.png": "dalle2",
        "Stable-Diffusion-1-4/r0.t.PNG": "stable-diffusion-1-4",
        "midjourney-v5/r000da54ft.png": "midjourney-v5",
        "real_RAISE_1k/r05839451t.TIF": "= RAISE",
    },
    "dgm-eval": {
        "imagenet256/ADMG/n01440764/a.png": "ADMG",
        "imagenet256/Mask GIT/0.png": "Mask-GIT",
        "imagenet256/DiT-XL-2/12/0.png": "DiT-XL-2",
    },
    "wildrf": {
        "test/reddit/0_real/a.jpg": "= reddit",
        "test/reddit/1_fake/a.jpg": "reddit",
        "test/Twitter/0_real/a.jpg": "= twitter",
        "test/facebook/1_fake/a.jpg": "facebook",
    },
    "community-forensics": {
        "stabilityai--sdxl.v1.0/fake/a.JPG": "stabilityai--sdxl.v1.0",
        "stabilityai--sdxl.v1.0/real/a.JPEG": "= stabilityai--sdxl.v1.0",
        "other/fake/a.webp": "other",
    },
    "cifake": {"test/REAL/0001 (10).jpg": "= CIFAKE", "test/FAKE/0 (2).jpg": "CIFAKE"},
    "chameleon": {"test/0_real/a.jpg": "= Chameleon", "test/1_fake/a.png": "Chameleon"},
    "folders": {"sdxl/real/a.jpg": "= sdxl", "sdxl/fake/a.png": "sdxl"},
}
PAIRS = {
    "genimage": {SD14: (SD14,), "ADM": ("ADM",), "wukong": ()},
    "drct-2m": {"sdxl-turbo": ("MSCOCO",)},
    "forensynths": {"progan": ("progan",), "crn": ("crn",), "stylegan2": ()},
    "universalfakedetect": {
        **{"guided": ("imagenet",), "ldm_200_cfg": ("laion",), "glide_50_27": ("laion",), "dalle": ("laion",)}
    },
    "diffusionforensics": {"imagenet/adm": ("imagenet",), "lsun_bedroom/adm": ("lsun_bedroom",)},
    "synthbuster": {"dalle2": ("RAISE",)},
    "wildrf": {"reddit": ("reddit",), "facebook": ()},
    "cifake": {"CIFAKE": ("CIFAKE",)},
}
BY_NAME_ALONE = {"community-forensics", "cifake", "chameleon", "folders"}  # laid out like anybody's folders


def expected(layout, root="set"):
    return {f"{root}/{path}": what for path, what in TREES[layout].items() if what}


@pytest.mark.parametrize("layout", TREES)
def test_by_name(here, layout):
    make(*(f"set/{path}" for path in TREES[layout]))
    found = read_dataset(["set"], layout=layout.upper().replace("-", ""), both=False)
    assert told(found) == expected(layout)
    assert found.layout == layout
    assert found.pairs.items() >= PAIRS.get(layout, {}).items()
    assert len(found.left_out) == len(TREES[layout]) - len(found.items)


@pytest.mark.parametrize("layout", sorted(TREES.keys() - BY_NAME_ALONE))
def test_by_looking(here, layout):
    make(*(f"set/{path}" for path in TREES[layout]))
    found = read_dataset(["set"], both=False)
    assert (told(found), found.layout) == (expected(layout), layout)


@pytest.mark.parametrize("layout", sorted(BY_NAME_ALONE))
def test_what_looks_like_anybodys_folders(here, layout):
    make(*(f"set/{path}" for path in TREES[layout]))
    found = read_dataset(["set"])
    assert found.layout == "folders"
    assert {path: what.startswith("=") for path, what in told(found).items()} == {
        path: what.startswith("=") for path, what in expected(layout).items()
    }


@pytest.mark.parametrize(
    ("layout", "root"),
    [
        ("genimage", "set/stable_diffusion_v_1_4"),
        ("genimage", "set/stable_diffusion_v_1_4/imagenet_ai_0419_sdv4"),
        ("genimage", "set/stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/val"),
        ("folders", "set/stable_diffusion_v_1_4"),
        (None, "set/stable_diffusion_v_1_4"),
        ("forensynths", "set/test/progan"),
        ("forensynths", "set/test/progan/airplane"),
        ("synthbuster", "set/dalle2"),
        ("drct-2m", "set/sdxl-turbo/val2017"),
        ("drct-2m", "set/MSCOCO/val2017"),
        ("dgm-eval", "set/imagenet256/ADMG"),
        ("dgm-eval", "set/imagenet256/ADMG/n01440764"),
        ("diffusionforensics", "set/images/test/lsun_bedroom"),
    ],
)
def test_a_part_of_a_data_set_is_what_it_is_in_the_whole(here, layout, root):
    tree = "genimage" if layout in (None, "folders") else layout
    make(*(f"set/{path}" for path in TREES[tree]))
    whole = {path: what for path, what in expected(tree).items() if path.startswith(root + "/")}
    if tree == "diffusionforensics":  # one of its sets needs no name before its generators
        whole = {path: what.removeprefix("lsun_bedroom/") for path, what in whole.items()}
    assert whole
    assert told(read_dataset([root], layout=layout, both=False)) == whole


def test_training_images_of_forensynths_are_of_progan(here):
    make(
        "set/train/car/0_real/a.png", "set/train/car/1_fake/a.png", "set/test/crn/0_real/a.png", "set/test/crn/1_fake/a.png"
    )
    found = told(read_dataset(["set"], layout="forensynths"))
    assert found["set/train/car/1_fake/a.png"] == "progan"


def test_sets_of_dgm_eval_have_their_own_photographs(here):
    make("dgm/imagenet256/LDM/a.png", "dgm/FFHQ256/LDM/a.png", "ffhq_val/a.png", "other/imagenet-val/n01440764/a.png")
    found = read_dataset(["dgm"], real=["ffhq_val", "other/imagenet-val"], layout="dgm-eval")
    assert told(found) == {
        "dgm/imagenet256/LDM/a.png": "imagenet256/LDM",
        "dgm/FFHQ256/LDM/a.png": "FFHQ256/LDM",
        "ffhq_val/a.png": "= FFHQ256",
        "other/imagenet-val/n01440764/a.png": "= imagenet256",
    }
    assert found.pairs == {"imagenet256/LDM": ("imagenet256",), "FFHQ256/LDM": ("FFHQ256",)}


def test_arrays_of_samples_are_left_out_with_a_way_on(here):
    make("dgm/imagenet256/LDM/a.png", "real/a.png")
    os.makedirs("dgm/imagenet256/ADM")
    with open("dgm/imagenet256/ADM/samples_50000x256x256x3.npz", "wb") as file:
        file.write(b"PK")
    found = read_dataset(["dgm"], layout="dgm-eval", real=["real"])
    assert [why for path, why in found.left_out if path.endswith(".npz")] == [
        "an array of samples, not image files; save them as PNG first"
    ]
    assert "an array of samples" in refusal(["dgm/imagenet256/ADM"], layout="dgm-eval", both=False)


def test_by_looking_nothing_is_taken_for_generated_that_is_not_known(here):
    make("set/dalle2/a.png", "set/firefly/a.png", "set/originals/a.png", "set/RAISE-1k/a.tif", "set/b.png")
    found = read_dataset(["set"])
    assert told(found) == {"set/dalle2/a.png": "dalle2", "set/firefly/a.png": "firefly", "set/RAISE-1k/a.tif": "= RAISE"}
    assert dict(found.left_out) == {
        "set/originals/a.png": "nothing tells what the folder originals holds",
        "set/b.png": "nothing tells what the folder set holds",
    }
    assert told(read_dataset(["set"], layout="synthbuster"))["set/originals/a.png"] == "originals"


def test_a_layout_that_does_not_fit(here):
    make("set/dalle2/a.png", "set/cats/a.png", "plain/cats/a.png")
    message = refusal(["set"], layout="genimage")
    assert message.startswith("set: it adds no labelled image (set/")
    assert message.endswith("folders are " + LAYOUTS["genimage"].shape)
    message = refusal(["plain"], layout="drct-2m")
    assert message == f"plain: its folders do not fit drct-2m, which has {LAYOUTS['drct-2m'].shape}; there is cats"
    assert refusal(["set"], layout="manifest").startswith("set: it does not fit manifest, which has a .csv file")
    table("a.csv", [{"file": "set/dalle2/a.png", "label": "fake"}])
    assert refusal(["a.csv"], layout="genimage") == (
        f"a.csv: a csv file does not fit genimage, which has {LAYOUTS['genimage'].shape}"
    )


def test_unknown_layouts_and_none(here):
    make("set/dalle2/a.png")
    assert refusal(["set"], layout="gen-imag") == "there is no layout 'gen-imag'; did you mean genimage?"
    assert refusal(["set"], layout="xyz").startswith("there is no layout 'xyz'; there is ")
    assert refusal().startswith("name a data set: ")


def test_layouts_are_told_in_a_line_each():
    assert list(layouts()) == list(LAYOUTS)
    assert all(line and "\n" not in line and len(line) < 120 for line in layouts().values())


# labels in tables


def cifake(path, names=None):
    data = pa.table({"image": [{"bytes": picture(n), "path": None} for n in range(2)], "label": [0, 1]})
    if names:
        feature = {"label": {"names": names, "_type": "ClassLabel"}}
        data = data.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": feature}})})
    os.makedirs("set", exist_ok=True)
    pq.write_table(data, path)


def test_numbers_in_exports_of_cifake_mean_what_its_names_in_the_alphabet_say(here):
    cifake("set/test-00000-of-00001.parquet")
    assert list(told(read_dataset(["set"], layout="cifake")).values()) == ["CIFAKE", "= set"]
    assert list(told(read_dataset(["set"])).values()) == ["= set", ""]
    cifake("set/test-00000-of-00001.parquet", ["REAL", "FAKE"])  # who says so is believed
    assert list(told(read_dataset(["set"], layout="cifake")).values()) == ["= set", "CIFAKE"]


def test_lists_of_grip(here):
    make("data/synthbuster/dalle2/r0.t.png", "data/real_RAISE_1k/r0.png", "data/coco/c.jpg")
    rows = [("synthbuster/dalle2/r0.t.png", "dalle2"), ("real_RAISE_1k/r0.png", "real"), ("coco/c.jpg", "real_coco")]
    table("data/list.csv", [{"filename": name, "typ": typ} for name, typ in (*rows, ("synthbuster/glide/x.png", "glide"))])
    for layout in (None, "grip", "manifest"):
        found = read_dataset(["data/list.csv"], layout=layout)
        assert list(told(found).values()) == ["dalle2", "= data", "= real_coco"]
        assert found.left_out == (("data/synthbuster/glide/x.png", "no such file or folder"),)
    table("data/src.csv", [{"src": typ, "filename": name} for name, typ in rows])
    assert list(told(read_dataset(["data/src.csv"])).values()) == ["dalle2", "= data", "= real_coco"]


def test_metadata_of_unbiased_genimage(here):
    folder = "BigGAN/imagenet_ai_0419_biggan"
    files = [
        f"{folder}/val/nature/a.JPEG",
        f"{folder}/val/nature/b.JPEG",
        f"{folder}/val/ai/c.png",
        f"{folder}/train/ai/d.png",
    ]
    make(*(f"GenImage/{file}" for file in files))
    facts = [("nature", "val", 96), ("nature", "val", "75.0"), ("BigGAN", "val", ""), ("BigGAN", "train", "")]
    names = ("generator", "mode", "compression_rate")
    table(
        "GenImage/m.csv",
        [{"path": file, **dict(zip(names, one, strict=True))} for file, one in zip(files, facts, strict=True)],
    )
    found = read_dataset(["GenImage/m.csv"], layout="unbiased-genimage", split="unseen")
    assert told(found) == {f"GenImage/{files[0]}": "= BigGAN", f"GenImage/{files[2]}": "BigGAN"}
    assert found.pairs == {"BigGAN": ("BigGAN",)}
    assert found.left_out == ((f"GenImage/{files[1]}", "its compression_rate is not 96"),)


@pytest.mark.parametrize("labels", [(0, 1), ("fake", "real")])
def test_labels_that_contradict_folders(here, labels):
    make("set/FAKE/a.jpg", "set/REAL/b.jpg")
    table("set/t.csv", [{"file": "FAKE/a.jpg", "label": labels[0]}, {"file": "REAL/b.jpg", "label": labels[1]}])
    if labels == (0, 1):
        assert refusal(["set/t.csv"]) == (
            "set/t.csv, line 2: it is labelled '0', photograph, but the folder of FAKE/a.jpg says generated; correct one"
        )
    else:
        assert list(told(read_dataset(["set/t.csv"])).values()) == ["", "= set"]


# properties


@given(st.sampled_from(sorted(LAYOUTS)), st.booleans(), st.sampled_from(["-", "_", " ", ""]))
def test_names_are_found_however_they_are_spelt(name, upper, gap):
    spelt = name.replace("-", gap)
    assert named(spelt.upper() if upper else spelt)[0] == name
    for generator in LAYOUTS[name].generators:
        spelt = generator.replace("-", gap).replace("_", gap)
        assert LAYOUTS[name].generator(spelt.upper() if upper else spelt) == generator


@given(st.text(max_size=20).filter(lambda word: all(fits(word, name) is False for name in LAYOUTS)))
def test_any_other_word_is_refused_in_a_line(word):
    with pytest.raises(UsageError) as caught:
        named(word)
    assert len(str(caught.value).splitlines()) == 1


@given(st.text(alphabet="abc-_ XYZ012.", max_size=12))
def test_a_name_fits_itself(name):
    assert fits(name.upper(), name)
