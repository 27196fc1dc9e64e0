"""Labelled images: what people have on disk becomes one list, and what is wrong with it is said in one line."""

import csv
import hashlib
import io
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from forensic_cli.datasets import content, read_dataset
from forensic_cli.datasets.labelled import class_of
from forensic_cli.errors import ImageError, UsageError


def picture(number):
    """A small PNG, another one for each number."""
    stream = io.BytesIO()
    Image.new("RGB", (9, 7), (number % 256, number // 256 % 256, 77)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*paths):
    for number, path in enumerate(paths):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(picture(number))


def table(path, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)


def refusal(*paths):
    with pytest.raises(UsageError) as caught:
        read_dataset(paths)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def told(dataset):
    """The facts of each image, by its path."""
    return {item.path: (item.label, item.generator, item.source, item.kind) for item in dataset.items}


# folders


def test_folders_of_generators(here):
    make("data/sdxl/real/a.jpg", "data/sdxl/fake/b.PNG", "data/gan/0_real/c.JPEG", "data/gan/1_fake/deep/er/d.webp")
    make("data/mj/nature/e.jpg", "data/mj/ai/f.png", "data/wild/REAL/g.jpg", "data/wild/Fake/h.jpg", "data/mj/other/i.png")
    assert told(read_dataset(["data"])) == {
        "data/gan/0_real/c.JPEG": ("photograph", "", "gan", "photograph"),
        "data/gan/1_fake/deep/er/d.webp": ("generated", "gan", "gan", "generated"),
        "data/mj/ai/f.png": ("generated", "mj", "mj", "generated"),
        "data/mj/nature/e.jpg": ("photograph", "", "mj", "photograph"),
        "data/mj/other/i.png": ("handmade", "", "mj", "handmade"),
        "data/sdxl/fake/b.PNG": ("generated", "sdxl", "sdxl", "generated"),
        "data/sdxl/real/a.jpg": ("photograph", "", "sdxl", "photograph"),
        "data/wild/Fake/h.jpg": ("generated", "wild", "wild", "generated"),
        "data/wild/REAL/g.jpg": ("photograph", "", "wild", "photograph"),
    }


def test_folders_without_generators(here):
    make("data/real/flickr/a.jpg", "data/real/b.jpg", "data/fake/sdxl/c.png", "data/handmade/painting/d.png")
    assert told(read_dataset(["data/"])) == {
        "data/real/flickr/a.jpg": ("photograph", "", "flickr", "photograph"),
        "data/real/b.jpg": ("photograph", "", "data", "photograph"),
        "data/fake/sdxl/c.png": ("generated", "sdxl", "sdxl", "generated"),
        "data/handmade/painting/d.png": ("handmade", "", "painting", "handmade: painting"),
    }


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("data/Midjourney/imagenet_midjourney/train/ai/a.png", "Midjourney"),  # GenImage
        ("data/test/progan/airplane/1_fake/a.png", "progan"),  # ForenSynths
        ("data/test/1_fake/a.png", "data"),
        ("data/train/FAKE/a.png", "data"),  # CIFAKE
        ("data/other/1_fake/a.png", "other"),  # a generator of an architecture that has no name
    ],
)
def test_names_of_splits_are_no_generators(here, path, source):
    make(path, "data/x/real/b.jpg")
    assert told(read_dataset(["data"]))[path] == ("generated", source, source, "generated")


def test_the_current_folder_has_a_name(here):
    make("real/a.jpg", "fake/b.jpg")
    assert {item.source for item in read_dataset(["."]).items} == {here.name}


def test_what_is_no_labelled_image_is_left_out_with_the_reason(here):
    make("data/g/real/a.jpg", "data/g/fake/b.jpg", "data/g/fake/index.csv", "data/g/fake/._b.jpg", "data/stray.jpg")
    open("data/g/real/empty.jpg", "w").close()
    dataset = read_dataset(["data"])
    assert len(dataset.items) == 2
    assert dict(dataset.left_out) == {
        "data/g/fake/index.csv": "no image, to judge by its name",
        "data/g/fake/._b.jpg": "no image, to judge by its name",
        "data/stray.jpg": "no folder above it is named for a label, such as real or fake",
        "data/g/real/empty.jpg": "empty file",
    }


