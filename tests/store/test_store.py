"""Every store keeps the promises of `Store`, between processes and when they are killed."""

import hashlib
import multiprocessing
import os
import random
import secrets
import signal
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.store import open_store
from orchestrator.store.base import (
    AlreadyExistsError,
    ChangedError,
    CorruptObjectError,
    ObjectNotFoundError,
    Store,
    list_folders,
    list_objects,
)

PROCESSES = 50
SPREAD = 3.0  # seconds: SeaweedFS has racers of one object wait for its lock in steps of a second

# Its processes start from one that has the modules, but has asked no store: obstore does not survive a fork.
spawner = multiprocessing.get_context("forkserver")
spawner.set_forkserver_preload(["orchestrator.store.s3", "obstore.store", __name__])


@pytest.fixture
def store(store_url: str) -> Store:
    return open_store(store_url)


def keys_of(store: Store, prefix: str = "") -> list[str]:
    return sorted(item.key for item in list_objects(store, prefix))


def test_get_put_and_ranges(store):
    etag = store.put("a/b", b"0123456789")
    assert store.get("a/b").data == b"0123456789"
    assert store.get("a/b").etag == etag == store.head("a/b").etag
    assert store.get_range("a/b", 3, 4) == b"3456"
    assert store.get_range("a/b", 8, 10) == b"89"
    assert store.get_range("a/b", 20, 5) == b""
    assert store.get_range("a/b", 3, 0) == b""
    assert store.head("a/b").size == 10
    assert abs(store.head("a/b").modified - time.time()) < 60


def test_an_empty_object(store, tmp_path):
    store.put("empty", b"")
    assert store.get("empty").data == b""
    assert store.get_range("empty", 0, 5) == b""
    store.download("empty", tmp_path / "empty", sha256=hashlib.sha256().hexdigest())
    assert (tmp_path / "empty").read_bytes() == b""


@pytest.mark.parametrize("key", ["nothing", "a", "a/b/c"])
def test_missing_objects_and_folders_are_not_found(store, key, tmp_path):
    store.put("a/b", b"x")
    assert store.head(key) is None
    with pytest.raises(ObjectNotFoundError, match=f"no object {key}"):
        store.get(key)
    with pytest.raises(ObjectNotFoundError):
        store.get_range(key, 0, 1)
    with pytest.raises(ObjectNotFoundError):
        store.copy(key, "x")
    with pytest.raises(ObjectNotFoundError):
        store.download(key, tmp_path / "t")


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", ".mlctl/x", "a\0b"])
def test_keys_that_not_every_store_can_have_are_refused(store, key):
    for action in (lambda: store.put(key, b"x"), lambda: store.get(key), lambda: store.delete([key])):
        with pytest.raises(UsageError):
            action()


NAMES = ["a b", "ü/é", "a+b", "a#b", "a%b", "a%20b", "a%2Fb", "q?x=1&y", "~", "*", "[1]", "c:d", "'q'", '"q"', "{l}",
         "<>", "|", "^", "`", "$x", "@", "=", ",", ";", "!", "(b)", ".a", "a.", "...", "a..b", "😀", "日本語",
         "e\u0301", "x" * 255, "/".join(["y" * 99] * 9) + "/" + "z" * 99]  # fmt: skip


def test_any_name_of_a_file_can_be_a_key(store, tmp_path):
    for name in NAMES:
        store.put(f"n/{name}", name.encode())
    assert keys_of(store, "n/") == sorted(f"n/{name}" for name in NAMES)
    for name in NAMES:
        assert store.get(f"n/{name}").data == name.encode()
        assert store.head(f"n/{name}").size == len(name.encode())
    (tmp_path / "source").write_bytes(b"source")
    for name in NAMES[:12]:
        store.upload(f"u/{name}", tmp_path / "source")
        store.copy(f"u/{name}", f"c/{name}")
        store.download(f"c/{name}", tmp_path / "target")
        assert (tmp_path / "target").read_bytes() == b"source"
    store.delete([f"n/{name}" for name in NAMES])
    assert keys_of(store, "n/") == []


