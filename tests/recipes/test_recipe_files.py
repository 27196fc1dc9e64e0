"""Recipes of one's own: what may stand in a file, and what is said about each mistake in it."""

import pytest

from forensic_cli.errors import UsageError
from forensic_cli.recipes import Entry, Published, load
from loops import each

MINE = """
title = "Mine, table 1"
paper = "arXiv:0000.00000"
shows = '''
Whether it
works.
'''
metrics = ["auroc", "ap"]
transforms = ["none", "jpeg:90..70:10"]

[data]
name = "My images"
layout = "folders"
where = "On my disk."
generators = ["a", "b"]

[[methods]]
method = "wepe"

[[methods]]
method = "wepe"
label = "wepe [blocks=10]"
settings = { blocks = 10, ratio = 0.3, vectors = false, rule = "std-std" }
note = "Not quite the same."

[[published]]
metric = "auroc"
percent = true
columns = ["a", "b", "(mean)"]

[published.rows]
wepe = [87.99, 100, 50.1]
Theirs = [0, 1, 2]

[[published]]
down = "transform"
across = "metric"
method = "wepe"
generator = "(mean)"
columns = ["auroc", "ap"]

[published.rows]
"jpeg:80" = [0.25, 0.5]
"""


def written(tmp_path, text):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return str(file)


def test_a_file_of_ones_own(tmp_path):
    recipe = load(written(tmp_path, MINE))
    assert (recipe.name, recipe.title, recipe.shows) == ("mine", "Mine, table 1", "Whether it works.")
    assert (recipe.needs, recipe.differs, recipe.data.address) == ("", "", "")
    assert recipe.transforms == ("none", "jpeg:90", "jpeg:80", "jpeg:70")
    settings = {"blocks": "10", "ratio": "0.3", "vectors": "no", "rule": "std-std"}
    assert recipe.entries == (
        Entry("wepe", "wepe", {}),
        Entry("wepe [blocks=10]", "wepe", settings, "Not quite the same."),
    )
    assert recipe.published == (
        Published("wepe", "a", "none", "auroc", 0.8799),
        Published("wepe", "b", "none", "auroc", 1.0),
        Published("wepe", "(mean)", "none", "auroc", 0.501),
        Published("Theirs", "a", "none", "auroc", 0.0),
        Published("Theirs", "b", "none", "auroc", 0.01),
        Published("Theirs", "(mean)", "none", "auroc", 0.02),
        Published("wepe", "(mean)", "jpeg:80", "auroc", 0.25),
        Published("wepe", "(mean)", "jpeg:80", "ap", 0.5),
    )
    assert recipe.to_json()["notes"] == {"wepe [blocks=10]": "Not quite the same."}


