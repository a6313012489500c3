"""Packed datasets: the same trees, versions, resumption and repair as plain ones, in few objects."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.datasets import Datasets, layout
from orchestrator.datasets.versions import packs_prefix
from orchestrator.errors import NotFoundError, StoreError, UsageError
from orchestrator.store import open_store, pack, unpack
from orchestrator.store.base import CorruptObjectError, Store, list_objects
from orchestrator.store.unpack import ATTEMPTS
from tests.store.trees import make_tree, read_tree

PACKS = packs_prefix("words")
SIZE = 2000  # bytes of a file


@pytest.fixture
def store(store_url: str) -> Store:
    return open_store(store_url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder of 200 small files, which has been at rest for long."""
    made = make_tree(tmp_path / "data", {f"{n // 50}/{n:03}": random.Random(n).randbytes(SIZE) for n in range(200)})
    make_tree(made, {"empty/": None})
    for path in made.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "PAUSE", 0)


def sizes(store: Store) -> dict[str, int]:
    return {item.key: item.size for item in list_objects(store, PACKS)}


def push(datasets: Datasets, folder: Path, **options: Any):
    return datasets.push(folder, name="words", **{"layout": "packed", **options})


def test_a_packed_version_comes_back_as_it_was(datasets, store, folder, tmp_path):
    result = push(datasets, folder)
    assert (result.created, result.sent, result.copied, result.files) == (True, 200, 0, 200)
    assert (result.version.layout, result.version.layout_asked) == ("packed", True)
    (key,) = sizes(store)
    keys = {item.key.removeprefix("datasets/words/") for item in list_objects(store, "")}
    assert keys == {
        "V0001/claim.json",
        "V0001/manifest.json",
        "V0001/dataset.json",
        key.removeprefix("datasets/words/"),
    }
    assert datasets.pull("words", None, tmp_path / "back") == result.version
    assert read_tree(tmp_path / "back") == read_tree(folder)
    assert datasets.verify("words").files == 200
    lines = store.get(result.version.manifest_key).data.decode().splitlines()
    assert sum('"path":"0/003"' in line and '"pack":0,"offset":' in line for line in lines) == 1


def test_many_small_files_are_packed_and_few_are_not(datasets, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "MANY", 100)
    assert push(datasets, folder, layout="auto").version.layout == "packed"
    shutil.rmtree(folder / "0"), shutil.rmtree(folder / "1"), shutil.rmtree(folder / "2")
    assert push(datasets, folder, layout="auto").version.layout == "plain"
    assert push(datasets, folder, layout="packed").version.layout == "packed"
    (folder / "new").write_text("x")
    assert push(datasets, folder, layout="auto").version.layout == "packed"  # it was asked for
    for number in range(1, 5):
        datasets.pull("words", number, tmp_path / f"{number}")
    assert read_tree(tmp_path / "4") == read_tree(folder)
    assert read_tree(tmp_path / "2") == read_tree(tmp_path / "3")


def test_another_layout_of_the_same_content_is_a_version(datasets, store, folder):
    first = push(datasets, folder, layout="plain").version
    again = push(datasets, folder)
    assert (again.created, again.version.version, again.version.sha256) == (True, "V0002", first.sha256)
    assert not push(datasets, folder).created
    assert not push(datasets, folder, layout="auto").created
    assert push(datasets, folder, layout="plain").version.version == "V0003"
    assert [datasets.verify("words", number).files for number in (1, 2, 3)] == [200, 200, 200]


def test_a_version_with_little_change_sends_little(datasets, store, folder, tmp_path):
    push(datasets, folder)
    before = sum(sizes(store).values())
    (folder / "0/001").write_bytes(b"changed" * 300)
    (folder / "3/199").write_bytes(random.Random(999).randbytes(SIZE))
    result = push(datasets, folder)
    assert (result.version.version, result.sent, result.copied) == ("V0002", 2, 198)
    assert sum(sizes(store).values()) < before + 2 * (2100 + 1024) + 1024
    for number in (1, 2):
        assert datasets.verify("words", number).files == 200
    datasets.pull("words", 2, tmp_path / "back")
    assert read_tree(tmp_path / "back") == read_tree(folder)


