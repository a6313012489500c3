"""The folder store keeps the promises of `Store`, between processes and when they are killed."""

import hashlib
import multiprocessing
import os
import signal
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import PermissionDeniedError, StoreError, UsageError
from orchestrator.store import open_store
from orchestrator.store.base import (
    AlreadyExistsError,
    ChangedError,
    CorruptObjectError,
    ObjectNotFoundError,
    list_folders,
    list_objects,
)
from orchestrator.store.file import FileStore

PROCESSES = 50
fork = multiprocessing.get_context("fork")


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "store")


def keys_of(store: FileStore, prefix: str = "") -> list[str]:
    return [item.key for item in list_objects(store, prefix)]


def test_get_put_and_ranges(store):
    etag = store.put("a/b", b"0123456789")
    assert store.get("a/b").data == b"0123456789"
    assert store.get("a/b").etag == etag == store.head("a/b").etag
    assert store.get_range("a/b", 3, 4) == b"3456"
    assert store.get_range("a/b", 8, 10) == b"89"
    assert store.get_range("a/b", 20, 5) == b""
    assert store.head("a/b").size == 10


@pytest.mark.parametrize("key", ["nothing", "a", "a/b/c"])
def test_missing_objects_and_folders_are_not_found(store, key):
    store.put("a/b", b"x")
    assert store.head(key) is None
    with pytest.raises(ObjectNotFoundError, match=key):
        store.get(key)
    with pytest.raises(ObjectNotFoundError):
        store.get_range(key, 0, 1)


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", ".mlctl/x", "a\0b"])
def test_keys_that_would_leave_the_folder_are_refused(store, key):
    with pytest.raises(UsageError):
        store.put(key, b"x")


def test_put_if_absent_happens_once(store):
    store.put_if_absent("k", b"1")
    with pytest.raises(AlreadyExistsError):
        store.put_if_absent("k", b"2")
    assert store.get("k").data == b"1"


def test_put_if_unchanged(store):
    first = store.put("k", b"1")
    second = store.put_if_unchanged("k", b"2", first)
    with pytest.raises(ChangedError):
        store.put_if_unchanged("k", b"3", first)
    assert store.get("k").data == b"2"
    store.delete(["k"])
    with pytest.raises(ChangedError):
        store.put_if_unchanged("k", b"3", second)


def test_etag_differs_after_every_replacement_however_fast(store):
    etags = [store.put("k", b"same") for _ in range(200)]
    assert len(set(etags)) == len(etags)


