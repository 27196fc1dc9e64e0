import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from forensic_cli.errors import ReportError
from forensic_cli.writing import atomic, check_writable

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def written(path: Path, content: bytes) -> None:
    with atomic(path) as stream:
        stream.write(content)


def test_the_file_appears_only_at_the_end(tmp_path):
    path = tmp_path / "report.json"
    with atomic(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["report.json"]


@pytest.mark.parametrize("error", [RuntimeError("plugin"), KeyboardInterrupt(), ReportError("source")])
def test_after_any_failure_the_old_file_is_as_it_was(tmp_path, error):
    path = tmp_path / "report.json"
    path.write_bytes(b"old")

    def fail():
        with atomic(path) as stream:
            stream.write(b"half of the n")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ReportError, match=r"report\.json: the disk is full: make room or name another place$"):
        written(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_file_that_outgrows_the_limit_leaves_the_old_file(tmp_path):
    """The limit is the kernel's own: writing fails in the middle, as on a full disk."""
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    limits, before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
        with pytest.raises(ReportError, match="larger than is allowed"):
            written(path, b"x" * (1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_device_that_is_full():
    with pytest.raises(ReportError, match=r"^/dev/full: the disk is full"):
        written(Path("/dev/full"), b"x")


def test_the_mode_is_the_old_ones_or_that_of_new_files(tmp_path):
    old, new, plain = tmp_path / "old", tmp_path / "new", tmp_path / "plain"
    old.write_bytes(b"")
    old.chmod(0o640)
    plain.write_bytes(b"")
    for path in (old, new):
        written(path, b"x")
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert new.stat().st_mode == plain.stat().st_mode


def test_symbolic_links_are_followed(tmp_path):
    (tmp_path / "runs").mkdir()
    link = tmp_path / "latest.json"
    link.symlink_to("runs/1.json")  # not there yet
    written(link, b"x")
    assert link.is_symlink()
    assert (tmp_path / "runs/1.json").read_bytes() == b"x"


COMPLAINTS = [
    ("none/report.json", r"none/report\.json: there is no folder .*/none: make it first"),
    ("file/report.json", r"file/report\.json: there is no folder .*/file: make it first"),
    ("folder", r"folder: is a folder: name a file in it"),
    ("x" * 256, "the name is too long"),
    ("circle", "its symbolic links go in a circle"),
]


@pytest.mark.parametrize("act", [check_writable, lambda path: written(path, b"x")], ids=["check", "write"])
@pytest.mark.parametrize(("name", "complaint"), COMPLAINTS, ids=[name[:20] for name, _ in COMPLAINTS])
def test_complaints_are_the_same_before_and_during(tmp_path, act, name, complaint):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(ReportError, match=complaint) as error:
        act(tmp_path / name)
    assert "\n" not in str(error.value)
    assert sorted(os.listdir(tmp_path)) == ["circle", "file", "folder"]


@pytest.mark.parametrize("act", [check_writable, lambda path: written(path, b"x")], ids=["check", "write"])
@pytest.mark.skipif(AS_ROOT, reason="root may write everywhere")
def test_no_permission(tmp_path, act):
    protected, folder = tmp_path / "protected.json", tmp_path / "folder"
    protected.write_bytes(b"old")
    protected.chmod(0o444)
    folder.mkdir(mode=0o555)
    for path in (protected, folder / "report.json"):
        with pytest.raises(ReportError, match="no permission to write there"):
            act(path)
    assert protected.read_bytes() == b"old"


def test_checking_leaves_nothing_behind_and_changes_nothing(tmp_path):
    path = tmp_path / "report.json"
    check_writable(path)
    assert os.listdir(tmp_path) == []
    path.write_bytes(b"old")
    check_writable(path)
    assert path.read_bytes() == b"old"


def test_a_named_pipe_is_written_straight(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    check_writable(path)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(path.read_bytes()))
    reader.start()
    written(path, b"through")
    reader.join(10)
    assert received == [b"through"]
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_keeps_what_the_shell_put_there(tmp_path, name):
    """The file behind >> is neither replaced nor cut."""
    code = f"""
from pathlib import Path
from forensic_cli.writing import atomic, check_writable
check_writable(Path({name!r}))
with atomic(Path({name!r})) as stream:
    stream.write(b"report")
"""
    path = tmp_path / "log"
    path.write_bytes(b"before ")
    with open(path, "ab") as log:
        subprocess.run([sys.executable, "-c", code], stdout=log, check=True)
    assert path.read_bytes() == b"before report"


def test_a_descriptor_that_is_not_open():
    with pytest.raises(ReportError, match=r"^/dev/fd/987: Bad file descriptor"):
        check_writable(Path("/dev/fd/987"))
