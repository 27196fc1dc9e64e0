import os
import sqlite3
import subprocess
import threading
import time
from contextlib import closing

import pytest

from forensic_cli.errors import StoreError
from forensic_cli.records import Claim, Finding, ImageRef
from forensic_cli.store import Forgiving, NoStore, Store

A, B = "aa" * 32, "bb" * 32
KEYS = {"one": "01" * 16, "two": "02" * 16}
FINDING = Finding(
    "one", score=0.1 + 0.2, verdict="uncalibrated", claims=(Claim("software", "é", "x", "declared"),), seconds=0.5
)


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "scores.sqlite")
    yield made
    made.close()


def ref(digest, path="p.jpg"):
    return ImageRef(path, digest, 10, "JPEG", 4, 3)


def test_findings_come_back_exactly_under_their_key(store):
    store.save([(ref(A), {KEYS["one"]: FINDING})])
    assert store.findings([A, B], KEYS) == {A: {"one": FINDING}, B: {}}
    assert store.findings([A], {"one": "ff" * 16}) == {A: {}}
    assert store.images([A, B]) == {A: ImageRef("", A, 10, "JPEG", 4, 3)}


def aged(path, seconds=10):
    """A file whose times are in the past, as if it had settled; ctime cannot be set, so wait it out in the stat."""
    stat = os.stat(path)
    old = stat.st_mtime_ns - seconds * 10**9
    fields = list(stat)
    return os.stat_result(fields, {"st_mtime_ns": old, "st_ctime_ns": old, "st_ino": stat.st_ino})


def test_a_digest_is_remembered_until_the_file_changes(store, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"x")
    stat = aged(path)
    store.save([], [(str(path), stat, A, time.time_ns())])
    assert store.digests([(str(path), stat), ("other", stat)]) == [A, None]
    path.write_bytes(b"y")
    assert store.digests([(str(path), os.stat(path))]) == [None]


def test_a_file_that_changed_just_now_is_not_trusted(store, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"x")
    store.save([], [(str(path), os.stat(path), A, os.stat(path).st_mtime_ns + 10**9)])
    assert store.digests([(str(path), os.stat(path))]) == [None]


def test_names_that_are_not_utf8(store, tmp_path):
    path = tmp_path / os.fsdecode(b"\xff\n.jpg")
    path.write_bytes(b"x")
    stat = aged(path)
    store.save([], [(str(path), stat, A, time.time_ns())])
    assert store.digests([(str(path), stat)]) == [A]


def test_all_or_nothing(store):
    broken = Finding("one", score=float("nan"))
    with pytest.raises(ValueError, match="JSON"):
        store.save([(ref(A), {KEYS["one"]: FINDING}), (ref(B), {KEYS["one"]: broken})])
    assert store.findings([A], KEYS) == {A: {}}


def test_it_survives_being_opened_again_and_twice_at_once(tmp_path):
    first = Store(tmp_path / "s.sqlite")
    second = Store(tmp_path / "s.sqlite")
    first.save([(ref(A), {KEYS["one"]: FINDING})])
    second.save([(ref(B), {KEYS["two"]: Finding("two", score=1.0)})])
    assert first.findings([A, B], KEYS) == {A: {"one": FINDING}, B: {"two": Finding("two", score=1.0)}}


def test_threads_share_it(store):
    def work(number):
        for step in range(20):
            digest = f"{number * 100 + step:064x}"
            store.save([(ref(digest), {KEYS["one"]: FINDING})])
            assert store.findings([digest], KEYS)[digest]["one"] == FINDING

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.images([f"{n * 100 + s:064x}" for n in range(4) for s in range(20)])) == 80


def test_a_store_that_was_left_half_made_is_completed(tmp_path):
    path = tmp_path / "s.sqlite"
    Store(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE image")
    with closing(Store(path)) as again:
        assert again.images([A]) == {}


def test_many_may_open_a_new_store_at_once(tmp_path, start):
    code = "import sys; from pathlib import Path; from forensic_cli.store import Store; Store(Path(sys.argv[1])).close()"
    for number in range(3):
        started = [start("-c", code, tmp_path / f"{number}.sqlite", stderr=subprocess.PIPE) for _ in range(4)]
        assert [(one.communicate()[1], one.returncode) for one in started] == [(b"", 0)] * 4


def test_a_file_that_is_no_store(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear madam, " * 1000)
    with pytest.raises(StoreError, match=r"letter\.txt.*--no-store"):
        Store(path)
    assert path.read_text().startswith("Dear madam")


def test_a_database_of_somebody_else(tmp_path):
    path = tmp_path / "theirs.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE precious (x)")
    db.close()
    with pytest.raises(StoreError, match="is not a store"):
        Store(path)


def test_a_failing_store_is_warned_of_once_and_costs_no_results(store):
    store.close()  # as if the disk had gone away
    lines: list[str] = []
    kept = Forgiving(store, lines.append)
    assert kept.findings([A], KEYS) == {A: {}}
    kept.save([(ref(A), {KEYS["one"]: FINDING})])
    assert kept.digests([("x", os.stat("/"))]) == [None]
    assert len(lines) == 1
    assert "goes on without it" in lines[0]


def test_no_store_knows_nothing():
    none = NoStore()
    none.save([(ref(A), {KEYS["one"]: FINDING})])
    assert none.findings([A], KEYS) == {A: {}}
