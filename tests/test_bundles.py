"""A bundle carries weights to a machine without a network, and nothing else can get in with it."""

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from forensic_cli.bundles import SCHEMA, bundle, unbundle
from forensic_cli.cache import cache_folder
from forensic_cli.errors import WeightsError
from forensic_cli.records import Weights
from forensic_cli.weights import find, locate, verify
from hubs import COMMIT, CONFIG, fill_cache, point_at, tensors, transformers_folder

NET = Weights("owner/net", revision=COMMIT, licence="MIT")
FILES = {"config.json": CONFIG, "model.safetensors": tensors()}


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The connected machine: the hub's cache is filled, a bundle is made."""
    point_at(monkeypatch, tmp_path / "hub")
    fill_cache(tmp_path / "hub", NET.source, FILES)
    return tmp_path / "net.tar"


@pytest.fixture
def travel(tmp_path, monkeypatch):
    """Go to a machine where the hub's cache is empty."""
    return lambda: point_at(monkeypatch, tmp_path / "empty")


def everything(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.name != "digests.sqlite")


def test_there_and_back(here, travel):
    before = locate(NET)
    steps: list[tuple[int, int]] = []
    size = bundle([before], here, lambda done, whole: steps.append((done, whole)))
    whole = sum(len(content) for content in FILES.values())
    assert size == here.stat().st_size
    assert steps[-1] == (whole, whole)
    travel()
    assert find(NET) is None
    (arrived,) = unbundle(here)
    assert (arrived.source, arrived.revision, arrived.files) == ("owner/net", COMMIT, 2)
    after = locate(NET, offline=True)
    assert after.place == "bundle"
    assert after.to_json() == before.to_json(), "a calibration made with the one fits the other"
    assert (after.path / "model.safetensors").read_bytes() == tensors()
    assert not (after.path / "model.safetensors").is_symlink()
    assert verify(after) == []
    assert locate(Weights("owner/net"), offline=True).revision == COMMIT, "no revision asked for: what is here"
    assert find(Weights("owner/net", revision="d" * 40)) is None


def test_the_file_is_a_plain_tar_that_others_can_read(here):
    bundle([locate(NET)], here)
    with tarfile.open(here, "r:") as archive:
        names = archive.getnames()
        manifest = json.loads(archive.extractfile("manifest.json").read())
    assert names == ["manifest.json", "0/config.json", "0/model.safetensors"]
    assert manifest["schema"] == "forensic/weights/1"
    (entry,) = manifest["entries"]
    assert (entry["source"], entry["revision"], entry["licence"]) == ("owner/net", COMMIT, "MIT")
    model = {"sha256": hashlib.sha256(tensors()).hexdigest(), "size": len(tensors())}
    assert entry["files"]["model.safetensors"] == model


def test_same_weights_make_the_same_bundle(here, tmp_path):
    bundle([locate(NET)], here)
    bundle([locate(NET), locate(NET)], tmp_path / "again.tar")
    assert here.read_bytes() == (tmp_path / "again.tar").read_bytes()


def test_branch_asked_for_is_found_again(here, travel):
    bundle([locate(Weights("owner/net", revision="main"))], here)
    travel()
    unbundle(here)
    assert locate(Weights("owner/net", revision="main"), offline=True).revision == COMMIT


def test_local_folder_and_single_file(tmp_path):
    folder, file = transformers_folder(tmp_path / "net"), tmp_path / "head.onnx"
    file.write_bytes(b"not really onnx")
    wanted = [Weights(str(folder)), Weights(str(file))]
    before = [locate(weights) for weights in wanted]
    bundle(before, tmp_path / "both.tar")
    folder.rename(tmp_path / "moved")
    file.rename(tmp_path / "moved.onnx")
    unbundle(tmp_path / "both.tar")
    after = [locate(weights) for weights in wanted]
    assert [one.to_json() for one in after] == [one.to_json() for one in before]
    assert after[1].path.read_bytes() == b"not really onnx"
    assert [verify(one) for one in after] == [[], []]


