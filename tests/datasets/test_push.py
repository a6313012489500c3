"""Pushing makes immutable versions, sends only what is new, and survives whatever happens to it."""

import itertools
import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from orchestrator.datasets import Datasets
from orchestrator.datasets.claim import Claim
from orchestrator.datasets.versions import version_prefix
from orchestrator.errors import NotFoundError, PermissionDeniedError, StoreError, UsageError
from orchestrator.store import open_store, records
from orchestrator.store.base import CorruptObjectError, Store, list_objects
from orchestrator.store.file import FileStore
from orchestrator.store.manifest import Manifest
from tests.datasets.conftest import on_each_store
from tests.store.trees import make_tree, read_tree

# Its processes start from one that has the modules, but has asked no store: obstore does not survive a fork.
spawner = multiprocessing.get_context("forkserver")
spawner.set_forkserver_preload(["orchestrator.store.s3", "obstore.store", __name__])


@on_each_store
def test_a_pushed_folder_is_a_version_that_can_be_browsed(datasets, store, folder, tmp_path):
    result = datasets.push(folder, name="words", description="Some words")
    assert (result.created, result.version.version, result.files, result.bytes) == (True, "V0001", 3, 5006)
    assert (result.sent, result.sent_bytes, result.copied) == (3, 5006, 0)
    assert result.largest[0].path == "test.txt"
    keys = sorted(item.key.removeprefix("datasets/words/V0001/") for item in list_objects(store, ""))
    assert keys == [
        "claim.json",
        "dataset.json",
        "files/test.txt",
        "files/train/1.txt",
        "files/train/2.txt",
        "manifest.json",
    ]
    version = datasets.get("words")
    assert version == result.version
    assert version.description == "Some words"
    assert version.source.endswith(str(folder))
    assert version.url == "dataset://words@v1"
    assert abs(version.created - time.time()) < 60
    assert records.read(store, version.manifest_key, Manifest).tree_hash() == version.sha256
    datasets.pull("words", None, tmp_path / "back")
    assert read_tree(tmp_path / "back") == read_tree(folder)


@on_each_store
def test_an_unchanged_folder_makes_no_version(datasets, folder):
    first = datasets.push(folder, name="words").version
    again = datasets.push(folder, name="words")
    assert (again.created, again.version, again.sent, again.copied) == (False, first, 0, 0)
    for path in folder.rglob("*"):
        os.utime(path)
    assert not datasets.push(folder, name="words").created
    assert len(datasets.versions("words")) == 1