def test_what_cannot_be_read_as_folders(here):
    make(
        "both/ai/real/a.jpg",
        "plain/a.jpg",
        "set/one/real/a.jpg",
        "half/g/fake/a.jpg",
        "half/g/fake/b.jpg",
        "single.d/a.jpg",
    )
    os.mkdir("empty")
    shutil.copy("plain/a.jpg", "set/one/manifest.csv")
    assert refusal("both") == "both/ai/real says both real and fake; rename one of its folders"
    assert refusal("plain").startswith("plain: it adds no labelled image (plain/a.jpg: no folder above it")
    assert refusal("set").startswith("set: set/one has a manifest.csv of its own; name that folder")
    assert refusal("half").startswith("half has 2 generated images and no photographs")
    assert refusal("empty") == "empty: it is empty"
    assert refusal("gone") == "gone: no such file or folder"
    assert refusal("single.d/a.jpg").startswith("single.d/a.jpg: a data set is a folder")


def test_a_named_pipe_is_not_waited_for(here):
    os.mkfifo("table.csv")
    assert refusal("table.csv") == "table.csv: neither a folder nor a regular file"


# manifests


def test_manifest_with_all_that_is_known(here):
    make("m/r.jpg", "m/f.jpg", "m/o.jpg", "m/c.jpg", "m/k.jpg")
    rows = [
        {"file": "r.jpg", "label": "real", "source": "phone photos", "repo": "a/b", "license": "MIT"},
        {"file": "f.jpg", "label": "fake", "source": "SDXL", "repo": "a/b"},
        {"file": "o.jpg", "label": "other", "source": "painting: by artists", "repo": "c/d"},
        {"file": "c.jpg", "label": "0", "source": "shots", "repo": "e/f", "make": "Canon", "model": "Canon IXUS"},
        {"file": "k.jpg", "label": "real", "source": "shots", "repo": "e/f", "kind": "night"},
    ]
    table("m/manifest.csv", rows)
    expected = {
        "m/r.jpg": ("photograph", "", "a/b", "phone photos"),
        "m/f.jpg": ("generated", "SDXL", "a/b", "generated"),
        "m/o.jpg": ("handmade", "", "c/d", "handmade: painting"),
        "m/c.jpg": ("photograph", "", "e/f", "camera: Canon IXUS"),
        "m/k.jpg": ("photograph", "", "e/f", "night"),
    }
    dataset = read_dataset(["m"])
    assert told(dataset) == expected
    assert told(read_dataset(["m/manifest.csv"])) == expected
    assert [item.licence for item in dataset.items] == ["MIT", "", "", "", ""]
    assert content(dataset.items[1]) == picture(1)


def test_manifest_with_little(here):
    make("deep/m/x/a.jpg", "deep/m/x/b.jpg")
    table(
        "deep/m/table.csv", [{"Path": "x/a.jpg", " LABEL ": "Photograph"}, {"Path": "x/b.jpg", " LABEL ": "AI-generated"}]
    )
    assert told(read_dataset(["deep/m/table.csv"])) == {
        "deep/m/x/a.jpg": ("photograph", "", "m", "photograph"),
        "deep/m/x/b.jpg": ("generated", "", "m", "generated"),
    }


