"""Real servers: the one that mlctl brings, one with a certificate of its own, one that ignores conditions."""

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from orchestrator.config import Context
from orchestrator.errors import ConflictError, NotFoundError, PermissionDeniedError, StoreError, UsageError
from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.store.check import check_store
from orchestrator.store.s3 import clients
from orchestrator.store.s3.multipart import PART
from orchestrator.store.serve import S3Server
from tests.buckets import Bucket
from tests.store.proxy import open_proxy
from tests.store.s3.network import tls
from tests.store.servers import rclone_server

DEADLINE = 5.0 + 25.0  # seconds in which what cannot work must be told, and what a busy machine may add


def test_the_server_keeps_keys_and_data(tmp_path, monkeypatch):
    seen = []
    for _ in range(2):
        with S3Server(tmp_path / "server") as server:
            server.make_bucket("mlab")
            seen.append((server.access_key, server.secret_key))
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
            context = Context(name="x", store="s3://mlab", endpoint=server.endpoint)
            store = open_store("s3://mlab", context, patience=2)
            seen.append(store.head("k") is not None)
            store.put("k", b"kept")
            command = Path(f"/proc/{server._process.pid}/cmdline").read_bytes().decode()
            assert server.secret_key not in command and server.access_key not in command
    assert seen[0] == seen[2] and (seen[1], seen[3]) == (False, True)
    assert (tmp_path / "server" / "s3.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreError, match="cannot reach"):
        store.get("k")


def test_a_port_that_is_taken_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConflictError, match=f"port {port} is taken"):
            S3Server(tmp_path / "server", port=port).start()


def test_a_server_that_is_not_installed_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFoundError, match="SeaweedFS is not installed") as caught:
        S3Server(tmp_path / "server").start()
    assert "mlctl[s3-server]" in caught.value.hint


def test_all_that_mlctl_needs_is_found_there(bucket_url):
    results = list(check_store(open_store(bucket_url)))
    assert [result.level for result in results] == ["ok"] * 9
    assert "keys from the environment" in results[0].message
    assert list(open_store(bucket_url).list_page("").objects) == []


def test_a_folder_is_checked_too(tmp_path):
    assert {result.level for result in check_store(open_store((tmp_path / "store").as_uri()))} == {"ok"}


@pytest.fixture
def rclone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Give a store in a server that takes conditions for decoration."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    with rclone_server(tmp_path / "served") as endpoint:
        yield open_store("s3://ml/me", Context(name="r", store="s3://ml/me", endpoint=endpoint))


def test_a_server_that_ignores_conditions_is_never_used_unsafely(rclone):
    rclone.put("plain", b"x")
    for work in (lambda: rclone.put_if_absent("k", b"1"), lambda: rclone.put_if_unchanged("plain", b"1", '"etag"')):
        with pytest.raises(StoreError, match="ignores conditional writes") as caught:
            work()
        assert "use a store with conditional writes" in caught.value.hint
    assert rclone.head("k") is None
    assert rclone.get("plain").data == b"x"
    levels = {result.subject: result.level for result in check_store(rclone)}
    assert levels["conditional writes"] == "fail"
    assert levels["range"] == "fail"  # it answers with the whole
    assert levels["access"] == levels["write"] == levels["delete"] == "ok"


def test_a_certificate_of_an_own_authority(own_s3: Bucket, bucket_url: str, tmp_path: Path):
    with tls(own_s3.endpoint, tmp_path) as (endpoint, authority):

        def store(**settings) -> Store:
            return open_store(bucket_url, Context(name="t", store=bucket_url, endpoint=endpoint, **settings))

        begun = time.monotonic()
        with pytest.raises(StoreError, match="is not trusted: UnknownIssuer") as caught:
            store().get("k")
        assert "--ca-bundle" in caught.value.hint
        with pytest.raises(StoreError, match="not trusted"):  # by boto3
            store().upload("k", bytes(PART + 1))
        assert time.monotonic() - begun < DEADLINE
        trusted = store(ca_bundle=str(authority))
        trusted.put("k", b"x")
        trusted.upload("large", bytes(PART + 1))
        assert trusted.get("k").data == b"x"
        (tmp_path / "empty.pem").write_text("nothing")
        with pytest.raises(UsageError, match=r"empty\.pem holds no certificate"):
            store(ca_bundle=str(tmp_path / "empty.pem")).get("k")


