"""What a person can type, and everything odd that a folder can hold."""

import io
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic_cli.paths import Candidate, count, find
from forensic_cli.records import Failure, Skipped

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX file system")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def as_nobody(folder):
    """Permissions do not bind root: become somebody whom they bind. Relative paths go on working."""
    if os.geteuid() != 0:
        yield
        return
    folder.chmod(0o755)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def make(*paths):
    for path in paths:
        if os.path.dirname(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"x")


def found(*arguments, stdin=None):
    return list(find(arguments, stdin))


def files(*arguments, stdin=None):
    """Paths alone; whatever else is found is a mistake."""
    everything = found(*arguments, stdin=stdin)
    assert all(isinstance(one, Candidate) for one in everything), everything
    return [one.path for one in everything]


def left_out(*arguments, stdin=None):
    return [one for one in found(*arguments, stdin=stdin) if not isinstance(one, Candidate)]


def test_file_and_folder_come_out_as_typed(here):
    make("photos/a.jpg", "photos/sub/b.jpg", "photos/.hidden/.c.jpg", "d.txt")
    assert files("photos/") == ["photos/.hidden/.c.jpg", "photos/a.jpg", "photos/sub/b.jpg"]
    assert files("photos") == files("photos/")
    assert files("d.txt", "./photos/sub") == ["d.txt", "./photos/sub/b.jpg"]
    assert files(str(here / "photos" / "sub")) == [str(here / "photos/sub/b.jpg")]
    assert files(".")[0] == "./d.txt"


def test_named_is_what_was_typed_and_not_what_was_met(here):
    make("photos/a.jpg", "b.jpg")
    assert [(one.path, one.named) for one in found("b.jpg", "photos")] == [("b.jpg", True), ("photos/a.jpg", False)]
    assert found("b.jpg")[0].stat.st_size == 1


def test_order_is_that_of_names_and_depth_first(here):
    make("x/b/2.jpg", "x/a.jpg", "x/b/1/z.jpg", "x/c.jpg", "x/B.jpg")
    assert files("x") == ["x/B.jpg", "x/a.jpg", "x/b/1/z.jpg", "x/b/2.jpg", "x/c.jpg"]


def test_empty_folder_gives_nothing(here):
    os.mkdir("empty")
    assert found("empty") == []
    assert found() == []


def test_missing(here):
    assert found("no.jpg", "") == [Failure("no.jpg", "no such file or folder"), Failure("", "no such file or folder")]
    make("a.jpg")
    assert isinstance(found("a.jpg/b.jpg")[0], Failure)
    assert found("a\0b") == [Failure("a\0b", "not a possible path")]


def test_surrogates_that_no_file_name_can_hold(here):
    assert found("\ud800.jpg") == [Failure("\ud800.jpg", "not a possible path")]


@posix
@pytest.mark.parametrize(
    "name", [b"new\nline.jpg", b"tab\t\x01.jpg", b"\xff\xfe.jpg", "größe 写真.jpg".encode(), b" ", b"-"]
)
def test_odd_names(here, name):
    os.mkdir("x")
    with open(os.path.join(b"x", name), "wb"):
        pass
    path = os.path.join("x", os.fsdecode(name))
    assert files("x") == files(path) == files("-", stdin=io.BytesIO(os.fsencode(path) + b"\0")) == [path]