def test_renamed_and_doubled_files_are_not_sent(datasets, store, folder, home):
    push(datasets, folder)
    (folder / "0").rename(folder / "renamed")
    shutil.copytree(folder / "1", folder / "copied")
    shutil.rmtree(home / "index")  # as on another machine
    before = sizes(store)
    result = push(datasets, folder)
    assert (result.sent, result.copied, result.files) == (0, 250, 250)
    assert sizes(store) == before
    assert datasets.verify("words").files == 250


def test_content_of_earlier_versions_is_not_sent_again(datasets, store, folder, tmp_path):
    push(datasets, folder)
    shutil.copytree(folder / "0", tmp_path / "aside")
    shutil.rmtree(folder / "0")
    push(datasets, folder)
    shutil.copytree(tmp_path / "aside", folder / "back")
    assert push(datasets, folder).sent == 0


def test_a_little_that_earlier_versions_may_have_is_not_worth_looking_for(datasets, store, folder):
    push(datasets, folder)
    content = (folder / "0/001").read_bytes()
    (folder / "0/001").write_text("x")
    push(datasets, folder)
    (folder / "0/001").write_bytes(content)
    assert push(datasets, folder).sent == 1


def test_large_files_are_copied_inside_the_store(datasets, store, folder, monkeypatch):
    monkeypatch.setattr(pack, "PACKED", 2 * SIZE)
    (folder / "large").write_bytes(os.urandom(3 * SIZE))
    assert push(datasets, folder).sent == 201
    (folder / "0/001").write_text("new")
    result = push(datasets, folder)
    assert (result.sent, result.copied) == (1, 200)
    assert store.get("datasets/words/V0002/files/large").data == (folder / "large").read_bytes()
    assert datasets.verify("words").files == 201


SLOW_PUSH = """
import itertools, sys, time
from pathlib import Path
from orchestrator.datasets import Datasets
from orchestrator.store import open_store, pack
pack.PACK = 30_000
store = open_store(sys.argv[1])
upload, count = store.upload, itertools.count()
def slowly(key, source, **options):
    time.sleep(0.1 if next(count) < 10 else 600)
    return upload(key, source, **options)
store.upload = slowly
Datasets(store).push(Path(sys.argv[2]), name="words", layout="packed")
"""


def kill_when(store: Store, url: str, folder: Path, packs: int) -> dict[str, int]:
    """Push, kill -9 when so many packs are there, and return them."""
    child = subprocess.Popen([sys.executable, "-c", SLOW_PUSH, url, folder])
    try:
        deadline = time.monotonic() + 60
        while len(sizes(store)) < packs and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    return sizes(store)


def test_a_killed_push_goes_on_with_what_it_has_sent(datasets, store, store_url, folder, monkeypatch):
    monkeypatch.setattr(pack, "PACK", 30_000)
    there = kill_when(store, store_url, folder, 4)
    assert 4 <= len(there) < 18
    with pytest.raises(NotFoundError):
        datasets.get("words")
    result = push(datasets, folder)
    assert result.version.version == "V0001"
    # Packs whose note was not written any more are read anew, but not sent.
    assert result.sent <= 200 - 11 * (len(there) - 4)
    assert sizes(store).keys() > there.keys()
    assert datasets.verify("words").files == 200


def test_a_killed_push_whose_notes_are_lost_does_not_send_the_same_packs(
    datasets, store, store_url, folder, home, monkeypatch
):
    monkeypatch.setattr(pack, "PACK", 30_000)
    there = {key: store.head(key).etag for key in kill_when(store, store_url, folder, 4)}
    shutil.rmtree(home / "index")
    push(datasets, folder)
    assert there.items() <= {item.key: item.etag for item in list_objects(store, PACKS)}.items()
    assert datasets.verify("words").files == 200


def test_a_file_that_changed_after_the_kill_is_sent_anew(datasets, store, store_url, folder, tmp_path):
    kill_when(store, store_url, folder, 3)
    (folder / "0/000").write_text("changed")
    push(datasets, folder)
    datasets.pull("words", None, tmp_path / "back")
    assert read_tree(tmp_path / "back") == read_tree(folder)


def test_a_pack_that_vanishes_during_the_push_makes_no_version(datasets, store, folder, monkeypatch):
    push(datasets, folder)
    (folder / "0/001").write_text("new")
    (old,) = sizes(store)
    real = type(store).upload

    def meddle(self, key, source, **options):
        self.delete([old])
        return real(self, key, source, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "upload", meddle)
        with pytest.raises(StoreError, match="1 packs of words vanished"):
            push(datasets, folder)
    assert datasets.get("words").version == "V0001"
    result = push(datasets, folder)  # it sees what is gone
    assert (result.version.version, result.sent) == ("V0002", 199)
    assert datasets.verify("words").files == 200


