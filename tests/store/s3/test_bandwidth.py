"""A limit of the bandwidth holds inside of one request too, both ways, and on all that moves."""

import hashlib
import itertools
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.store.rate import Meter, Rate
from orchestrator.store.s3 import multipart
from orchestrator.store.s3 import store as s3_store
from tests.buckets import Bucket
from tests.store.proxy import open_proxy

SIZE = 3 << 20  # bytes
LIMIT = 2 << 20  # bytes per second
WINDOW = 0.25  # seconds


class Arrival(NamedTuple):
    """Bytes that went by."""

    when: float
    amount: int


@contextmanager
def relay(upstream: str) -> Iterator[tuple[str, list[Arrival]]]:
    """Pass connections on to a server; yield the endpoint and what has arrived, from both sides."""
    seen: list[Arrival] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                seen.append(Arrival(time.monotonic(), len(data)))
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection((urlsplit(upstream).hostname, urlsplit(upstream).port))
            except OSError:
                return
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
        listener.shutdown(socket.SHUT_RDWR)


def most(seen: list[Arrival]) -> int:
    """Return the bytes in the busiest window."""
    return max(sum(one.amount for one in seen if 0 <= one.when - first.when < WINDOW) for first in seen)


@pytest.fixture
def data() -> bytes:
    return random.Random(3).randbytes(SIZE)


def limited(size: int) -> Meter:
    return Meter(lambda amount: None, size, Rate(LIMIT))


WAYS: dict[str, Callable[[Store, Path], object]] = {
    "one request": lambda store, path: store.upload("k", path, on_bytes=limited(SIZE)),
    "memory": lambda store, path: store.upload("k", path.read_bytes(), on_bytes=limited(SIZE)),
    "parts": lambda store, path: store.upload("k", path, on_bytes=limited(SIZE)),
    "download": lambda store, path: store.download("k", path.with_name("back"), on_bytes=limited(SIZE)),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_limit_holds_inside_of_a_request(own_s3: Bucket, bucket_url, monkeypatch, tmp_path, data, way):
    (tmp_path / "file").write_bytes(data)
    open_store(bucket_url).upload("k", data)
    if way == "parts":
        monkeypatch.setattr(s3_store, "PART", SIZE - 1)
        monkeypatch.setattr(multipart, "PART", 8 << 20)
    with relay(own_s3.endpoint) as (endpoint, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        store = open_store(bucket_url)
        store.head("k")
        begun = time.monotonic()
        WAYS[way](store, tmp_path / "file")
        taken = time.monotonic() - begun
    assert taken > 0.8 * SIZE / LIMIT - WINDOW
    assert sum(one.amount for one in seen) > SIZE
    # Two blocks may fall into one window, and a busy machine be late; at once all would be there.
    assert most(seen) < SIZE / 2
    store.download("k", tmp_path / "back", sha256=hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("part", [SIZE - 1, SIZE])
def test_a_paced_body_is_sent_again_from_its_start(s3: Bucket, bucket_url, monkeypatch, data, part):
    monkeypatch.setattr(s3_store, "PART", part)
    with open_proxy(s3.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        store = open_store(bucket_url)
        count = itertools.count()
        faults = {0: "reset", 1: "wrong", 2: "503"}
        told: list[int] = []
        meter = Meter(told.append, SIZE, Rate(4 * SIZE))
        with proxy.doing(lambda request: faults.get(next(count)) if request.method == "PUT" else None):
            digest = store.upload("k", data, on_bytes=meter)
        assert store.get("k").data == data
    assert digest == hashlib.sha256(data).hexdigest()
    assert set(proxy.done) == {"reset", "wrong", "503"}
    assert sum(told) == SIZE