def test_two_methods_need_different_files_of_one_repository(tmp_path, monkeypatch, travel):
    point_at(monkeypatch, tmp_path / "hub")
    files = {f"{part}/{name}": content for part in ("vae", "unet") for name, content in FILES.items()}
    fill_cache(tmp_path / "hub", "owner/sd", files)
    vae = Weights("owner/sd", revision=COMMIT, files=("vae/config.json", "vae/*.safetensors"))
    unet = Weights("owner/sd", revision=COMMIT, files=("unet/config.json", "unet/*.safetensors"))
    bundle([locate(vae)], tmp_path / "vae.tar")
    bundle([locate(unet)], tmp_path / "unet.tar")
    bundle([locate(vae), locate(unet)], tmp_path / "both.tar")
    known = [locate(vae).sha256, locate(unet).sha256]
    travel()
    unbundle(tmp_path / "vae.tar")
    assert find(unet) is None
    unbundle(tmp_path / "unet.tar")
    assert [locate(vae).sha256, locate(unet).sha256] == known, "the second bundle leaves the first one's files"
    unbundle(tmp_path / "both.tar")
    assert [locate(vae).sha256, locate(unet).sha256] == known
    assert [verify(locate(vae)), verify(locate(unet))] == [[], []]


def test_spoilt_after_unbundling(here, travel):
    bundle([locate(NET)], here)
    travel()
    unbundle(here)
    found = find(NET)
    assert found is not None
    (found.path / "model.safetensors").write_bytes(tensors(2))
    assert len(verify(found)) == 1
    with pytest.raises(WeightsError, match="weights unbundle` again"):
        locate(NET)


def test_a_file_that_changes_meanwhile_leaves_no_bundle(tmp_path):
    folder = transformers_folder(tmp_path / "net")
    located = locate(Weights(str(folder)))

    def meddle(done: int, whole: int) -> None:
        (folder / "model.safetensors").write_bytes(tensors(2))

    (tmp_path / "out").mkdir()
    with pytest.raises(WeightsError, match="changed while"):
        bundle([located], tmp_path / "out" / "net.tar", meddle)
    assert list((tmp_path / "out").iterdir()) == []


def test_bundle_into_nowhere(here, tmp_path):
    with pytest.raises(WeightsError, match="cannot be written"):
        bundle([locate(NET)], tmp_path / "no" / "folder" / "net.tar")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def entry(files: dict[str, bytes], /, **changes: object) -> dict[str, object]:
    facts = {name: {"sha256": digest(content), "size": len(content)} for name, content in files.items()}
    plain = {"source": "owner/net", "revision": COMMIT, "asked": None, "licence": "MIT", "single": None, "files": facts}
    return plain | changes


def forged(path: Path, entries: object, members: list[tuple[tarfile.TarInfo, bytes]], schema: str = SCHEMA) -> Path:
    manifest = json.dumps({"schema": schema, "entries": entries}).encode()
    with tarfile.open(path, "w") as archive:
        for member, content in [(tarfile.TarInfo("manifest.json"), manifest), *members]:
            if member.isreg():
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def refused(path: Path, words: str, outside: Path) -> None:
    before = sorted(outside.rglob("*"))
    with pytest.raises(WeightsError, match=words) as caught:
        unbundle(path)
    assert len(str(caught.value).splitlines()) == 1
    assert everything(cache_folder()) in ([], ["weights"]), "nothing half unpacked remains"
    assert sorted(outside.rglob("*")) == before


GOOD = member("0/model.safetensors"), tensors()


def test_a_forged_bundle_that_is_right_is_taken(tmp_path):
    """The oracle of the tests below: what they refuse is refused for its fault alone."""
    assert unbundle(forged(tmp_path / "b.tar", [entry({"model.safetensors": tensors()})], [GOOD]))[0].files == 1