def test_a_generator_beside_a_source(here):
    make("m/a.jpg", "m/b.jpg")
    rows = [{"filename": "a.jpg", "label": 0, "source": "web"}, {"filename": "b.jpg", "label": 1, "source": "web"}]
    table("m/manifest.csv", [row | {"generator": "mj"} for row in rows])
    assert list(told(read_dataset(["m"])).values()) == [
        ("photograph", "", "web", "web"),
        ("generated", "mj", "web", "generated"),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_byte_order_marks_quotes_and_line_ends(here, separator):
    make("m/a, b; c.jpg", "m/d.jpg")
    lines = [f"file{separator}label", f'"a, b; c.jpg"{separator}real', "", f"d.jpg{separator}fake"]
    with open("m/manifest.csv", "wb") as file:
        file.write(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert set(told(read_dataset(["m"]))) == {"m/a, b; c.jpg", "m/d.jpg"}


def test_what_is_wrong_with_a_manifest(here):
    make("m/a.jpg", "m/b.jpg")

    def of(text, encoding="utf-8"):
        with open("m/t.csv", "w", encoding=encoding) as file:
            file.write(text)
        return refusal("m/t.csv")

    assert of("file,label\na.jpg,real\nb.jpg,perhaps\n") == (
        "m/t.csv, line 3: the label 'perhaps' is none; write real, fake or other"
    )
    assert of("file,label\na.jpg\nb.jpg,fake").startswith("m/t.csv, line 2: the label '' is none")
    assert of("file,label\na.jpg,real\n,fake") == "m/t.csv, line 3: it names no file"
    assert of("file,label\na.jpg,real,x\n") == "m/t.csv, line 2: 3 cells for 2 columns"
    assert of("file,label\nx.jpg,real\na.jpg,fake\ny.jpg,fake\nz.jpg,real\n") == (
        "m/t.csv: x.jpg (line 2): no such file or folder, and 2 more of its files"
    )
    assert of("file,label\na.jpg,real\nx.jpg,fake\n") == "m/t.csv: x.jpg (line 3): no such file or folder"
    assert of("file,label\n.,real\n") == "m/t.csv: . (line 2): not a regular file"
    assert of("file,class\na.jpg,real\n") == "m/t.csv: it has no column 'label'; there is file, class"
    assert of("image,label\n").startswith("m/t.csv: it has no column 'file or path or filename")
    assert of("") == "m/t.csv: it is empty"
    assert of("file,label\n") == "m/t.csv: it is empty"
    assert of('file,label\n"a.jpg,real\n').startswith("m/t.csv: it is no CSV that can be read")
    assert of("file,label\né.jpg,real\n", "latin-1") == "m/t.csv: it is not UTF-8; save it as UTF-8"


def test_one_file_or_digest_under_two_labels_is_refused_and_under_one_counts_once(here):
    make("m/a.jpg", "m/b.jpg", "m/c.jpg")
    rows = [{"file": "a.jpg", "label": "real", "sha256": "AB"}, {"file": "b.jpg", "label": "fake", "sha256": "cd"}]
    table(
        "m/same.csv", [*rows, {"file": "../m/a.jpg", "label": "real"}, {"file": "c.jpg", "label": "real", "sha256": "ab"}]
    )
    dataset = read_dataset(["m/same.csv"])
    assert len(dataset.items) == 2
    assert dataset.left_out == (
        ("m/../m/a.jpg", "the same file as m/a.jpg"),
        ("m/c.jpg", "the same SHA-256 as m/a.jpg"),
    )
    table("m/file.csv", [*rows, {"file": "./a.jpg", "label": "fake"}])
    assert refusal("m/file.csv").startswith("m/./a.jpg is generated, m/a.jpg is photograph, and they have the same file")
    table("m/digest.csv", [*rows, {"file": "c.jpg", "label": "fake", "sha256": "ab"}])
    assert "they have the same SHA-256; correct one of the labels" in refusal("m/digest.csv")
    table("m/other.csv", [{"file": "a.jpg", "label": "fake"}, {"file": "b.jpg", "label": "real"}])
    assert "m/a.jpg is generated, m/a.jpg is photograph" in refusal("m/same.csv", "m/other.csv")
    assert refusal("m/same.csv", "m/same.csv").startswith("m/same.csv: it adds no labelled image (")


# Parquet


def community(number, rows=7, text=False):
    """A table in Community Forensics' columns, with pictures `number` onwards."""
    pictures = [picture(number + row) for row in range(rows)]
    return pa.table(
        {
            "image_name": [f"{row}.png" for row in range(rows)],
            "image_data": [one.decode("latin-1") for one in pictures] if text else pictures,
            "model_name": ["real" if row % 3 else f"model{row}" for row in range(rows)],
            "nsfw_flag": [False] * rows,
            "real_source": ["LAION" if row % 2 else "COCO" for row in range(rows)],
            "label": [0 if row % 3 else 1 for row in range(rows)],
            "architecture": ["real" if row % 3 else "LatDiff" for row in range(rows)],
        }
    )


@pytest.mark.parametrize("text", [False, True])
def test_community_forensics_in_shards(here, text):
    os.makedirs("cf/data")
    pq.write_table(community(0, 7, text), "cf/data/train-0.parquet", row_group_size=3)
    pq.write_table(community(100, 4, text), "cf/data/train-1.PARQUET")
    make("cf/README/notes.png")
    dataset = read_dataset(["cf"])
    facts = told(dataset)
    assert len(facts) == 11
    assert facts["cf/data/train-0.parquet#3"] == ("generated", "model3", "model3", "generated")
    assert facts["cf/data/train-0.parquet#5"] == ("photograph", "", "LAION", "LAION")
    assert [path for path, _ in dataset.left_out] == ["cf/README/notes.png"]
    expected = [picture(number) for number in (*range(7), *range(100, 104))]
    assert [content(item) for item in dataset.items] == expected
    assert [content(item) for item in reversed(dataset.items)] == expected[::-1]
    assert pickle.loads(pickle.dumps(dataset.items[4])) == dataset.items[4]
    assert told(read_dataset(["cf/data/train-0.parquet"])).keys() < facts.keys()


def hugging_face(path, names=None, **columns):
    """A table as the datasets library writes images."""
    data = pa.table(columns)
    if names:
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        data = data.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(data, path, row_group_size=2)


def test_plain_layout_of_the_datasets_library(here):
    os.mkdir("hf")
    make("hf/files/2.png")
    images = [
        {"bytes": picture(7), "path": None},
        {"bytes": picture(8), "path": "x"},
        {"bytes": None, "path": "files/2.png"},
    ]
    hugging_face("hf/a.parquet", image=images, Label=["real", "fake", "fake"], model=["real", "flux", None])
    dataset = read_dataset(["hf/a.parquet"])
    assert told(dataset) == {
        "hf/a.parquet#0": ("photograph", "", "hf", "photograph"),
        "hf/a.parquet#1": ("generated", "flux", "flux", "generated"),
        "hf/a.parquet#2": ("generated", "", "hf", "generated"),
    }
    assert [content(item) for item in dataset.items] == [picture(7), picture(8), picture(0)]


def test_names_of_classes_decide_what_numbers_mean(here):
    images = [{"bytes": picture(7), "path": None}] * 2
    hugging_face("alphabet.parquet", names=["FAKE", "REAL"], image=images, label=[0, 1])
    assert [item.generated for item in read_dataset(["alphabet.parquet"]).items] == [True, False]
    hugging_face("none.parquet", image=images, label=[0, 1])
    assert [item.generated for item in read_dataset(["none.parquet"]).items] == [False, True]
    hugging_face("cats.parquet", names=["cat", "dog"], image=images, label=[0, 1])
    assert refusal("cats.parquet") == "cats.parquet, row 0: the label 'cat' is none; write real, fake or other"


def test_pictures_in_any_order_and_from_many_threads(here):
    os.mkdir("p")
    pq.write_table(community(0, 90), "p/a.parquet", row_group_size=40)
    items = list(enumerate(read_dataset(["p"]).items))
    random.Random(0).shuffle(items)
    with ThreadPoolExecutor(8) as pool:
        for number, got in zip(
            [number for number, _ in items], pool.map(content, [item for _, item in items]), strict=True
        ):
            assert got == picture(number)


def test_reading_labels_reads_no_pictures(here, monkeypatch):
    """The pages of the pictures are overwritten: only who asks for a picture can notice."""
    pq.write_table(community(0, 50), "a.parquet", compression="none", use_dictionary=False)
    with open("a.parquet", "rb") as file:
        whole = file.read()
    column = pq.ParquetFile("a.parquet").metadata.row_group(0).column(1)
    assert column.path_in_schema == "image_data"
    start, end = column.data_page_offset, column.data_page_offset + column.total_compressed_size
    with open("a.parquet", "wb") as file:
        file.write(whole[:start] + b"\xff" * (end - start) + whole[end:])
    dataset = read_dataset(["a.parquet"])
    assert len(dataset.items) == 50
    for _ in range(2):
        with pytest.raises(ImageError) as caught:
            content(dataset.items[3])
        assert "\n" not in str(caught.value)


def test_what_is_wrong_with_parquet(here):
    def of(**columns):
        pq.write_table(pa.table(columns), "t.parquet")
        return refusal("t.parquet")

    with open("no.parquet", "wb") as file:
        file.write(b"PAR1 but no more than that PAR1")
    assert refusal("no.parquet").startswith("no.parquet: not a Parquet file that can be read; ")
    assert of(image=[b"x"], text=["y"]) == "t.parquet: it has no column 'label'; there is image, text"
    assert of(label=[1], text=["y"]) == "t.parquet: it has no column 'image_data or image'; there is label, text"
    assert of(image=[[1, 2]], label=[1]).startswith("t.parquet: its column 'image' holds list<")
    assert of(image=[b"x"], label=[2]) == "t.parquet, row 0: the label '2' is none; write real, fake or other"
    assert of(image=[b"x", b"y"], label=[0, None]).startswith("t.parquet, row 1: the label '' is none")
    assert of(image=pa.array([], pa.binary()), label=pa.array([], pa.int64())) == "t.parquet: it is empty"


def test_a_row_without_an_image_and_a_file_that_went_away(here):
    pq.write_table(pa.table({"image": [None, b"x", b""], "label": [0, 1, 1]}), "t.parquet")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    hugging_face("u.parquet", image=pa.array([{"bytes": None, "path": None}] * 2, kind), label=[0, 1])
    pq.write_table(pa.table({"image": ["\u1234", "x"], "label": [0, 1]}), "v.parquet")
    items = read_dataset(["t.parquet"]).items
    assert content(items[1]) == b"x"
    for item in (items[0], items[2], *read_dataset(["u.parquet"]).items):
        with pytest.raises(ImageError, match="a row without an image"):
            content(item)
    with pytest.raises(ImageError, match="text where the bytes"):
        content(read_dataset(["v.parquet"]).items[0])
    pq.write_table(pa.table({"image": [b"x", b"y"], "label": [0, 1]}), "w.parquet")
    item = read_dataset(["w.parquet"]).items[0]
    os.remove("w.parquet")
    with pytest.raises(ImageError, match="not a Parquet file that can be read"):
        content(item)


# all of them


def test_fingerprint_is_of_what_is_in_it_not_of_where_it_lies(here):
    make("one/g/real/a.jpg", "one/g/fake/b.jpg")
    shutil.copytree("one", "else/where")
    first = read_dataset(["one"]).fingerprint
    lines = [f"g/{name}\0{os.path.getsize('one/g/' + name)}\0{label}\n" for name, label in EXPECTED]
    assert first == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert read_dataset([str(here / "else" / "where")]).fingerprint == first
    os.rename("else/where/g/real/a.jpg", "else/where/g/real/c.jpg")
    assert read_dataset(["else/where"]).fingerprint != first
    table("one/two.csv", [{"file": "g/real/a.jpg", "label": "real"}, {"file": "g/fake/b.jpg", "label": "fake"}])
    assert read_dataset(["one/two.csv"]).fingerprint == first
    table("one/two.csv", [{"file": "g/fake/b.jpg", "label": "fake"}, {"file": "g/real/a.jpg", "label": "real"}])
    assert read_dataset(["one/two.csv"]).fingerprint == first
    table("one/two.csv", [{"file": "g/fake/b.jpg", "label": "fake"}, {"file": "g/real/a.jpg", "label": "other"}])
    assert read_dataset(["one/two.csv"]).fingerprint != first


EXPECTED = [("fake/b.jpg", "generated"), ("real/a.jpg", "photograph")]


def test_summary(here):
    make("data/g/real/a.jpg", "data/g/fake/b.jpg", "data/h/fake/c.jpg", "data/h/fake/d.jpg", "data/h/other/e.jpg")
    make("data/x.txt/y")
    dataset = read_dataset(["data"])
    summary = dataset.summary()
    assert summary.pop("fingerprint") == dataset.fingerprint
    assert json.loads(json.dumps(summary)) == {
        "images": 5,
        "photographs": 1,
        "handmade": 1,
        "generated": 3,
        "left_out": 1,
        "generators": {"h": 2, "g": 1},
        "sources": {"h": 3, "g": 2},
        "kinds": {"generated": 3, "handmade": 1, "photograph": 1},
        "licences": {},
    }
    assert list(summary["generators"]) == ["h", "g"]


def test_a_photograph_of_handmade_things_is_a_photograph(here):
    make("m/a.jpg", "m/b.jpg")
    rows = [{"file": "a.jpg", "label": "real", "source": "handmade jewellery"}, {"file": "b.jpg", "label": "fake"}]
    table("m/manifest.csv", rows)
    assert read_dataset(["m"]).summary()["photographs"] == 1


def test_words_for_labels():
    for word in ("real", "REAL", "0_real", "nature", "0", "0.0", "Photo", "false"):
        assert class_of(word) == "photograph"
    for word in ("fake", "1_fake", "ai", "1", "1.0", "AI generated", "True"):
        assert class_of(word) == "generated"
    for word in ("other", "handmade"):
        assert class_of(word) == "handmade"
    for word in ("", "2", "-1", "nan", "unreal", ".0"):
        assert class_of(word) is None


def test_content_of_a_file_that_went_away(here):
    make("data/g/real/a.jpg", "data/g/fake/b.jpg")
    items = read_dataset(["data"]).items
    assert content(items[0]) == picture(1)
    os.remove(items[0].path)
    with pytest.raises(ImageError, match="no such file"):
        content(items[0])


def test_neither_torch_nor_pyarrow_is_imported_for_folders(here):
    make("data/g/real/a.jpg", "data/g/fake/b.jpg")
    code = (
        "import sys; from forensic_cli.datasets import content, read_dataset; "
        "print(*map(content, read_dataset(['data']).items)); sys.exit(bool({'torch', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
