"""What only the store in a folder has; what all stores have is in test_store.py."""

import hashlib
import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import PermissionDeniedError, StoreError, UsageError
from orchestrator.store import open_store
from orchestrator.store.base import list_folders, list_objects
from orchestrator.store.file import FileStore
from tests.store.test_store import names


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "store")


def keys_of(store: FileStore, prefix: str = "") -> list[str]:
    return [item.key for item in list_objects(store, prefix)]


def test_etag_differs_after_every_replacement_by_the_same_bytes(store):
    etags = [store.put("k", b"same") for _ in range(200)]
    assert len(set(etags)) == len(etags)


def test_delete_leaves_no_empty_folders(store):
    store.put("a/b/c", b"x")
    store.put("a/d", b"x")
    store.delete(["a/b/c"])
    assert list(list_folders(store, "a/")) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(names, max_size=25), st.integers(1, 5))
def test_listing_is_in_byte_order(keys, limit):
    with tempfile.TemporaryDirectory() as folder:
        store = FileStore(Path(folder))
        kept: list[str] = []
        for key in keys:
            if not any(key == other or key.startswith(other + "/") or other.startswith(key + "/") for other in kept):
                kept.append(key)
                store.put(key, b"x")
        found, token = [], ""
        while True:
            page = store.list_page("", token=token, limit=limit)
            found += [item.key for item in page.objects]
            if not (token := page.token):
                break
        assert found == sorted(kept, key=str.encode)


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