def test_put_if_absent_happens_once(store):
    etag = store.put_if_absent("k", b"1")
    assert store.get("k").etag == etag
    with pytest.raises(AlreadyExistsError, match="k exists already"):
        store.put_if_absent("k", b"2")
    assert store.get("k").data == b"1"
    store.delete(["k"])
    store.put_if_absent("k", b"3")


def test_put_if_unchanged(store):
    first = store.put("k", b"1")
    second = store.put_if_unchanged("k", b"2", first)
    with pytest.raises(ChangedError, match="k was changed"):
        store.put_if_unchanged("k", b"3", first)
    assert store.get("k").data == b"2"
    store.delete(["k"])
    with pytest.raises(ChangedError):
        store.put_if_unchanged("k", b"3", second)
    with pytest.raises(ChangedError):
        store.put_if_unchanged("never/was", b"3", second)


def test_etag_differs_after_every_change_however_fast(store):
    etags = [store.put("k", str(number).encode()) for number in range(100)]
    assert len(set(etags)) == len(etags)


@pytest.mark.parametrize("size", [0, 1, 3_000_000, 40_000_000])
def test_upload_download_copy(store, tmp_path, size):
    source = tmp_path / "source"
    source.write_bytes(random.Random(size).randbytes(size))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    told: list[int] = []
    assert store.upload("deep/er/k", source, on_bytes=told.append) == digest
    assert sum(told) == size
    assert store.head("deep/er/k").size == size
    store.copy("deep/er/k", "copy")
    store.put("deep/er/k", b"replaced")
    told.clear()
    store.download("copy", tmp_path / "target", sha256=digest, on_bytes=told.append)
    assert sum(told) == size
    assert (tmp_path / "target").read_bytes() == source.read_bytes()
    assert store.get_range("copy", max(size - 5, 0), 10) == source.read_bytes()[-5:]
    assert store.upload("memory", source.read_bytes()) == digest
    store.download("memory", tmp_path / "target", sha256=digest)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["source", "target"]


def test_download_of_damaged_object_leaves_no_file(store, tmp_path):
    store.put("k", b"damaged")
    (tmp_path / "there").mkdir()
    with pytest.raises(CorruptObjectError, match=r"k in \w+://"):
        store.download("k", tmp_path / "there" / "target", sha256="0" * 64)
    assert list((tmp_path / "there").iterdir()) == []


def test_delete_is_idempotent_and_leaves_no_folders(store):
    store.put("a/b/c", b"x")
    store.put("a/d", b"x")
    store.delete(["a/b/c", "a/b/c", "never/was"])
    store.delete([])
    assert keys_of(store) == ["a/d"]


def test_more_objects_than_one_page_or_one_request_takes(store):
    keys = [f"many/{number:04d}" for number in range(1100)]
    for key in keys:
        store.put(key, b"")
    assert keys_of(store) == keys
    pages = [store.list_page("many/", limit=500)]
    while pages[-1].token:
        pages.append(store.list_page("many/", limit=500, token=pages[-1].token))
    assert sorted(item.key for page in pages for item in page.objects) == keys
    store.delete(keys)
    assert keys_of(store) == []


names = st.text("ab-./ é+#%", min_size=1, max_size=8).filter(
    lambda key: all(part not in ("", ".", "..") for part in key.split("/"))
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(names, max_size=15), st.integers(1, 5), st.data())
def test_listing_agrees_with_a_plain_map(store_url, keys, limit, data):
    kept: list[str] = []
    for key in keys:  # a file cannot be a folder as well
        if not any(key == other or key.startswith(other + "/") or other.startswith(key + "/") for other in kept):
            kept.append(key)
    store = open_store(f"{store_url}/{secrets.token_hex(4)}")
    for key in kept:
        store.put(key, b"x")
    prefixes = ["", *{key[: index + 1] for key in kept for index, char in enumerate(key) if char == "/"}]
    prefix = data.draw(st.sampled_from(sorted(prefixes)))
    delimiter = data.draw(st.sampled_from(["", "/"]))
    found, token = [], ""
    while True:
        page = store.list_page(prefix, delimiter=delimiter, token=token, limit=limit)
        assert len(page.objects) + len(page.prefixes) <= limit
        found += [item.key for item in page.objects] + page.prefixes
        if not (token := page.token):
            break
    below = [key for key in kept if key.startswith(prefix)]
    if delimiter:
        rests = {(key, key[len(prefix) :]) for key in below}
        wanted = {key if "/" not in rest else prefix + rest.split("/")[0] + "/" for key, rest in rests}
    else:
        wanted = set(below)
    assert sorted(found) == sorted(wanted)


