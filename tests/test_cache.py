"""Everything that the tool keeps lies in one folder, for its owner alone."""

import stat
from pathlib import Path

import pytest

from forensic_cli.cache import cache_folder
from forensic_cli.errors import UsageError


def test_named_folder_is_made_for_its_owner(tmp_path, monkeypatch):
    monkeypatch.setenv("FORENSIC_CACHE", str(tmp_path / "a" / "b"))
    assert cache_folder() == tmp_path / "a" / "b"
    assert stat.S_IMODE(cache_folder().stat().st_mode) == 0o700
    (tmp_path / "a" / "b" / "kept").touch()
    assert (cache_folder() / "kept").exists()


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FORENSIC_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"


def test_the_platform_decides_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv("FORENSIC_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder().is_relative_to(tmp_path)
    assert cache_folder().name == "forensic"


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch):
    Path(tmp_path / "file").touch()
    monkeypatch.setenv("FORENSIC_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UsageError, match=r"cannot be made .*set FORENSIC_CACHE"):
        cache_folder()
