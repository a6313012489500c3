"""A store, a folder, and a catalog whose sources are on this machine."""

import base64
import functools
import gzip
import hashlib
import http.server
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from orchestrator.datasets import Datasets
from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.store.file import FileStore
from tests.store.trees import make_tree

CONTENT = {"one.bin": b"one" * 50_000, "two.bin": bytes(range(256)) * 100}


# Of a test: it is run on a folder, then on a bucket.
on_each_store = pytest.mark.usefixtures("store_url")


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Give an empty store: a folder, or what the test asks for."""
    if "store_url" in request.fixturenames:
        return open_store(request.getfixturevalue("store_url"))
    return FileStore(tmp_path / "store")


@pytest.fixture
def datasets(store: Store) -> Datasets:
    return Datasets(store)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "data", {"train/1.txt": "one", "train/2.txt": "two", "test.txt": "x" * 5000})


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLCTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves files with ranges, and misbehaves on demand."""

    def __init__(self, *args, server_state, **kwargs):
        self.state = server_state
        super().__init__(*args, **kwargs)

    def do_GET(self):
        data = self.state.files.get(self.path.rsplit("/", 1)[-1])
        self.state.requests.append((self.path, self.headers.get("Range")))
        if data is None:
            self.send_error(404)
            return
        start = 0
        if (asked := self.headers.get("Range")) and self.state.ranges:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = len(data)
        if self.state.cuts:
            end = start + self.state.cuts.pop()
        self.wfile.write(data[start:end])
        if self.state.hang.is_set():
            self.wfile.flush()
            self.state.hanging.set()
            self.state.release.wait(300)

    def log_message(self, *args):
        pass


class Server:
    """A web server on this machine.

    Attributes:
        files: By name.
        requests: Paths and ranges asked for.
        ranges: Whether it answers ranges.
        cuts: Bytes after which the next answers break off.
        hang: Whether to keep answers open.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.ranges = True
        self.cuts: list[int] = []
        self.hang = threading.Event()
        self.hanging = threading.Event()
        self.release = threading.Event()
        handler = functools.partial(Handler, server_state=self)
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.release.set()
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.files = {f"{name}.gz": gzip.compress(data) for name, data in CONTENT.items()}
    yield made
    made.close()


@pytest.fixture
def catalog(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that writes a catalog with one entry, `tiny`, of the given sources."""

    def write(*sources: dict, **changes: object) -> Path:
        files = [
            {"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in CONTENT.items()
        ]
        entry = {
            "name": "tiny", "title": "Tiny", "description": "For tests.", "homepage": "https://example.com",
            "license": "CC0", "files": files, "sources": list(sources), **changes,
        }  # fmt: skip
        folder = tmp_path / "catalog"
        folder.mkdir(exist_ok=True)
        (folder / "tiny.yaml").write_bytes(msgspec.yaml.encode(entry))
        return folder

    return write


def mirror(url: str) -> dict:
    return {"kind": "mirror", "url": url, "files": [f"{name}.gz" for name in CONTENT], "recipe": "gunzip"}


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """Put a wheel with the content where pip's settings say that packages are, and return the source that names it."""
    links = tmp_path / "wheels"
    links.mkdir()
    path = links / "tiny_data-1.0-py3-none-any.whl"
    files = {f"tiny_data/{name}.gz": gzip.compress(data, mtime=0) for name, data in CONTENT.items()}
    files["tiny_data-1.0.dist-info/METADATA"] = b"Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n"
    files["tiny_data-1.0.dist-info/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    rows = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}")
    files["tiny_data-1.0.dist-info/RECORD"] = "\n".join([*rows, "tiny_data-1.0.dist-info/RECORD,,", ""]).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return {
        "kind": "python",
        "package": "tiny-data==1.0",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "unpacked": 1000,
        "files": [f"tiny_data/{name}.gz" for name in CONTENT],
        "recipe": "gunzip",
    }