# Patterns


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", [".h.jpg", "a.jpg"]),
        ("./*.jpg", ["./.h.jpg", "./a.jpg"]),
        ("?.jpg", ["a.jpg"]),
        ("[!b-z].jpg", ["a.jpg"]),
        ("s/*.jpg", ["s/b.jpg"]),
        ("*/b.jpg", ["s/b.jpg"]),
        ("**/*.jpg", [".h.jpg", "a.jpg", "s/b.jpg", "s/t/c.jpg"]),
        ("**/**/*.jpg", [".h.jpg", "a.jpg", "s/b.jpg", "s/t/c.jpg"]),
        ("s/**", ["s/b.jpg", "s/t/c.jpg", "s/t/c.png"]),
        ("s/**/*", ["s/b.jpg", "s/t/c.jpg", "s/t/c.png"]),
        ("s/**/t", ["s/t/c.jpg", "s/t/c.png"]),
        ("**/t/*.png", ["s/t/c.png"]),
        ("s/?", ["s/t/c.jpg", "s/t/c.png"]),
        ("s//t/*.png", ["s//t/c.png"]),
    ],
)
def test_patterns(here, pattern, expected):
    make("a.jpg", ".h.jpg", "s/b.jpg", "s/t/c.jpg", "s/t/c.png")
    assert files(pattern) == expected


def test_pattern_matches_are_named_and_what_lies_below_them_is_not(here):
    make("s/b.jpg", "s/t/c.jpg")
    assert {one.path: one.named for one in found("s/*")} == {"s/b.jpg": True, "s/t/c.jpg": False}


def test_absolute_pattern(here):
    make("s/a.jpg")
    assert files(f"{here}/*/a*") == [f"{here}/s/a.jpg"]


@pytest.mark.parametrize("pattern", ["*.jpg", "no/*.jpg", "**/no", "s/a.png/*", "s/a.png/**", "s/*/**", "[.jpg", "[a.jpg"])
def test_pattern_without_a_match_is_a_failure(here, pattern):
    make("s/a.png")
    assert found(pattern) == [Failure(pattern, "no such file or folder, and as a pattern it matches nothing")]


def test_what_exists_is_meant_literally(here):
    make("[a].jpg", "a.jpg", "@home.jpg", "x*/in.jpg", "xy/out.jpg")
    assert files("[a].jpg", "@home.jpg", "x*") == ["[a].jpg", "@home.jpg", "x*/in.jpg"]


names = st.text("ab", min_size=1, max_size=2)
parts = st.lists(st.sampled_from(["**", "*", "a", "b", "a*", "?", "ab"]), min_size=1, max_size=4)


@settings(max_examples=150, deadline=None)
@given(tree=st.sets(st.lists(names, min_size=1, max_size=4).map(tuple), max_size=8), pattern=parts)
def test_patterns_agree_with_an_independent_rule(tmp_path_factory, tree, pattern):
    """A file belongs to a pattern if the pattern matches it or a folder above it, as a regular expression says."""
    tree = {path for path in tree if not any(path[:end] in tree for end in range(1, len(path)))}
    root = str(tmp_path_factory.mktemp("tree"))
    make(*(os.path.join(root, *path) for path in tree))
    one = {"**": "(?:[^/]+/)*", "?": "[^/]/", "*": "[^/]+/", "a*": "a[^/]*/"}
    last = ["*"] if pattern[-1] == "**" else []
    expression = re.compile("".join(one.get(part, re.escape(part) + "/") for part in pattern + last))
    expected = Counter(
        os.path.join(root, *path)
        for path in tree
        if any(expression.fullmatch("".join(f"{name}/" for name in path[:end])) for end in range(len(path) + 1))
    )
    got = found(os.path.join(root, *pattern))
    assert Counter(one.path for one in got if isinstance(one, Candidate)) == expected
    assert bool(expected) == (not any(isinstance(one, Failure) for one in got))


# Lists


def test_list_of_paths(here):
    make("a.jpg", "b c.jpg", "s/d.jpg", "*.jpg")
    with open("list.txt", "wb") as file:
        file.write(b"\xef\xbb\xbfa.jpg\r\n\n   \nb c.jpg\ns\nno.jpg\n*.jpg")
    everything = found("@list.txt")
    assert [(one.path, getattr(one, "named", None)) for one in everything] == [
        ("a.jpg", True),
        ("b c.jpg", True),
        ("s/d.jpg", False),
        ("no.jpg", None),
        ("*.jpg", True),
    ]
    assert everything[3] == Failure("no.jpg", "no such file or folder")


