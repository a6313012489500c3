"""What the process beside a script answers, also to nonsense and when the network is bad."""

import json
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.runtime.files.protocol import LENGTH, address_of
from orchestrator.runtime.files.server import FileService
from orchestrator.store import open_store
from tests.buckets import Bucket
from tests.guest.conftest import Beside
from tests.store.proxy import Proxy, at_random, open_proxy


@pytest.fixture
def proxy(own_s3: Bucket) -> Iterator[Proxy]:
    with open_proxy(own_s3.endpoint) as proxy:
        yield proxy


class Asking:
    """A guest that can say anything."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        address, folder = address_of(path)
        self._socket.connect(address)
        if folder is not None:
            os.close(folder)

    def raw(self, data: bytes) -> dict:
        self._socket.sendall(LENGTH.pack(len(data)) + data)
        (length,) = LENGTH.unpack(self._socket.recv(LENGTH.size, socket.MSG_WAITALL))
        return json.loads(self._socket.recv(length, socket.MSG_WAITALL))

    def ask(self, do: str, **attributes: object) -> dict:
        return self.raw(json.dumps({"do": do, **attributes}).encode())


@pytest.fixture
def beside(tmp_path: Path, bucket_url: str) -> Iterator[Beside]:
    # A path that is too long for the address of a socket.
    made = Beside(tmp_path / ("long" * 30), bucket_url)
    yield made
    made.service.stop()


def test_nonsense_is_told_to_be_nonsense(beside: Beside):
    asking = Asking(beside.workspace.socket)
    for data in (b"", b"{", b"[]", b'{"do": "format"}', b'{"do": "look"}', b'{"do": "look", "url": 3}', b"\xff"):
        assert asking.raw(data)["error"]["kind"] == "invalid"
    assert asking.raw(b'{"do": "look", "url": "\\ud800"}')["error"]["kind"] == "invalid"
    assert asking.ask("look", url="https://x/y")["error"]["kind"] == "invalid"
    assert asking.ask("look", url=beside.url + "/none") == {"value": None}


def test_only_shared_folders_are_read_and_written(beside: Beside, tmp_path: Path):
    beside.service.stop()
    shared = beside.workspace.work
    beside.service = FileService(beside.task, beside.workspace, open_store, shared=(shared,))
    beside.service.start()
    (tmp_path / "secret").write_text("secret")
    (shared / "link").symlink_to(tmp_path)
    asking = Asking(beside.workspace.socket)
    for path in (tmp_path / "secret", shared / "link" / "secret", shared / ".." / ".." / "secret", "secret"):
        assert asking.ask("send", path=str(path), url=beside.url + "/got")["error"]["kind"] == "invalid"
    assert asking.ask("send-tree", path=str(tmp_path), url=beside.url)["error"]["kind"] == "invalid"
    assert asking.ask("bring-tree", path=str(tmp_path), url=beside.url)["error"]["kind"] == "invalid"
    assert beside.held() == {}


def test_a_socket_is_only_for_its_owner(beside: Beside):
    assert beside.workspace.socket.stat().st_mode & 0o777 == 0o600


def test_marks_of_folders_are_no_files(beside: Beside, tmp_path: Path):
    """Browsers of buckets leave empty objects `folder/`."""
    store = beside.store
    client, bucket = store.clients.control, store.clients.address.bucket
    for key in ("marked/", "marked/file"):
        client.put_object(Bucket=bucket, Key=store.clients.address.prefix + key, Body=key.encode() * (key[-1] != "/"))
    asking = Asking(beside.workspace.socket)
    assert asking.ask("bring-tree", url=beside.url, path=str(tmp_path / "got"))["value"] == {"files": 1, "bytes": 11}
    assert (tmp_path / "got" / "marked" / "file").read_bytes() == b"marked/file"


def test_a_bad_network_is_borne(beside: Beside, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Dropped connections, cut answers, errors of a busy server: what arrives is right all the same."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
    files = {f"{number % 3}/{number}": random.Random(number).randbytes(2000 * number) for number in range(40)}
    source = tmp_path / "source"
    for path, data in files.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    asking = Asking(beside.workspace.socket)
    kinds = ("500", "503", "reset", "truncated")
    assert asking.ask("look", url=beside.url) == {"value": None}  # it has been reached
    with proxy.doing(at_random(0.2, 7, kinds)):
        expected = {"value": {"files": 40, "bytes": sum(map(len, files.values()))}}
        assert asking.ask("send-tree", path=str(source), url=beside.url + "/tree") == expected
        assert asking.ask("copy-tree", source=beside.url + "/tree", target=beside.url + "/copy") == expected
        assert asking.ask("bring-tree", url=beside.url + "/copy", path=str(tmp_path / "target")) == expected
    assert set(proxy.done) == set(kinds)
    assert {path: (tmp_path / "target" / path).read_bytes() for path in files} == files


def test_what_cannot_be_copied_is_named_and_the_rest_is_there(beside: Beside, tmp_path: Path):
    for key in ("a", "b/c"):
        beside.store.put(key, b"text")
    (tmp_path / "target" / "a").mkdir(parents=True)
    asking = Asking(beside.workspace.socket)
    answer = asking.ask("bring-tree", url=beside.url, path=str(tmp_path / "target"))
    assert answer["error"]["kind"] == "failed" and "a" in answer["error"]["message"].split()
    assert (tmp_path / "target" / "b" / "c").read_bytes() == b"text"