def test_folders(store):
    for key in ("x/a/1", "x/a/2", "x/b/1", "x/c", "y"):
        store.put(key, b"")
    assert sorted(list_folders(store, "x/")) == ["a", "b"]
    assert sorted(list_folders(store, "")) == ["x"]
    assert list(list_folders(store, "z/")) == []


def test_a_writable_store_is_found_writable_and_left_as_it_was(store):
    store.check_writable()
    assert keys_of(store) == []


def race(target, url, *args) -> list[object]:
    """Run `target(store, *args, number)` in many processes at once; return what they return."""
    queue = spawner.Queue()
    ready = spawner.Barrier(PROCESSES)
    processes = [
        spawner.Process(target=_run, args=(target, url, dict(os.environ), ready, queue, *args, number))
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    answers = [queue.get(timeout=600) for _ in processes]
    for process in processes:
        process.join()
    return answers


def _run(target, url, environment, ready, queue, *args):
    os.environ.update(environment)
    store = open_store(url)
    ready.wait(300)
    if url.startswith("s3:"):
        time.sleep(random.uniform(0, SPREAD))
    queue.put(target(store, *args))


def _create(store, number) -> list[int]:
    """Claim three versions as everybody does: look which are there, and try the next."""
    won: list[int] = []
    while len(won) < 3:
        taken = [int(key.rpartition("/")[2]) for key in keys_of(store, "versions/")]
        wanted = max(taken, default=0) + 1
        try:
            store.put_if_absent(f"versions/{wanted}", str(number).encode())
        except AlreadyExistsError:
            time.sleep(random.uniform(0, 0.3))
        else:
            won.append(wanted)
    return won


def test_fifty_processes_create_versions_without_gaps_or_twins(store, store_url):
    won = [version for answer in race(_create, store_url) for version in answer]
    assert sorted(won) == list(range(1, 3 * PROCESSES + 1))
    assert len(keys_of(store, "versions/")) == 3 * PROCESSES


def _claim_same(store, number) -> int:
    try:
        store.put_if_absent("one", str(number).encode())
    except AlreadyExistsError:
        return 0
    return 1


@pytest.mark.journey
def test_fifty_processes_one_creator(store, store_url):
    assert sum(race(_claim_same, store_url)) == 1


def _increment(store, number) -> int:
    for _ in range(3):
        while True:
            current = store.get("counter")
            try:
                store.put_if_unchanged("counter", str(int(current.data) + 1).encode(), current.etag)
                break
            except ChangedError:
                time.sleep(random.uniform(0, 0.3))
    return number


@pytest.mark.journey
def test_fifty_processes_lose_no_update(store, store_url):
    store.put("counter", b"0")
    race(_increment, store_url)
    assert store.get("counter").data == str(3 * PROCESSES).encode()


def _write_forever(url, environment):
    os.environ.update(environment)
    store = open_store(url)
    block = 200_000
    while True:
        for letter in b"ab":
            store.put("k", bytes([letter]) * block)


def test_killed_writers_leave_whole_objects_and_free_locks(store, store_url):
    store.put("k", b"a" * 200_000)
    for _ in range(10):
        process = spawner.Process(target=_write_forever, args=(store_url, dict(os.environ)))
        process.start()
        time.sleep(random.uniform(0.03, 0.2))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        data = store.get("k").data
        assert len(data) == 200_000
        assert len(set(data)) == 1
        store.put("k", b"a" * 200_000)
    assert keys_of(store) == ["k"]
