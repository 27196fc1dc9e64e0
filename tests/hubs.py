"""A hub on this machine for tests: its cache as its library lays it out, and a small server that speaks its protocol."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
from safetensors.numpy import save

COMMIT = "c0ffee" + "0" * 33 + "1"
CONFIG = b'{"model_type": "tiny"}'


def tensors(value: float = 1.0) -> bytes:
    """A small real safetensors file."""
    return save({"weight": np.full((4, 4), value, np.float32)})


def transformers_folder(folder: Path, value: float = 1.0) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes(CONFIG)
    (folder / "model.safetensors").write_bytes(tensors(value))
    return folder


def git_name(content: bytes) -> str:
    return hashlib.sha1(b"blob " + str(len(content)).encode() + b"\0" + content).hexdigest()


def blob_name(name: str, content: bytes) -> str:
    """Large files are named by their SHA-256, others as git names them."""
    large = name.endswith((".safetensors", ".onnx", ".bin"))
    return hashlib.sha256(content).hexdigest() if large else git_name(content)


def fill_cache(cache: Path, source: str, files: dict[str, bytes], commit: str = COMMIT, ref: str = "main") -> Path:
    """models--owner--name/{blobs,refs,snapshots}; the snapshot's folder."""
    home = cache / f"models--{source.replace('/', '--')}"
    snapshot = home / "snapshots" / commit
    (home / "blobs").mkdir(parents=True, exist_ok=True)
    (home / "refs").mkdir(exist_ok=True)
    (home / "refs" / ref).write_text(commit)
    for name, content in files.items():
        blob = home / "blobs" / blob_name(name, content)
        blob.write_bytes(content)
        link = snapshot / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path(*[".."] * (2 + name.count("/")), "blobs", blob.name))
    return snapshot


class Hub:
    """What the server has and what it was asked. `refusal`: (status, X-Error-Code) for every question."""

    def __init__(self, repositories: dict[str, dict[str, bytes]]) -> None:
        self.repositories = repositories
        self.refusal: tuple[int, str] | None = None
        self.asked: list[str] = []
        self.endpoint = ""

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(path)
        if self.refusal:
            return self.refusal[0], {"X-Error-Code": self.refusal[1]}, b"{}"
        parts = [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]
        if parts[:2] == ["api", "models"]:
            return self._about("/".join(parts[2:4]), parts[4:])
        files = self.repositories.get("/".join(parts[:2]), {})
        name = "/".join(parts[4:])
        if parts[2:4] != ["resolve", COMMIT] or name not in files:
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        return 200, {"ETag": f'"{blob_name(name, files[name])}"', "X-Repo-Commit": COMMIT}, files[name]

    def _about(self, source: str, rest: list[str]) -> tuple[int, dict[str, str], bytes]:
        if source not in self.repositories:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if rest[1:] not in ([], ["main"], [COMMIT]):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        files = self.repositories[source]
        if rest[:1] == ["tree"]:
            tree = [{"type": "file", "path": n, "size": len(c), "oid": git_name(c)} for n, c in files.items()]
            return 200, {}, json.dumps(tree).encode()
        siblings = [{"rfilename": name, "size": len(content)} for name, content in files.items()]
        return 200, {}, json.dumps({"id": source, "sha": COMMIT, "siblings": siblings}).encode()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = hub.answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def point_at(monkeypatch, cache: Path, endpoint: str = "http://127.0.0.1:9", offline: bool = True) -> None:
    """Let the hub's library, which read the environment long ago, use this cache and this server (port 9: nobody)."""
    from huggingface_hub import close_session, constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    close_session()