def test_list_with_zero_bytes_keeps_line_ends_in_names(here):
    make("new\nline.jpg", "end\r", "b.jpg")
    assert files("-", stdin=io.BytesIO(b"new\nline.jpg\0end\r\0\0b.jpg")) == ["new\nline.jpg", "end\r", "b.jpg"]


def test_list_is_longer_than_a_block(here):
    make(*(f"{'x' * 200}{number}" for number in range(1000)))
    listed = [f"{'x' * 200}{number}" for number in range(1000)]
    for separator in ("\n", "\r\n", "\0"):
        assert files("-", stdin=io.BytesIO(separator.join(listed).encode())) == listed


@posix
def test_list_is_read_while_it_is_written(here):
    make("a.jpg", "b.jpg")
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin, os.fdopen(writing, "wb", buffering=0) as other:
        other.write(b"a.jpg\nb.")
        walk = find(["-"], stdin)
        assert next(walk).path == "a.jpg"
        other.write(b"jpg\n")
        assert next(walk).path == "b.jpg"


def test_lists_that_are_none(here):
    make("a.jpg")
    os.mkdir("folder")
    with open("utf16.txt", "wb") as file:
        file.write("a.jpg\n".encode("utf-16"))
    with open("blob", "wb") as file:
        file.write(b"x" * (2 << 20))
    reasons = {one.path: one.reason for one in left_out("@no.txt", "@folder", "@utf16.txt", "@blob", "-")}
    assert reasons == {
        "@no.txt": "the list cannot be read: no such file or folder",
        "@folder": "the list cannot be read: Is a directory",
        "@utf16.txt": "the list cannot be read: it is UTF-16; save it as UTF-8",
        "@blob": "the list cannot be read: it is not a list of paths",
        "-": "there is no standard input to read a list from",
    }


# Links


@posix
def test_links_to_files_and_folders_are_followed(here):
    make("x/real/a.jpg", "outside/b.jpg", "c.jpg")
    os.symlink("../c.jpg", "x/link.jpg")
    os.symlink("../outside", "x/folder")
    assert files("x") == ["x/folder/b.jpg", "x/link.jpg", "x/real/a.jpg"]


@posix
def test_broken_links(here):
    os.mkdir("x")
    os.symlink("nowhere", "x/a.jpg")
    os.symlink("b.jpg", "x/b.jpg")
    expected = [Failure("x/a.jpg", "broken symbolic link"), Failure("x/b.jpg", "symbolic link that leads to itself")]
    assert found("x") == expected
    assert found("x/a.jpg", "x/b.jpg") == expected


@posix
def test_symbolic_link_loops(here):
    make("x/a/b/photo.jpg")
    os.symlink("../..", "x/a/b/up")
    os.symlink(".", "x/self")
    assert [one.path for one in found("x") if isinstance(one, Candidate)] == ["x/a/b/photo.jpg"]
    assert left_out("x") == [
        Skipped("x/a/b/up", "symbolic link loop: it leads back to x"),
        Skipped("x/self", "symbolic link loop: it leads back to x"),
    ]
    os.chdir("x")
    assert left_out(".", "**/photo.jpg")[-1] == Skipped("self", "symbolic link loop: it leads back to .")


@posix
def test_folder_reached_twice_is_entered_once_for_each_argument(here):
    make("x/real/a.jpg")
    os.symlink("real", "x/again")
    os.symlink("real", "x/third")
    skipped = [
        Skipped("x/real", "this folder was already visited as x/again"),
        Skipped("x/third", "this folder was already visited as x/again"),
    ]
    assert left_out("x") == skipped
    assert [one.path for one in found("x", "x/real") if isinstance(one, Candidate)] == ["x/again/a.jpg", "x/real/a.jpg"]


# What is no regular file


