"""Weights are found where they may lie, in order; what is wrong with them is said in one line."""

import hashlib
import os
import socket
import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from forensic_cli import digests, hub
from forensic_cli.cache import cache_folder
from forensic_cli.errors import WeightsError
from forensic_cli.records import Weights
from forensic_cli.weights import absent, find, identify, locate, verify
from hubs import COMMIT, CONFIG, Hub, fill_cache, point_at, serving, tensors, transformers_folder

SOURCE = "owner/net"
FILES = {"config.json": CONFIG, "model.safetensors": tensors()}


@pytest.fixture
def hub_cache(tmp_path, monkeypatch) -> Path:
    point_at(monkeypatch, tmp_path / "hub")
    return tmp_path / "hub"


def hex_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def age(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a minute pass: a file is not trusted to stay as it is for its first two seconds."""
    now = time.time_ns
    monkeypatch.setattr(digests.time, "time_ns", lambda: now() + 60 * 10**9)


def test_local_folder_and_its_fingerprint(tmp_path):
    folder = transformers_folder(tmp_path / "net")
    (folder / "README.md").write_text("not hashed")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "hidden.json").write_text("{}")
    located = locate(Weights(str(folder), licence="MIT"), offline=True)
    lines = f"config.json\0{hex_of(CONFIG)}\nmodel.safetensors\0{hex_of(tensors())}\n"
    assert located.path == folder
    assert located.to_json() == {
        "source": str(folder),
        "revision": None,
        "sha256": hex_of(lines.encode()),
        "licence": "MIT",
    }


def test_single_file_has_its_own_digest(tmp_path):
    file = tmp_path / "head.safetensors"
    file.write_bytes(tensors(3))
    located = locate(Weights(str(file)))
    assert (located.path, located.sha256, located.revision) == (file, hex_of(tensors(3)), None)


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    transformers_folder(tmp_path / "net")
    assert locate(Weights("~/net")).path == tmp_path / "net"


def test_hub_cache_by_commit_and_by_branch(hub_cache):
    snapshot = fill_cache(hub_cache, SOURCE, FILES)
    for revision in (COMMIT, None, "main"):
        located = locate(Weights(SOURCE, revision=revision), offline=True)
        assert (located.path, located.revision, located.place) == (snapshot, COMMIT, "hub")
    local = transformers_folder(hub_cache.parent / "copy")
    assert locate(Weights(str(local))).sha256 == located.sha256


def test_nothing_of_the_network_is_touched_when_offline(hub_cache, monkeypatch):
    point_at(monkeypatch, hub_cache, offline=False)
    fill_cache(hub_cache, SOURCE, FILES)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert locate(Weights(SOURCE), offline=True).revision == COMMIT
    assert locate(Weights(SOURCE), offline=False).revision == COMMIT, "what is here is not asked for"
    with pytest.raises(WeightsError, match="weights pull") as caught:
        locate(Weights("owner/other", revision=COMMIT), offline=True)
    assert "owner/other@c0ffee000000 " in str(caught.value)
    assert "--offline forbids" in str(caught.value)
    assert "--weights METHOD=" in str(caught.value)
    point_at(monkeypatch, hub_cache, offline=True)
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE forbids"):
        locate(Weights("owner/other", revision=COMMIT))


def test_other_commit_than_the_cached_one_is_not_used(hub_cache):
    fill_cache(hub_cache, SOURCE, FILES)
    assert find(Weights(SOURCE, revision="d" * 40)) is None


def test_half_a_snapshot_is_not_here(hub_cache):
    snapshot = fill_cache(hub_cache, SOURCE, {"config.json": CONFIG})
    assert find(Weights(SOURCE)) is None
    (snapshot / "model.safetensors").symlink_to("../../blobs/gone")
    assert find(Weights(SOURCE)) is None


def test_every_shard_of_an_index_is_needed(tmp_path):
    folder = transformers_folder(tmp_path / "net")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = '{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}'
    (folder / "model.safetensors.index.json").write_text(index)
    assert absent(folder, Weights("").files) == "model-00002-of-00002.safetensors"
    (folder / "model-00002-of-00002.safetensors").write_bytes(tensors())
    assert absent(folder, Weights("").files) is None


@pytest.mark.parametrize("source", ["nosuchthing", "./no/such", "/no/such/folder", "a/b/c", "~nobody-here/x", "a\0b"])
def test_neither_path_nor_repository(source):
    with pytest.raises(WeightsError, match="no such folder or file"):
        locate(Weights(source))


def test_empty_source():
    with pytest.raises(WeightsError, match="without a source"):
        locate(Weights(""))


def test_folder_without_weights_says_what_is_expected(tmp_path):
    with pytest.raises(WeightsError) as caught:
        locate(Weights(str(tmp_path)))
    assert str(caught.value) == (
        f"no *.safetensors in {tmp_path}: expected a transformers folder with config.json and model.safetensors"
    )
    with pytest.raises(WeightsError, match=r"no vae/config.json in .*: expected a folder with vae/config.json, vae/\*"):
        locate(Weights(str(tmp_path), files=("vae/config.json", "vae/*.safetensors")))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "net.pt", "net.pth", "net.ckpt"])
def test_pickles_are_refused_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    for source in (tmp_path, tmp_path / name):
        with pytest.raises(WeightsError, match=r"is a pickle, .*safetensors"):
            locate(Weights(str(source)))


def test_a_pipe_is_no_weights(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(WeightsError, match="neither a folder nor a file"):
        locate(Weights(str(tmp_path / "pipe.safetensors")))
    with pytest.raises(WeightsError, match=r"no \*\.safetensors"):
        locate(Weights(str(tmp_path)))


def test_known_digests_are_held_to(tmp_path):
    folder = transformers_folder(tmp_path / "net")
    good = {"model.safetensors": hex_of(tensors())}
    assert locate(Weights(str(folder), sha256=good)).sha256 == locate(Weights(str(folder))).sha256
    with pytest.raises(WeightsError) as caught:
        locate(Weights(str(folder), sha256={"model.safetensors": "ab" * 32}))
    for part in (str(folder / "model.safetensors"), hex_of(tensors())[:12], "abababababab"):
        assert part in str(caught.value)
    with pytest.raises(WeightsError, match=r"no other\.safetensors in"):
        locate(Weights(str(folder), sha256={"other.safetensors": "ab" * 32}))


def test_spoilt_hub_cache_is_noticed(hub_cache):
    snapshot = fill_cache(hub_cache, SOURCE, FILES)
    found = find(Weights(SOURCE))
    assert found is not None
    assert verify(found) == []
    config, model = (snapshot / name for name in ("config.json", "model.safetensors"))
    config.resolve().write_bytes(CONFIG + b" ")
    assert [line.split(":")[0] for line in verify(found)] == [str(config)], "small files are named as git names them"
    model.resolve().write_bytes(tensors(2))
    assert [line.split(":")[0] for line in verify(found)] == [str(config), str(model)]
    with pytest.raises(WeightsError, match=f"expected is {hex_of(tensors())[:12]}.*weights pull"):
        identify(found)


def test_verify_tells_missing_files(tmp_path):
    folder = transformers_folder(tmp_path / "net")
    found = find(Weights(str(folder), sha256={"gone.safetensors": "0" * 64}))
    assert found is not None
    assert verify(found) == [f"{folder / 'gone.safetensors'}: missing"]


def test_digests_are_remembered_until_the_file_changes(tmp_path, monkeypatch):
    file, memory = tmp_path / "big", tmp_path / "digests.sqlite"
    file.write_bytes(b"first")
    assert digests.remembered(file, memory) == hex_of(b"first")
    assert not memory.exists(), "a file this young may change within a tick of its clock"
    age(monkeypatch)
    assert digests.remembered(file, memory) == hex_of(b"first")
    with sqlite3.connect(memory) as database:
        database.execute("UPDATE digests SET sha256 = 'remembered'")
    assert digests.remembered(file, memory) == "remembered"
    file.write_bytes(b"other")
    assert digests.remembered(file, memory) == hex_of(b"other")


def test_verify_trusts_no_memory(tmp_path, monkeypatch):
    folder = transformers_folder(tmp_path / "net")
    age(monkeypatch)
    weights = Weights(str(folder), sha256={"model.safetensors": hex_of(tensors())})
    found = locate(weights)
    with sqlite3.connect(cache_folder() / "digests.sqlite") as database:
        database.execute("UPDATE digests SET sha256 = ?", ("f" * 64,))
    with pytest.raises(WeightsError, match="begins ffffffffffff"):
        locate(weights)
    assert verify(found) == []


@pytest.mark.parametrize("memory", ["a folder", "no database"])
def test_a_memory_that_cannot_be_used_does_no_harm(tmp_path, monkeypatch, memory):
    file, place = tmp_path / "big", tmp_path / "memory"
    file.write_bytes(b"x")
    age(monkeypatch)
    place.mkdir() if memory == "a folder" else place.write_bytes(b"\xff" * 9000)
    assert digests.remembered(file, place) == hex_of(b"x")


def test_no_cache_folder_does_no_harm(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FORENSIC_CACHE", str(tmp_path / "file" / "cache"))
    assert locate(Weights(str(transformers_folder(tmp_path / "net"))))


def test_download_then_offline(hub_cache, monkeypatch, capfd):
    extra = {"pytorch_model.bin": b"pickle", "notes.txt": b"words"}
    with serving(Hub({SOURCE: {**FILES, **extra}})) as server:
        point_at(monkeypatch, hub_cache, server.endpoint, offline=False)
        located = locate(Weights(SOURCE, revision=COMMIT))
    assert located.revision == COMMIT
    assert sorted(path.name for path in located.path.iterdir()) == sorted(FILES)
    point_at(monkeypatch, hub_cache)
    assert locate(Weights(SOURCE, revision=COMMIT), offline=True) == located
    assert capfd.readouterr() == ("", "")


def test_branch_is_resolved_to_a_commit(hub_cache, monkeypatch):
    with serving(Hub({SOURCE: FILES})) as server:
        point_at(monkeypatch, hub_cache, server.endpoint, offline=False)
        assert locate(Weights(SOURCE)).revision == COMMIT
    point_at(monkeypatch, hub_cache)
    assert locate(Weights(SOURCE), offline=True).revision == COMMIT


def test_an_interrupted_download_is_completed(hub_cache, monkeypatch):
    fill_cache(hub_cache, SOURCE, {"config.json": CONFIG})
    with serving(Hub({SOURCE: FILES})) as server:
        point_at(monkeypatch, hub_cache, server.endpoint, offline=False)
        assert len(locate(Weights(SOURCE)).files) == 2


def test_repository_without_what_is_needed(hub_cache, monkeypatch):
    with serving(Hub({SOURCE: {"config.json": CONFIG, "pytorch_model.bin": b"pickle"}})) as server:
        point_at(monkeypatch, hub_cache, server.endpoint, offline=False)
        with pytest.raises(WeightsError, match=r"owner/net has no \*\.safetensors"):
            locate(Weights(SOURCE))


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((403, "GatedRepo"), r"owner/net is gated: accept its terms at http.*/owner/net .*hf auth login"),
        ((401, "GatedRepo"), "owner/net is gated"),
        ((401, ""), "HTTP 401.*hf auth login"),
        ((403, ""), "HTTP 403.*hf auth login"),
        ((404, "RepoNotFound"), "owner/net is no local path, and 127.0.0.1:[0-9]+ has no such repository"),
        ((404, "RevisionNotFound"), f"no revision {COMMIT}"),
        ((500, ""), "HTTP 500"),
        ((503, ""), "HTTP 503"),
        ((429, ""), "HTTP 429"),
    ],
)
def test_refusals_are_one_line_with_a_way_out(hub_cache, monkeypatch, capfd, refusal, words):
    with serving(Hub({})) as server:
        server.refusal = refusal
        point_at(monkeypatch, hub_cache, server.endpoint, offline=False)
        with pytest.raises(WeightsError, match=words) as caught:
            locate(Weights(SOURCE, revision=COMMIT))
    assert len(str(caught.value).splitlines()) == 1
    assert "forensic weights pull" in str(caught.value)
    assert "unbundle" in str(caught.value)
    assert len(server.asked) == 1, "no storm of retries"
    assert capfd.readouterr() == ("", "")


def test_closed_network(hub_cache, monkeypatch, capfd):
    point_at(monkeypatch, hub_cache, offline=False)
    with pytest.raises(WeightsError, match=r"cannot be fetched from 127.0.0.1:9 .*Connect") as caught:
        locate(Weights(SOURCE, revision=COMMIT))
    assert len(str(caught.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")


def test_hub_that_never_answers(hub_cache, monkeypatch):
    monkeypatch.setattr(hub, "_PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        point_at(monkeypatch, hub_cache, f"http://127.0.0.1:{silent.getsockname()[1]}", offline=False)
        with pytest.raises(WeightsError, match="ReadTimeout"):
            locate(Weights(SOURCE))


def test_a_portal_in_between_is_no_hub(hub_cache, monkeypatch):
    class Portal(Hub):
        def answer(self, path):
            return 200, {}, b"<html>please log in</html>"

    with serving(Portal({})) as server:
        point_at(monkeypatch, hub_cache, server.endpoint, offline=False)
        with pytest.raises(WeightsError, match="cannot be fetched"):
            locate(Weights(SOURCE))


def test_disk_too_small(hub_cache, monkeypatch):
    with serving(Hub({SOURCE: FILES})) as server:
        point_at(monkeypatch, hub_cache, server.endpoint, offline=False)
        monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=10))
        with pytest.raises(WeightsError, match=r"needs 0 MB and .* has 0 MB free: make room"):
            locate(Weights(SOURCE))
    assert find(Weights(SOURCE)) is None


def test_hub_cache_that_cannot_be_written(hub_cache, monkeypatch):
    hub_cache.write_text("a file where the folder should be")
    with serving(Hub({SOURCE: FILES})) as server:
        point_at(monkeypatch, hub_cache, server.endpoint, offline=False)
        with pytest.raises(WeightsError, match=f"{hub_cache}.*cannot be written.*HF_HUB_CACHE") as caught:
            locate(Weights(SOURCE))
    assert len(str(caught.value).splitlines()) == 1


def test_library_gets_its_own_voice_back(hub_cache, monkeypatch):
    from huggingface_hub import logging
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled

    before = logging.get_verbosity(), are_progress_bars_disabled()
    point_at(monkeypatch, hub_cache, offline=False)
    with pytest.raises(WeightsError):
        locate(Weights(SOURCE))
    assert (logging.get_verbosity(), are_progress_bars_disabled()) == before