def test_an_unchanged_file_is_not_read(datasets, folder, monkeypatch):
    for path in folder.rglob("*.txt"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    datasets.push(folder, name="words")

    def unreadable(path):
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("orchestrator.store.transfer.hash_file", unreadable)
    assert not datasets.push(folder, name="words").created


@on_each_store
def test_the_same_content_in_another_folder_makes_no_version(datasets, folder, tmp_path):
    datasets.push(folder, name="words")
    folder.rename(tmp_path / "moved")
    assert not datasets.push(tmp_path / "moved", name="words").created


@on_each_store
@pytest.mark.parametrize("change", ["content", "same size", "new", "gone", "empty folder", "mode"])
def test_each_change_makes_a_version_and_sends_only_what_changed(datasets, store, folder, change):
    first = datasets.push(folder, name="words").version
    sent = 1
    if change == "content":
        (folder / "train/1.txt").write_text("one and more")
    elif change == "same size":
        (folder / "train/1.txt").write_text("ONE")
    elif change == "new":
        (folder / "train/3.txt").write_text("three")
    else:
        sent = 0
        if change == "gone":
            (folder / "train/1.txt").unlink()
        elif change == "empty folder":
            (folder / "empty").mkdir()
        else:
            (folder / "train/1.txt").chmod(0o755)
    second = datasets.push(folder, name="words")
    assert (second.created, second.version.version, second.sent) == (True, "V0002", sent)
    assert second.copied == second.files - sent
    assert datasets.get("words", 1) == first
    assert datasets.verify("words", "v1").files == 3
    assert datasets.verify("words").files == second.files
    assert [version.number for version in datasets.versions("words")] == [2, 1]


def test_what_was_left_out_is_told(datasets, folder):
    make_tree(folder, {".mlctlignore": "*.tmp\n", "a.tmp": "x"})
    result = datasets.push(folder, name="words")
    assert [(skipped.path, skipped.reason) for skipped in result.skipped] == [
        (".mlctlignore", "always ignored"),
        ("a.tmp", "rule *.tmp in .mlctlignore"),
    ]


def test_folders_that_cannot_be_pushed_are_named(datasets, tmp_path):
    with pytest.raises(NotFoundError, match="no folder"):
        datasets.push(tmp_path / "no", name="words")
    with pytest.raises(UsageError, match="has no files"):
        datasets.push(make_tree(tmp_path / "empty", {"d/": None}), name="words")
    ignored = make_tree(tmp_path / "ignored", {"__pycache__/x": ""})
    with pytest.raises(UsageError, match=r"1 left out: always ignored"):
        datasets.push(ignored, name="words")
    with pytest.raises(UsageError, match="cannot be the name"):
        datasets.push(tmp_path, name="../words")
    assert datasets.list() == []


@on_each_store
def test_what_is_not_there_is_named_with_what_is_near(datasets, folder):
    datasets.push(folder, name="words")
    with pytest.raises(NotFoundError, match="no dataset word") as caught:
        datasets.get("word")
    assert caught.value.hint == "did you mean words?"
    with pytest.raises(NotFoundError, match="no version 7; it has V0001"):
        datasets.get("words", "v7")
    with pytest.raises(NotFoundError) as caught:
        datasets.versions("mnist")
    assert caught.value.hint == "mlctl dataset import mnist"


@on_each_store
def test_urls_resolve_to_versions(datasets, folder):
    first = datasets.push(folder, name="words").version
    (folder / "new").write_text("x")
    second = datasets.push(folder, name="words").version
    assert datasets.resolve("dataset://words") == second == datasets.resolve("dataset://words@latest")
    assert datasets.resolve("dataset://words@v1") == first
    with pytest.raises(UsageError):
        datasets.resolve("s3://words")
    assert datasets.list() == [second]


SLOW = 0.2  # seconds for a file
BEFORE = 20  # files, after which one takes for ever: who is to be killed does not come to its end before
FOREVER = 600.0  # seconds


def start(work, store: Store, pause: float, *args) -> multiprocessing.Process:
    """Start a process that does something with the same store; what it puts into it takes time."""
    child = spawner.Process(target=_in_process, args=(dict(os.environ), store.url, work, pause, *args))
    child.start()
    return child


def _in_process(environment: dict[str, str], url: str, work, pause: float, *args) -> None:
    os.environ.update(environment)
    store = open_store(url)
    upload, count = store.upload, itertools.count()

    def slowly(key, path, **options):
        time.sleep(pause if pause < SLOW or next(count) < BEFORE else FOREVER)
        return upload(key, path, **options)

    store.upload = slowly
    work(Datasets(store), *args)


def push_words(datasets: Datasets, folder: Path) -> None:
    datasets.push(folder, name="words")


@on_each_store
def test_a_killed_push_goes_on_under_its_number(datasets, store, folder, tmp_path):
    make_tree(folder, {f"more/{number}": f"{number}" for number in range(40)})
    child = start(push_words, store, SLOW, folder)
    sent: list[str] = []
    while len(sent) < 8:
        time.sleep(0.05)
        sent = [item.key for item in list_objects(store, "datasets/words/V0001/files/")]
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert datasets.list() == []
    with pytest.raises(NotFoundError):
        datasets.get("words")
    result = datasets.push(folder, name="words")
    assert (result.created, result.version.version) == (True, "V0001")
    # What was in the store when the kill came need not be sent, but for files whose note was not written any more.
    assert result.sent <= 43 - len(sent) + 4
    assert datasets.verify("words").files == 43


@on_each_store
def test_a_file_that_changed_after_the_kill_is_sent_anew(datasets, store, folder, tmp_path):
    make_tree(folder, {f"zzz/{number}": f"{number}" for number in range(40)})
    child = start(push_words, store, SLOW, folder)
    while not store.head("datasets/words/V0001/files/train/1.txt"):
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    (folder / "train/1.txt").write_text("ONE")
    datasets.push(folder, name="words")
    assert store.get("datasets/words/V0001/files/train/1.txt").data == b"ONE"
    assert datasets.verify("words", "v1")


@on_each_store
def test_a_killed_push_that_was_overtaken_takes_a_new_number(datasets, store, folder, tmp_path, monkeypatch):
    child = start(push_words, store, FOREVER, folder)
    while not store.head("datasets/words/V0001/claim.json"):
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    other = make_tree(tmp_path / "other", {"a": "a"})
    assert datasets.push(other, name="words").version.version == "V0002"
    assert datasets.push(folder, name="words").version.version == "V0003"
    assert [version.number for version in datasets.versions("words")] == [3, 2]


@on_each_store
def test_another_home_with_the_same_folder_takes_the_next_number(datasets, store, folder, home, monkeypatch):
    claim = Claim(machine="another", folder=str(folder), author="me@here", created=0)
    records.claim(store, version_prefix("words", 1) + "claim.json", claim)
    assert datasets.push(folder, name="words").version.version == "V0002"


def push_own(datasets: Datasets, folder: Path, number: int, results) -> None:
    make_tree(folder / str(number), {"mine": f"{number}", **{f"f{n}": "x" for n in range(20)}})
    results.put(datasets.push(folder / str(number), name="words").version.number)


@on_each_store
def test_pushes_of_many_folders_at_once_get_numbers_of_their_own(datasets, store, tmp_path):
    results = spawner.Queue()
    many = 8 if store.url.startswith("file:") else 4
    children = [start(push_own, store, 0, tmp_path, number, results) for number in range(many)]
    numbers = sorted(results.get(timeout=300) for _ in children)
    for child in children:
        child.join()
    assert numbers == list(range(1, many + 1))
    for version in datasets.versions("words"):
        assert datasets.verify("words", version.number).files == 21


def push_same(datasets: Datasets, folder: Path, results) -> None:
    results.put(datasets.push(folder, name="words").created)


@on_each_store
def test_pushes_of_one_folder_at_once_make_one_version(datasets, store, folder):
    results = spawner.Queue()
    children = [start(push_same, store, 0.01, folder, results) for _ in range(4)]
    assert sorted(results.get(timeout=300) for _ in children) == [False, False, False, True]
    assert [version.number for version in datasets.versions("words")] == [1]


@on_each_store
def test_damage_is_found_by_verify_and_by_pull(datasets, store, folder, tmp_path):
    datasets.push(folder, name="words")
    assert datasets.verify("words").size == 5006
    store.put("datasets/words/V0001/files/train/1.txt", b"ONE")
    store.put("datasets/words/V0001/files/train/2.txt", b"longer")
    store.delete(["datasets/words/V0001/files/test.txt"])
    with pytest.raises(CorruptObjectError) as caught:
        datasets.verify("words")
    for text in ("3 files failed", "train/1.txt is damaged: its bytes", "has 6 bytes, not 3", "test.txt is missing"):
        assert text in caught.value.message
    with pytest.raises(CorruptObjectError, match=r"train/1\.txt"):
        datasets.pull("words", 1, tmp_path / "back")


@on_each_store
def test_what_verify_found_damaged_is_mended_by_the_next_push(datasets, store, folder):
    datasets.push(folder, name="words")
    store.put("datasets/words/V0001/files/test.txt", b"y" * 5000)
    with pytest.raises(CorruptObjectError):
        datasets.verify("words")
    result = datasets.push(folder, name="words")
    assert (result.created, result.version.version, result.sent, result.copied) == (True, "V0002", 1, 2)
    assert datasets.verify("words").files == 3
    assert not datasets.push(folder, name="words").created


@on_each_store
def test_a_version_that_was_restored_is_whole_again(datasets, store, folder):
    datasets.push(folder, name="words")
    store.put("datasets/words/V0001/files/train/1.txt", b"ONE")
    with pytest.raises(CorruptObjectError):
        datasets.verify("words")
    store.put("datasets/words/V0001/files/train/1.txt", b"one")
    datasets.verify("words")
    assert not datasets.push(folder, name="words").created


@on_each_store
def test_a_damaged_manifest_is_named(datasets, store, folder, tmp_path):
    version = datasets.push(folder, name="words").version
    records.write(store, version.manifest_key, Manifest())
    with pytest.raises(CorruptObjectError, match="not the manifest"):
        datasets.pull("words", None, tmp_path / "back")
    store.put(version.manifest_key, b'{"entries": [{"path": "../x"')
    with pytest.raises(StoreError, match="damaged"):
        datasets.verify("words")
    store.delete([version.manifest_key])
    with pytest.raises(CorruptObjectError, match="missing"):
        datasets.verify("words")


@on_each_store
def test_a_damaged_manifest_of_the_version_before_does_not_stop_a_push(datasets, store, folder):
    version = datasets.push(folder, name="words").version
    store.put(version.manifest_key, b"rubbish")
    (folder / "new").write_text("x")
    assert datasets.push(folder, name="words").version.version == "V0002"
    assert datasets.verify("words").files == 4


def test_a_read_only_store_refuses(folder, small_disk):
    with pytest.raises(PermissionDeniedError):
        Datasets(FileStore(small_disk("ro") / "store")).push(folder, name="words")


def test_a_full_store_is_named_and_the_push_goes_on_later(folder, small_disk):
    disk = small_disk("size=2m")
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(1 << 20))
    (folder / "big").write_bytes(os.urandom(1_300_000))
    datasets = Datasets(FileStore(disk / "store"))
    with pytest.raises(StoreError, match="No space left") as caught:
        datasets.push(folder, name="words")
    assert "free some space" in caught.value.hint
    assert datasets.list() == []
    ballast.unlink()
    result = datasets.push(folder, name="words")
    assert result.version.version == "V0001"
    assert datasets.verify("words").files == 4


def test_a_home_that_became_read_only_is_named(datasets, folder, small_disk, monkeypatch):
    home = small_disk("size=1m")
    monkeypatch.setenv("MLCTL_HOME", str(home))
    datasets.push(folder, name="words")
    subprocess.run(["mount", "-o", "remount,ro", home], check=True)
    with pytest.raises(PermissionDeniedError, match=rf"cannot write {home}/index/\S+: Read-only file system"):
        datasets.push(folder, name="others")