@posix
def test_special_files_are_never_opened(here):
    os.mkdir("x")
    os.mkfifo("x/pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("x/socket.jpg")
        pipe, plug = "a named pipe, not a regular file", "a socket, not a regular file"
        assert found("x") == [Skipped("x/pipe.jpg", pipe), Skipped("x/socket.jpg", plug)]
        assert found("x/pipe.jpg", "x/socket.jpg") == [Failure("x/pipe.jpg", pipe), Failure("x/socket.jpg", plug)]
        assert found("x/*.jpg") == found("x/pipe.jpg", "x/socket.jpg")
    assert found("/dev/null") == [Failure("/dev/null", "a device, not a regular file")]


# What cannot be reached


@posix
def test_folders_without_permission(here):
    make("x/closed/a.jpg", "x/names/b.jpg", "x/open.jpg")
    os.chmod("x/closed", 0)
    os.chmod("x/names", 0o444)
    with as_nobody(here):
        everything = found("x", "x/closed", "x/closed/a.jpg")
        number = count(["x", "x/closed"])
    os.chmod("x/closed", 0o755)
    os.chmod("x/names", 0o755)
    no = "no permission to read it"
    assert [one for one in everything if isinstance(one, Failure)] == [
        Failure("x/closed", no),
        Failure("x/names/b.jpg", no),
        Failure("x/closed", no),
        Failure("x/closed/a.jpg", no),
    ]
    assert [one.path for one in everything if isinstance(one, Candidate)] == ["x/open.jpg"]
    assert number is not None


def test_what_vanishes_while_walking(here):
    make("x/a/1.jpg", "x/b.jpg", "x/c/2.jpg", "x/d.jpg")
    walk = find(["x"])
    assert next(walk).path == "x/a/1.jpg"
    os.remove("x/b.jpg")
    os.remove("x/c/2.jpg")
    os.rmdir("x/c")
    gone = "vanished before it was read"
    assert [next(walk), next(walk)] == [Failure("x/b.jpg", gone), Failure("x/c", gone)]
    assert [one.path for one in walk] == ["x/d.jpg"]


def deep(levels, name):
    """Folders within folders, made one by one for no single path could name the lowest."""
    at = os.open(".", os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(os.open("photo.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)


@posix
def test_deeper_than_calls_can_be(here):
    levels = sys.getrecursionlimit() + 300
    deep(levels, "d")
    try:
        assert files("d") == files("**/photo.jpg") == ["d/" * levels + "photo.jpg"]
    finally:
        subprocess.run(["rm", "-rf", "d"], check=True)


@posix
def test_deeper_than_paths_can_be(here):
    deep(60, "d" * 100)
    make("d" * 100 + "/top.jpg")
    try:
        first, second = found("d" * 100)
        assert isinstance(first, Failure)
        assert first.reason == "path longer than the system allows"
        assert isinstance(second, Candidate)
        assert second.path.endswith("/top.jpg")
    finally:
        subprocess.run(["rm", "-rf", "d" * 100], check=True)
    assert found("d" * 5000)[0].reason == "path longer than the system allows"


# Counting


@posix
def test_count_is_what_find_gives(here):
    make("x/a.jpg", "x/s/b.jpg", "c.jpg", "y/d.jpg")
    os.symlink("a.jpg", "x/link.jpg")
    os.symlink("nowhere", "x/broken.jpg")
    os.symlink("..", "x/s/up")
    os.mkfifo("x/pipe")
    with open("list.txt", "w") as file:
        file.write("x\nc.jpg\nno.jpg\n")
    arguments = ["x", "c.jpg", "no.jpg", "**/*.jpg", "@list.txt", "@no.txt", "n*o", "\0"]
    assert count(arguments) == sum(isinstance(one, Candidate) for one in find(arguments)) == 13
    assert count([]) == 0


@posix
def test_count_leaves_alone_what_can_be_read_only_once(here):
    make("a.jpg")
    os.mkfifo("list")
    assert count(["a.jpg", "-"]) is None
    assert count(["a.jpg", "@list"]) is None
