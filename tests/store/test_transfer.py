"""Trees go to a store and come back: verified, resumed, and never outside of their folder."""

import os
import threading
import time
from pathlib import Path

import msgspec
import pytest

from orchestrator.errors import PermissionDeniedError, StoreError
from orchestrator.store import open_store
from orchestrator.store.base import CorruptObjectError, Store, list_objects
from orchestrator.store.file import FileStore
from orchestrator.store.index import Index
from orchestrator.store.manifest import Entry, Manifest, manifest_of
from orchestrator.store.scan import scan_code, scan_data
from orchestrator.store.transfer import download_tree, upload_tree
from tests.store.trees import make_tree, read_tree

TREE = {"a": "one", "d/b": b"\0\xff" * 5000, "d/é ö.txt": "three", "leer/": None, "zero": ""}


class Recorder:
    """Counts what a reporter is told."""

    def __init__(self) -> None:
        self.total = self.done = 0
        self.notes: list[str] = []

    def note(self, message):
        self.notes.append(message)

    def bar(self, label, *, total, unit):
        self.total += total
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def advance(self, amount):
        self.done += amount


@pytest.fixture
def store(store_url: str) -> Store:
    return open_store(store_url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "folder", TREE)


def how_each(store, folder, **options) -> dict[str, str]:
    seen: dict[str, str] = {}
    upload_tree(store, "t/", folder, on_file=lambda found, sha, seen_ns, how: seen.update({found.path: how}), **options)
    return seen


def test_a_tree_comes_back_as_it_was(store, folder, tmp_path):
    (folder / "a").chmod(0o755)
    os.utime(folder / "a", ns=(1, 1_234_567_890_123_456_789))
    manifest = upload_tree(store, "t/", folder)
    download_tree(store, "t/", manifest, tmp_path / "back")
    assert read_tree(tmp_path / "back") == read_tree(folder)
    assert os.access(tmp_path / "back/a", os.X_OK)
    assert not os.access(tmp_path / "back/zero", os.X_OK)
    assert (tmp_path / "back/a").stat().st_mtime_ns == 1_234_567_890_123_456_789
    assert sorted(item.key for item in list_objects(store, "t/")) == ["t/a", "t/d/b", "t/d/é ö.txt", "t/zero"]


def test_links_in_a_manifest_come_back_as_links(store, tmp_path):
    folder = make_tree(tmp_path / "code", {"d/a": "x"})
    (folder / "l").symlink_to("d/a")
    manifest = upload_tree(store, "t/", folder, scan=scan_code(folder))
    for _ in range(2):
        download_tree(store, "t/", manifest, tmp_path / "back")
        assert read_tree(tmp_path / "back") == {"d/a": b"x", "l": "-> d/a"}


def test_progress_counts_every_byte(store, folder, tmp_path):
    for reporter, work in (
        (Recorder(), lambda r: upload_tree(store, "t/", folder, reporter=r)),
        (
            Recorder(),
            lambda r: download_tree(store, "t/", upload_tree(store, "t/", folder), tmp_path / "b", reporter=r),
        ),
    ):
        work(reporter)
        assert reporter.done == reporter.total == scan_data(folder).size


def test_nothing_of_an_output_is_ignored_and_what_cannot_be_sent_is_told(store, tmp_path):
    tree = {".mlctlignore": "*\n", ".gitignore": "*\n", "__pycache__/x": "1", ".git/y": "2", "z": "3"}
    folder = make_tree(tmp_path / "output", tree)
    os.mkfifo(folder / "pipe")
    reporter = Recorder()
    assert upload_tree(store, "t/", folder, reporter=reporter).files == 5
    assert reporter.notes == [f"{folder}/pipe is not uploaded: neither a file nor a folder"]


def test_what_was_sent_is_not_sent_again(store, folder):
    assert set(how_each(store, folder).values()) == {"sent"}
    (folder / "zero").write_text("now with bytes")
    (folder / "a").write_text("ONE")  # the same size
    os.utime(folder / "a", ns=(1, 1))
    assert how_each(store, folder) == {"a": "sent", "d/b": "present", "d/é ö.txt": "present", "zero": "sent"}