@pytest.mark.parametrize(
    "bad",
    [
        (member("/tmp/evil.safetensors"), b"x"),
        (member("../../evil.safetensors"), b"x"),
        (member("0/../../evil"), b"x"),
        (member("1/model.safetensors"), b"x"),
        (member("0/link", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (member("0/hard", tarfile.LNKTYPE, "/etc/passwd"), b""),
        (member("0/pipe", tarfile.FIFOTYPE), b""),
        (member("0/dev", tarfile.CHRTYPE), b""),
        (member("0/folder", tarfile.DIRTYPE), b""),
        (member("0/model.safetensors"), tensors()),
    ],
    ids=lambda value: value[0].name if isinstance(value, tuple) else None,
)
def test_members_that_the_manifest_does_not_name(tmp_path, bad):
    path = forged(tmp_path / "b.tar", [entry({"model.safetensors": tensors()})], [GOOD, bad])
    refused(path, "does not name so", tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_named_file_that_is_a_link(tmp_path, kind):
    link = member("0/model.safetensors", kind, "/etc/passwd")
    refused(forged(tmp_path / "b.tar", [entry({"model.safetensors": b""})], [(link, b"")]), "does not name so", tmp_path)


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/../../evil", ".forensic-weights.json", "a//b", "C:\\evil", "a\nb", ""]
)
def test_names_in_the_manifest(tmp_path, name):
    path = forged(tmp_path / "b.tar", [entry({name: b"x"})], [(member(f"0/{name}"), b"x")])
    refused(path, "file name", tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"revision": "../../evil"},
        {"revision": ".."},
        {"revision": "a/b"},
        {"revision": 3},
        {"source": ".."},
        {"source": ""},
        {"source": "a\nb"},
        {"source": None},
        {"asked": 3},
        {"single": "other"},
        {"files": {}},
        {"files": []},
        {"files": {"model.safetensors": {"sha256": "xyz", "size": 1}}},
        {"files": {"model.safetensors": {"sha256": "0" * 64, "size": -1}}},
        {"files": {"model.safetensors": {"sha256": "0" * 64, "size": "9"}}},
        {"files": {"model.safetensors": None}},
    ],
    ids=str,
)
def test_entries_in_the_manifest(tmp_path, changes):
    refused(
        forged(tmp_path / "b.tar", [entry({"model.safetensors": tensors()}, **changes)], [GOOD]), "manifest.json", tmp_path
    )


@pytest.mark.parametrize("entries", [None, 3, "x", [3], {"a": 1}])
def test_manifests_of_another_shape(tmp_path, entries):
    refused(forged(tmp_path / "b.tar", entries, []), "manifest.json", tmp_path)


def test_bundle_of_a_later_version(tmp_path):
    refused(forged(tmp_path / "b.tar", [], [], schema="forensic/weights/2"), "'forensic/weights/2', this version", tmp_path)


def test_other_bytes_than_promised(tmp_path):
    path = forged(tmp_path / "b.tar", [entry({"model.safetensors": tensors()})], [(GOOD[0], tensors(2))])
    refused(path, "damaged, copy it again", tmp_path)


def test_a_file_is_missing(tmp_path):
    path = forged(tmp_path / "b.tar", [entry({"config.json": CONFIG, "model.safetensors": tensors()})], [GOOD])
    refused(path, "0/config.json is missing", tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6])
def test_cut_short(tmp_path, share):
    folder = transformers_folder(tmp_path / "net")
    (folder / "model.safetensors").write_bytes(tensors() * 500)
    path = tmp_path / "b.tar"
    bundle([locate(Weights(str(folder)))], path)
    os.truncate(path, int(path.stat().st_size * share))
    for rest in cache_folder().iterdir():
        rest.unlink()
    refused(path, "cut short", tmp_path)


def test_a_promise_larger_than_the_file(tmp_path):
    huge = {"model.safetensors": {"sha256": "0" * 64, "size": 10**15}}
    sparse = member("0/model.safetensors", tarfile.GNUTYPE_SPARSE)
    refused(forged(tmp_path / "b.tar", [entry({}, files=huge)], [(sparse, b"")]), "promises 1000000000000000", tmp_path)


def test_no_tar_at_all(tmp_path):
    for name, content in {"text": b"hello", "zip": b"PK\3\4" + b"0" * 2000, "zeros": bytes(4096)}.items():
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, "no bundle", tmp_path)
    refused(tmp_path / "absent.tar", "no such file", tmp_path)
    refused(tmp_path, "no such file", tmp_path)
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "no such file", tmp_path)


def test_a_foreign_tar(tmp_path):
    with tarfile.open(tmp_path / "foreign.tar", "w") as archive:
        archive.addfile(member("hello.txt"), io.BytesIO())
    refused(tmp_path / "foreign.tar", "does not begin with manifest.json", tmp_path)