def test_upload_download_copy(store, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(os.urandom(3_000_000))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert store.upload("deep/er/k", source) == digest
    store.copy("deep/er/k", "copy")
    store.put("deep/er/k", b"replaced")
    store.download("copy", tmp_path / "target", sha256=digest)
    assert (tmp_path / "target").read_bytes() == source.read_bytes()
    with pytest.raises(ObjectNotFoundError):
        store.copy("none", "x")
    with pytest.raises(ObjectNotFoundError):
        store.download("none", tmp_path / "t")


def test_download_of_damaged_object_leaves_no_file(store, tmp_path):
    store.put("k", b"damaged")
    with pytest.raises(CorruptObjectError, match="k in file://"):
        store.download("k", tmp_path / "target", sha256="0" * 64)
    assert [path for path in tmp_path.iterdir() if path.name != "store"] == []


def test_delete_is_idempotent_and_leaves_no_empty_folders(store):
    store.put("a/b/c", b"x")
    store.put("a/d", b"x")
    store.delete(["a/b/c", "a/b/c", "never/was"])
    assert keys_of(store) == ["a/d"]
    assert list(list_folders(store, "a/")) == []


names = st.text("ab-./ é+#%", min_size=1, max_size=8).filter(
    lambda key: all(part not in ("", ".", "..") for part in key.split("/"))
)


@settings(max_examples=150, deadline=None)
@given(st.lists(names, max_size=25), st.integers(1, 5), st.data())
def test_listing_agrees_with_a_plain_map(keys, limit, data):
    kept: list[str] = []
    for key in keys:  # a file cannot be a folder as well
        if not any(key == other or key.startswith(other + "/") or other.startswith(key + "/") for other in kept):
            kept.append(key)
    with tempfile.TemporaryDirectory() as folder:
        store = FileStore(Path(folder))
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
        if not delimiter:
            assert found == sorted(below, key=str.encode)


def race(target, *args) -> list[int]:
    """Run `target(*args, queue)` in many processes at once; return what they put into the queue."""
    queue = fork.Queue()
    processes = [fork.Process(target=target, args=(*args, number, queue)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    answers = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    return answers


def _create(folder, number, queue):
    store = FileStore(folder)
    won = 0
    for round_ in range(20):
        try:
            store.put_if_absent(f"round/{round_}", str(number).encode())
            won += 1
        except AlreadyExistsError:
            pass
    queue.put(won)


def test_fifty_processes_one_creator_each_time(store, tmp_path):
    assert sum(race(_create, tmp_path / "store")) == 20
    assert len(keys_of(store, "round/")) == 20


def _increment(folder, number, queue):
    store = FileStore(folder)
    for _ in range(5):
        while True:
            current = store.get("counter")
            try:
                store.put_if_unchanged("counter", str(int(current.data) + 1).encode(), current.etag)
                break
            except ChangedError:
                time.sleep(0.001 * number / PROCESSES)
    queue.put(number)


def test_fifty_processes_lose_no_update(store, tmp_path):
    store.put("counter", b"0")
    race(_increment, tmp_path / "store")
    assert store.get("counter").data == str(5 * PROCESSES).encode()


def _write_forever(folder):
    store = FileStore(folder)
    block = 200_000
    while True:
        for letter in b"ab":
            store.put("k", bytes([letter]) * block)


def test_killed_writers_leave_whole_objects_and_free_locks(store, tmp_path):
    store.put("k", b"a" * 200_000)
    for _ in range(20):
        process = fork.Process(target=_write_forever, args=(tmp_path / "store",))
        process.start()
        time.sleep(0.03)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        data = store.get("k").data
        assert len(data) == 200_000
        assert len(set(data)) == 1
        store.put("k", b"a" * 200_000)
    assert keys_of(store) == ["k"]


def test_unfinished_writes_are_removed_a_day_later(store, tmp_path):
    store.put("k", b"x")
    leftover = tmp_path / "store" / ".mlctl" / "tmp" / "dead"
    leftover.write_bytes(b"half")
    store.check_writable()
    assert leftover.exists()
    os.utime(leftover, (time.time() - 90_000,) * 2)
    store.check_writable()
    assert not leftover.exists()


def test_full_disk_is_a_clear_error_and_nothing_is_half_written(small_disk):
    store = FileStore(small_disk("size=1m"))
    store.put("small", b"x")
    with pytest.raises(StoreError, match="No space left on device") as caught:
        store.put("large", b"x" * 2_000_000)
    assert "free some space" in caught.value.hint
    assert keys_of(store) == ["small"]
    store.put("again", b"y")


def test_read_only_place_is_a_permission_error(small_disk):
    with pytest.raises(PermissionDeniedError, match="Read-only file system"):
        FileStore(small_disk("ro")).check_writable()


@pytest.mark.parametrize("url", ["s3x://a", "/plain/path", "file://host/x", "", "file:relative"])
def test_unknown_urls_are_refused(url):
    with pytest.raises(UsageError, match="not a store"):
        open_store(url)


def test_urls_with_spaces_and_unicode_round_trip(tmp_path):
    folder = tmp_path / "räum lich#1"
    store = open_store(folder.as_uri())
    store.put("k", b"x")
    assert (folder / "k").read_bytes() == b"x"
    assert open_store(store.url).get("k").data == b"x"


def test_large_transfers_tell_of_each_block_before_it_moves(store, tmp_path):
    data = os.urandom(2_500_000)
    told: list[int] = []
    assert store.upload("k", data, on_bytes=told.append) == hashlib.sha256(data).hexdigest()
    store.download("k", tmp_path / "back", on_bytes=told.append)
    assert (tmp_path / "back").read_bytes() == data
    assert sum(told) == 2 * len(data) and max(told) <= 1 << 20
    assert store.upload("empty", b"") == hashlib.sha256(b"").hexdigest()
    assert store.get("empty").data == b""