def test_an_object_that_is_gone_is_sent_again(store, folder):
    how_each(store, folder)
    store.delete(["t/a"])
    assert how_each(store, folder)["a"] == "sent"


def test_a_folder_of_notes_that_is_lost_costs_time_only(store, folder, home):
    how_each(store, folder)
    for notes in (home / "index").iterdir():
        notes.write_bytes(notes.read_bytes()[:-7] + b'\n["torn')
    assert "sent" in how_each(store, folder).values()
    assert set(how_each(store, folder).values()) == {"present"}


def test_content_that_the_store_holds_is_copied(store, folder):
    manifest = upload_tree(store, "old/", folder)
    held = {entry.sha256: "old/" + entry.path for entry in manifest.entries if entry.sha256}
    known = {entry.path: entry.sha256 for entry in manifest.entries if entry.sha256}
    assert set(how_each(store, folder, held=held, known=known).values()) == {"copied"}
    assert store.get("t/d/b").data == TREE["d/b"]


def test_a_copy_that_fails_because_the_source_is_lost_is_a_sending(store, folder):
    known = {entry.path: entry.sha256 for entry in upload_tree(store, "old/", folder).entries if entry.sha256}
    held = dict.fromkeys(known.values(), "gone/x")
    assert set(how_each(store, folder, held=held, known=known).values()) == {"sent"}


class Meddling(FileStore):
    """A store during whose uploads something happens to the file."""

    def __init__(self, root, meddle):
        super().__init__(root)
        self.meddle = meddle

    def upload(self, key, path, **options):
        sha256 = super().upload(key, path, **options)
        self.meddle(path)
        return sha256


def test_a_file_that_changes_once_is_read_again(tmp_path, folder):
    changes = [b"two", b"three"]

    def meddle(path):
        if path.name == "a" and changes:
            path.write_bytes(changes.pop())

    store = Meddling(tmp_path / "store", meddle)
    manifest = upload_tree(store, "t/", folder)
    assert store.get("t/a").data == b"two" == (folder / "a").read_bytes()
    download_tree(store, "t/", manifest, tmp_path / "back")


def test_a_file_that_never_rests_or_vanishes_is_named_and_the_others_are_stored(tmp_path, folder):
    def meddle(path):
        if path.name == "a":
            path.write_text(str(time.time_ns()))
        if path.name == "b":
            path.unlink()

    store = Meddling(tmp_path / "store", meddle)
    with pytest.raises(StoreError) as caught:
        upload_tree(store, "t/", folder)
    assert "2 files failed" in caught.value.message
    assert "a: it is being written to" in caught.value.message
    assert "d/b: it vanished meanwhile" in caught.value.message
    assert caught.value.hint
    assert store.get("t/zero").data == b""


def test_a_file_that_vanished_after_the_scan_is_named(store, folder):
    scan = scan_data(folder)
    (folder / "a").unlink()
    with pytest.raises(StoreError, match="a: it vanished meanwhile"):
        upload_tree(store, "t/", folder, scan=scan)


def test_damaged_and_missing_objects_are_named_and_the_others_written(store, folder, tmp_path):
    manifest = upload_tree(store, "t/", folder)
    store.put("t/a", b"ONE")
    store.delete(["t/zero"])
    with pytest.raises(CorruptObjectError) as caught:
        download_tree(store, "t/", manifest, tmp_path / "back")
    assert "2 files failed" in caught.value.message
    assert "t/a" in caught.value.message
    assert "t/zero is missing" in caught.value.message
    assert set(read_tree(tmp_path / "back")) == {"d/b", "d/é ö.txt", "leer/"}