def damage(store: Store, key: str, offset: int) -> None:
    data = bytearray(store.get(key).data)
    data[offset] ^= 255
    store.put(key, bytes(data))


def test_damage_is_told_per_file_and_mended_by_the_next_push(datasets, store, folder, tmp_path):
    version = push(datasets, folder).version
    entries = {entry.path: entry for entry in datasets.manifest(version).entries}
    (key,) = sizes(store)
    for path in ("0/010", "3/160"):
        damage(store, key, entries[path].offset + 99)
    with pytest.raises(CorruptObjectError) as caught:
        datasets.verify("words")
    for text in ("2 files failed", f"0/010: its bytes in {key} are damaged", "3/160: its bytes"):
        assert text in caught.value.message
    with pytest.raises(CorruptObjectError, match="2 files failed"):
        datasets.pull("words", None, tmp_path / "back")
    assert len(read_tree(tmp_path / "back")) == 199
    result = push(datasets, folder)
    assert (result.created, result.version.version, result.sent, result.copied) == (True, "V0002", 2, 198)
    assert datasets.verify("words").files == 200
    assert not push(datasets, folder).created
    (folder / "more").write_text("x")
    assert push(datasets, folder).sent == 1
    assert datasets.verify("words").files == 201


def test_a_pack_that_is_lost_or_wholly_damaged_is_sent_again_and_all_versions_are_whole(datasets, store, folder):
    push(datasets, folder)
    ((key, size),) = sizes(store).items()
    for spoil in (lambda: store.delete([key]), lambda: store.put(key, bytes(size))):
        spoil()
        with pytest.raises(CorruptObjectError, match="200 files failed"):
            datasets.verify("words")
        result = push(datasets, folder)
        assert (result.created, result.sent) == (True, 200)
        assert sizes(store) == {key: size}
        for version in datasets.versions("words"):
            assert datasets.verify("words", version.number).files == 200


def test_a_missing_pack_is_missed_also_when_nobody_verified(datasets, store, folder):
    push(datasets, folder)
    store.delete(sizes(store))
    (folder / "0/001").write_text("new")
    assert push(datasets, folder).sent == 200
    assert datasets.verify("words").files == 200


PUSH = """
import sys
from pathlib import Path
from orchestrator.datasets import Datasets
from orchestrator.store import open_store
print(Datasets(open_store(sys.argv[1])).push(Path(sys.argv[2]), name="words", layout="packed").version.number)
"""


def test_pushes_of_the_same_content_at_once_are_versions_of_their_own(datasets, store, store_url, folder, tmp_path):
    folders = [tmp_path / "many" / f"{number}" for number in range(4)]
    for number, one in enumerate(folders):
        shutil.copytree(folder, one)
        make_tree(one, {"mine": f"{number}"})
    command = [sys.executable, "-c", PUSH, store_url]
    children = [subprocess.Popen([*command, one], stdout=subprocess.PIPE, text=True) for one in folders]
    assert sorted(int(child.communicate(timeout=300)[0]) for child in children) == [1, 2, 3, 4]
    for version in datasets.versions("words"):
        datasets.verify("words", version.number)
        datasets.pull("words", version.number, tmp_path / "out" / version.version)
        mine = (tmp_path / "out" / version.version / "mine").read_text()
        assert read_tree(tmp_path / "out" / version.version) == read_tree(folders[int(mine)])


def test_a_broken_pull_goes_on(datasets, store, folder, tmp_path, monkeypatch):
    push(datasets, folder)
    datasets.pull("words", None, tmp_path / "back")
    shutil.rmtree(tmp_path / "back/2")
    fetched: list[int] = []
    real = type(store).get_range
    monkeypatch.setattr(type(store), "get_range", lambda self, key, *at: fetched.append(at[1]) or real(self, key, *at))
    datasets.pull("words", None, tmp_path / "back")
    assert read_tree(tmp_path / "back") == read_tree(folder)
    assert sum(fetched) < 50 * (SIZE + 600)