def test_a_certificate_for_another_name(own_s3: Bucket, bucket_url: str, tmp_path: Path):
    with tls(own_s3.endpoint, tmp_path, name="DNS:elsewhere.lab") as (endpoint, authority):
        context = Context(name="t", store=bucket_url, endpoint=endpoint, ca_bundle=str(authority))
        with pytest.raises(StoreError, match="not trusted: NotValidForName") as caught:
            open_store(bucket_url, context).get("k")
        assert "name that the certificate is for" in caught.value.hint


def test_https_to_a_server_without(own_s3: Bucket, bucket_url: str):
    endpoint = own_s3.endpoint.replace("http://", "https://")
    with pytest.raises(StoreError, match="does not speak TLS") as caught:
        open_store(bucket_url, Context(name="t", store=bucket_url, endpoint=endpoint)).get("k")
    assert "http://" in caught.value.hint


OPERATIONS = {
    "get": lambda store, path: store.get("k"),
    "head": lambda store, path: store.head("k"),
    "list": lambda store, path: store.list_page(""),
    "folders": lambda store, path: store.list_page("", delimiter="/"),
    "claim": lambda store, path: store.put_if_absent("k", b"x"),
    "upload": lambda store, path: store.upload("k", path),
    "parts": lambda store, path: store.upload("k", bytes(PART + 1)),
    "delete": lambda store, path: store.delete(["k"]),
    "copy": lambda store, path: store.copy("k", "l"),
    "probe": lambda store, path: store.check_writable(),
}
NOT_THERE = ("claim", "parts")  # what cannot be reached takes seconds to tell: one of each client


@pytest.mark.parametrize(
    "what, operations, kind, words",
    [
        ("bucket", OPERATIONS, StoreError, "there is no bucket"),
        ("key", OPERATIONS, PermissionDeniedError, "does not know the access key from the environment"),
        ("secret", OPERATIONS, PermissionDeniedError, "secret key from the environment does not belong"),
        ("port", NOT_THERE, StoreError, "cannot reach"),
        ("name", NOT_THERE, StoreError, "cannot reach"),
        ("silent", NOT_THERE, StoreError, "cannot reach"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else "",
)
def test_what_is_wrong_is_told_within_seconds(s3, bucket_url, monkeypatch, tmp_path, what, operations, kind, words):
    endpoint, url = s3.endpoint, bucket_url
    if what == "bucket":
        url = "s3://no-such-bucket/me"
    elif what == "key":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "NOBODYSKEY")
    elif what == "secret":
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "anothersecretkey")
    else:
        endpoint = {"port": "http://127.0.0.1:1", "name": "http://no-such-host.invalid"}.get(what, "")
    (tmp_path / "file").write_bytes(b"x")
    with black_hole() as hole:
        for name in operations:
            store = open_store(url, Context(name="x", store=url, endpoint=endpoint or hole))
            begun = time.monotonic()
            with pytest.raises(kind, match=words) as caught:
                OPERATIONS[name](store, tmp_path / "file")
            assert time.monotonic() - begun < DEADLINE
            assert caught.value.hint
            assert os.environ["AWS_SECRET_ACCESS_KEY"] not in str(caught.value) + caught.value.hint


@contextmanager
def black_hole() -> Iterator[str]:
    """Yield the endpoint of a machine that answers no attempt to connect: its queue of these is full."""
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_who_has_gone_is_not_waited_for_with_each_file(s3, bucket_url, monkeypatch):
    """After one operation has used up its patience, others have less until something is answered."""
    monkeypatch.setattr(clients, "FIRST_CONTACT", 0.3)
    with open_proxy(s3.endpoint) as proxy:
        store = open_store(bucket_url, Context(name="x", store=bucket_url, endpoint=proxy.endpoint), patience=2.0)
        store.put("k", b"x")
        with proxy.doing(lambda request: "reset"):
            taken = [time_to_fail(lambda: store.get("k")) for _ in range(2)]
        assert store.get("k").data == b"x"
        with proxy.doing(lambda request: "reset"):
            taken.append(time_to_fail(lambda: store.get("k")))
    assert taken[1] < min(taken[0], taken[2])


def time_to_fail(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    with pytest.raises(StoreError):
        work()
    return time.monotonic() - begun


def test_what_is_wrong_is_the_first_finding(bucket_url, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "anothersecretkey")
    (finding,) = check_store(open_store(bucket_url))
    assert (finding.level, finding.subject) == ("fail", "access")
    assert "does not belong to its access key" in finding.message and finding.hint
