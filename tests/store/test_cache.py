"""What is kept of a bucket on this machine is read once per state, and never believed when it is damaged."""

import multiprocessing
import os
from pathlib import Path

import pytest

from orchestrator.store import cache
from orchestrator.store.base import ObjectNotFoundError
from orchestrator.store.cache import get_cached
from orchestrator.store.file import FileStore
from orchestrator.store.gather import THREADS, gather
from tests.jobs.memory import MemoryStore


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("MLCTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "objects"


@pytest.fixture
def store():
    return MemoryStore()


def read(store, key="k"):
    return get_cached(store, store.head(key))


def requests(store, work):
    before = store.requests
    work()
    return store.requests - before


def test_the_same_state_is_read_once(store):
    store.put("k", b"one")
    assert requests(store, lambda: read(store)) == 2  # head and get
    assert requests(store, lambda: read(store)) == 1
    assert read(store).data == b"one"
    store.put("k", b"two")
    assert read(store).data == b"two"
    assert read(store).etag == store.head("k").etag


def test_what_was_replaced_since_the_listing_is_the_new_state(store):
    store.put("k", b"one")
    listed = store.head("k")
    etag = store.put("k", b"two")
    assert get_cached(store, listed).data == b"two"
    assert get_cached(store, listed).etag == etag
    store.delete(["k"])
    with pytest.raises(ObjectNotFoundError):
        get_cached(store, listed)


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:-1], lambda data: data.replace(b"one", b"eno")]
)
def test_damage_is_not_believed(store, folder, damage):
    store.put("k", b"one" * 100)
    read(store)
    for path in folder.iterdir():
        path.write_bytes(damage(path.read_bytes()))
    assert read(store).data == b"one" * 100


def test_a_file_of_another_object_is_not_believed(store, folder):
    store.put("k", b"one")
    read(store)
    (wrong,) = folder.iterdir()
    store.put("other", b"two")
    read(store, "other")
    (right,) = set(folder.iterdir()) - {wrong}
    right.write_bytes(wrong.read_bytes())
    assert read(store, "other").data == b"two"


def test_it_goes_without_where_nothing_can_be_kept(store, folder, small_disk, monkeypatch):
    store.put("k", b"one")
    monkeypatch.setenv("MLCTL_CACHE", str(small_disk("ro")))
    assert read(store).data == b"one"
    folder.parent.mkdir()
    folder.write_text("in the way")
    monkeypatch.setenv("MLCTL_CACHE", str(folder.parent))
    assert read(store).data == b"one"


def test_it_stays_small(store, folder, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 10_000)
    for number in range(50):
        store.put(f"k{number}", b"x" * 1000)
        read(store, f"k{number}")
        os.utime(next(folder.iterdir()), (number, number))
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 10_000


def test_a_folder_is_not_copied(folder, tmp_path):
    store = FileStore(tmp_path / "store")
    store.put("k", b"one")
    assert read(store).data == b"one"
    assert not folder.exists()


def _use(url, seed):
    store = MemoryStore()
    store.identity = url
    for number in range(300):
        etag = f"{(number + seed) % 7}"
        store.put("k", etag.encode() * 1000)
        listed = store.head("k")
        store._objects["k"] = type(listed)(key="k", size=1000, etag=etag, modified=0)
        assert get_cached(store, store._objects["k"]).data == etag.encode() * 1000


def test_processes_at_once(store):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.starmap(_use, [("s3://same", seed) for seed in range(4)])


def test_gather_keeps_the_order_and_raises_the_first_error():
    assert gather(lambda number: number * 2, range(100)) == [number * 2 for number in range(100)]
    with pytest.raises(ZeroDivisionError):
        gather(lambda number: 1 // (number - 50), range(100))


def test_gather_in_gather_makes_no_more_threads():
    import threading

    seen = gather(lambda number: {threading.get_ident(), *gather(lambda _: threading.get_ident(), range(5))}, range(64))
    assert all(len(threads) == 1 for threads in seen)
    assert len(set().union(*seen)) <= THREADS