MISTAKES = [
    ('title = "Mine, table 1"', "", "title is missing"),
    ('title = "Mine, table 1"', "title = 3", "title is 3, not text in quotes"),
    ('title = "Mine, table 1"', 'title = " "', "title is empty"),
    ('title = "Mine, table 1"', 'titel = "x"\ntitle = "y"', "titel is no key that belongs here; did you mean title?"),
    ('metrics = ["auroc", "ap"]', 'metrics = "auroc"', "metrics is 'auroc', not a list"),
    ('metrics = ["auroc", "ap"]', "metrics = [1]", "metrics holds 1, which is no text in quotes"),
    ('metrics = ["auroc", "ap"]', 'metrics = ["auroc", "auroc"]', "metrics names 'auroc' twice"),
    ('metrics = ["auroc", "ap"]', 'metrics = ["auroc"]', "published has the metric 'ap'; there is auroc"),
    ('"jpeg:90..70:10"', '"jpg:90"', "transforms cannot be: no transform is called 'jpg': did you mean jpeg?"),
    ('"jpeg:90..70:10"', '"blur:1"', "published has the transform 'jpeg:80'; there is blur:1, none"),
    ('where = "On my disk."', "", "data.where is missing"),
    ('where = "On my disk."', 'where = "x"\nwheer = "y"', "data.wheer is no key that belongs here; did you mean where?"),
    ('generators = ["a", "b"]', 'generators = ["a"]', "published has the generator 'b'; there is (mean), a"),
    ('label = "wepe [blocks=10]"', "", "methods has 'wepe' twice; give each its own label"),
    ("blocks = 10", "blocks = [10]", "methods 2: settings.blocks is [10], neither text nor a number nor true or false"),
    ('note = "Not quite', 'ntoe = "Not quite', "methods 2: ntoe is no key that belongs here; did you mean note?"),
    ("percent = true", 'percent = "yes"', "published 1: percent is 'yes', not true or false"),
    ("wepe = [87.99, 100, 50.1]", "wepe = [87.99, 100]", "published 1: rows.wepe has 2 numbers for 3 columns"),
    ("wepe = [87.99, 100, 50.1]", 'wepe = [1, 2, "3"]', "published 1: rows.wepe holds '3', which is no number"),
    ("wepe = [87.99, 100, 50.1]", "wepe = [1, 2, nan]", "published 1: rows.wepe holds nan, which is no number"),
    ("wepe = [87.99, 100, 50.1]", "wepe = [1, 2, true]", "published 1: rows.wepe holds True, which is no number"),
    ("wepe = [87.99, 100, 50.1]", "wepe = 3", "published 1: rows.wepe is 3, not a list"),
    ('down = "transform"', 'down = "transfrom"', "published 2: down is 'transfrom'; did you mean transform?"),
    ('down = "transform"', 'down = "metric"', "published 2: across is 'metric', as down is"),
    ('generator = "(mean)"', "", "published 2: generator is missing"),
    ('"jpeg:80" = [0.25, 0.5]', "none = [0.25, 0.5]", "published has two numbers for wepe, (mean), none, auroc"),
    ('"jpeg:80" = [0.25, 0.5]', '"jpg:80" = [0.25, 0.5]', "published 2: transform cannot be: no transform is called 'jpg'"),
    ("[data]", "[dat", "it is no TOML that can be read, "),
]


@each("before, after, message", MISTAKES)
def test_a_mistake_is_named_with_its_file_and_key(tmp_path, before, after, message):
    assert before in MINE
    file = written(tmp_path, MINE.replace(before, after, 1))
    with pytest.raises(UsageError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}: {message}")
    assert "\n" not in str(caught.value)


def test_lists_that_are_no_lists_of_tables(tmp_path):
    head, _, tail = MINE.partition("[[methods]]")
    rest = tail.partition("[[published]]")[2]
    for methods, message in (("methods = []", "methods is empty"), ("methods = [1]", "methods 1 is 1, not a table")):
        file = written(tmp_path, f"{methods}\n{head}[[published]]{rest}")
        with pytest.raises(UsageError) as caught:
            load(file)
        assert str(caught.value) == f"{file}: {message}"


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "latin.toml").write_bytes('title = "é"'.encode("latin-1"))
    (tmp_path / "deep.toml").write_text("a = " + "[" * 100_000)
    for name, message in (
        ("none.toml", "no such file or folder"),
        ("folder.toml", "Is a directory"),
        ("latin.toml", "it is not UTF-8; save it as UTF-8"),
        ("deep.toml", "it is no TOML that can be read, "),
    ):
        with pytest.raises(UsageError) as caught:
            load(str(tmp_path / name))
        assert str(caught.value).startswith(f"{tmp_path / name}: {message}")


def test_names(tmp_path):
    assert load("WePe-Table1").name == "wepe-table1"
    with pytest.raises(UsageError, match=r"no recipe 'wepe-tabel1'; did you mean wepe-table1\? .*--recipe list"):
        load("wepe-tabel1")
    with pytest.raises(UsageError, match=r"no recipe '\.\./wepe-table1'"):
        load("../wepe-table1")