@pytest.mark.parametrize("how", ["plain", "packed"])
def test_single_files_are_listed_and_read(datasets, store, folder, how):
    make_tree(folder, {"zero": "", "0/+ü %#": "odd"})
    push(datasets, folder, layout=how)
    top = [(one.path, one.kind, one.files, one.size) for one in datasets.ls("words")]
    assert top == [
        ("0/", "folder", 51, 50 * SIZE + 3), *((f"{n}/", "folder", 50, 50 * SIZE) for n in (1, 2, 3)),
        ("empty/", "folder", 0, 0), ("zero", "file", 1, 0),
    ]  # fmt: skip
    assert [one.path for one in datasets.ls("words", None, "0/")][:2] == ["0/+ü %#", "0/000"]
    assert [one.path for one in datasets.ls("words", 1, "2/100")] == ["2/100"]
    assert datasets.ls("words", "v1", "empty") == []
    for path in ("2/100", "0/+ü %#", "zero"):
        assert b"".join(datasets.cat("words", None, path)) == (folder / path).read_bytes()
    with pytest.raises(NotFoundError, match="no 2/10x") as caught:
        datasets.cat("words", None, "2/10x")
    assert caught.value.hint.startswith("did you mean 2/1")
    with pytest.raises(NotFoundError):
        datasets.ls("words", None, "nothing")
    with pytest.raises(UsageError, match="2 of dataset://words@v1 is a folder"):
        datasets.cat("words", None, "2")


@pytest.mark.parametrize("how", ["plain", "packed"])
def test_nothing_of_a_damaged_file_is_given(datasets, store, folder, how):
    version = push(datasets, folder, layout=how).version
    entry = next(entry for entry in datasets.manifest(version).entries if entry.path == "2/100")
    damage(store, *((version.prefix + "2/100", 5) if how == "plain" else (*sizes(store), entry.offset + 5)))
    given = []
    with pytest.raises(CorruptObjectError, match="damaged"):
        given += datasets.cat("words", None, "2/100")
    assert given == []
    store.delete([version.prefix + "2/100", *sizes(store)])
    with pytest.raises(CorruptObjectError, match="missing"):
        list(datasets.cat("words", None, "2/100"))


def test_reading_one_file_fetches_little(datasets, store, folder, monkeypatch):
    push(datasets, folder)
    fetched: list[int] = []
    real = type(store).get_range
    monkeypatch.setattr(type(store), "get_range", lambda self, key, *at: fetched.append(at[1]) or real(self, key, *at))
    assert b"".join(datasets.cat("words", None, "3/180")) == (folder / "3/180").read_bytes()
    assert fetched == [SIZE] and ATTEMPTS > 1


@pytest.mark.parametrize("how", ["plain", "packed"])
def test_bandwidth_is_limited(datasets, folder, tmp_path, how):
    make_tree(folder, {f"more/{n}": os.urandom(200_000) for n in range(5)})
    begun = time.monotonic()
    push(datasets, folder, layout=how, bandwidth=2_000_000)
    pushed = time.monotonic() - begun
    datasets.pull("words", None, tmp_path / "back", bandwidth=2_000_000)
    assert pushed > 0.6 and time.monotonic() - begun - pushed > 0.6  # 1.4 MB
    assert read_tree(tmp_path / "back") == read_tree(folder)


HUNDRED_THOUSAND = """
import os, sys
from pathlib import Path
from orchestrator.datasets import Datasets
from orchestrator.store.file import FileStore
disk = Path(sys.argv[1])
data = disk / "data"
data.mkdir()
for number in range(100_000):
    descriptor = os.open(f"{data}/{number:06}", os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, b"%06d" % number * 10)
    os.close(descriptor)
datasets = Datasets(FileStore(disk / "store"))
result = datasets.push(data, name="words")
assert (result.sent, result.version.layout) == (100_000, "packed")
datasets.pull("words", None, disk / "back")
assert len(os.listdir(disk / "back")) == 100_000
assert (disk / "back/054321").read_bytes() == b"054321" * 10
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])  # the peak of this program alone
"""


@pytest.mark.journey
def test_a_hundred_thousand_files_in_one_folder_need_little_memory(small_disk):
    disk = small_disk("size=2g")
    done = subprocess.run([sys.executable, "-c", HUNDRED_THOUSAND, disk], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < 300e6  # measured: 250 MB
