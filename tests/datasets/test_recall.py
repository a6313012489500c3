"""An unchanged folder is known without reading a manifest, and only then."""

import os
from pathlib import Path

import pytest

from orchestrator.store import open_store
from orchestrator.store.base import Store
from tests.store.trees import make_tree

AGED = 1_000_000_000  # seconds since the epoch


@pytest.fixture
def store(store_url: str) -> Store:
    return open_store(store_url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = make_tree(tmp_path / "data", {"a": "one", "b/c": "two", "empty/": None})
    for path in made.rglob("*"):
        os.utime(path, (AGED, AGED))
    return made


@pytest.fixture
def push(datasets, folder, store, monkeypatch):
    """Return a function that pushes, and tells whether that made a version and how many manifests it read."""
    read: list[str] = []
    real = type(store).get
    monkeypatch.setattr(type(store), "get", lambda self, key: read.append(key) or real(self, key))

    def act(**options: str) -> tuple[bool, int]:
        read.clear()
        created = datasets.push(folder, name="words", **options).created
        return created, sum(key.endswith("manifest.json") for key in read)

    return act


def test_an_unchanged_folder_is_known_by_its_stat(push):
    assert push() == (True, 0)
    assert push() == (False, 0)
    assert push(layout="plain") == (False, 0)


def test_a_change_that_keeps_size_and_time_is_seen(push, folder):
    push()
    (folder / "a").write_text("two")
    os.utime(folder / "a", (AGED, AGED))
    assert push() == (True, 1)
    assert push() == (False, 0)


@pytest.mark.parametrize("change", ["added", "removed", "renamed", "executable", "folder"])
def test_every_other_change_is_seen(push, folder, change):
    push()
    if change == "added":
        (folder / "z").write_text("")
    elif change == "removed":
        (folder / "b/c").unlink()
    elif change == "renamed":
        (folder / "a").rename(folder / "aa")
    elif change == "executable":
        (folder / "a").chmod(0o755)
    else:
        (folder / "empty").rmdir()
    assert push()[0]


def test_a_young_file_is_read_again(push, folder):
    (folder / "young").write_text("1")
    os.utime(folder / "young", (4 * AGED, 4 * AGED))
    push()
    assert push() == (False, 1)


def test_a_version_that_is_not_whole_is_not_trusted(push, datasets, store):
    push()
    store.put("datasets/words/V0001/damaged.json", b'{"paths": ["a"]}')
    assert push()[0]
    store.delete(["datasets/words/V0002/manifest.json"])
    assert push()[0]
    store.put("datasets/words/V0003/manifest.json", b"{}")
    assert push()[0]


def test_it_is_known_for_this_store_and_dataset_alone(push, datasets, folder):
    push()
    assert datasets.push(folder, name="others").created