def test_files_that_are_there_are_not_fetched_and_others_are_mended(store, folder, tmp_path):
    manifest = upload_tree(store, "t/", folder)
    download_tree(store, "t/", manifest, tmp_path / "back")
    store.delete(["t/d/b"])  # cannot be fetched any more, and need not be
    (tmp_path / "back/a").write_text("xxx")
    (tmp_path / "back/zero").unlink()
    (tmp_path / "back/own").write_text("kept")
    download_tree(store, "t/", manifest, tmp_path / "back")
    assert read_tree(tmp_path / "back") == {**read_tree(folder), "own": b"kept"}


def test_nothing_is_written_through_a_link(store, folder, tmp_path):
    manifest = upload_tree(store, "t/", folder)
    outside = make_tree(tmp_path / "outside", {"a": "mine"})
    target = make_tree(tmp_path / "back", {})
    (target / "d").symlink_to(outside)
    (target / "a").symlink_to(outside / "a")
    with pytest.raises(StoreError, match="nothing is written through links"):
        download_tree(store, "t/", manifest, target)
    assert read_tree(outside) == {"a": b"mine"}
    assert (target / "a").read_bytes() == b"one"


def test_a_hostile_manifest_writes_nothing_outside(store, tmp_path):
    store.put("t/x", b"evil")
    document = {"entries": [{"path": "../x", "size": 4, "sha256": "0" * 64}]}
    with pytest.raises(msgspec.ValidationError):
        download_tree(store, "t/", msgspec.json.decode(msgspec.json.encode(document), type=Manifest), tmp_path / "back")
    assert not (tmp_path / "x").exists()


def test_a_full_disk_is_one_clear_error(folder, tmp_path, small_disk):
    (folder / "big").write_bytes(bytes(1 << 20))
    with pytest.raises(StoreError, match="No space left") as caught:
        upload_tree(FileStore(small_disk("size=600k") / "store"), "t/", folder)
    assert "free some space" in caught.value.hint
    store = FileStore(tmp_path / "store")
    with pytest.raises(StoreError, match="No space left"):
        download_tree(store, "t/", upload_tree(store, "t/", folder), small_disk("size=600k") / "back")


def test_a_read_only_target_is_a_permission_error(store, folder, small_disk):
    manifest = upload_tree(store, "t/", folder)
    with pytest.raises(PermissionDeniedError, match="Read-only"):
        download_tree(store, "t/", manifest, small_disk("ro") / "back")


def test_ctrl_c_ends_a_transfer_soon(tmp_path, folder):
    started = threading.Event()

    def meddle(path):
        started.set()
        time.sleep(60)

    def interrupt():
        started.wait(60)
        time.sleep(0.2)
        os.kill(os.getpid(), 2)

    threading.Thread(target=interrupt).start()
    before = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        upload_tree(Meddling(tmp_path / "store", meddle), "t/", folder)
    assert time.monotonic() - before < 40


def test_an_unexpected_error_in_a_thread_is_not_swallowed(tmp_path, folder):
    def meddle(path):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        upload_tree(Meddling(tmp_path / "store", meddle), "t/", folder)


def test_the_index_trusts_only_what_was_at_rest(folder):
    (found, *_) = scan_data(folder).files
    old = time.time_ns() + 10_000_000_000
    for sha256, seen_ns in (("1" * 64, time.time_ns()), ("2" * 64, old)):
        assert Index(folder).lookup(found) is None  # at first unknown, then modified just before it was read
        index = Index(folder)
        index.add(found, sha256, seen_ns)
        index.save([found.path])
    assert Index(folder).lookup(found) == "2" * 64
    for change in ({"size": 1}, {"mtime_ns": 1}, {"ctime_ns": 1}, {"inode": 1}):
        assert Index(folder).lookup(msgspec.structs.replace(found, **change)) is None
    index = Index(folder)
    index.save(["other"])
    assert Index(folder).lookup(found) is None


def test_entries_without_files_need_no_store(store, tmp_path):
    download_tree(store, "t/", manifest_of([Entry(path="a/b", kind="folder")]), tmp_path / "back")
    assert read_tree(tmp_path / "back") == {"a/b/": None}
