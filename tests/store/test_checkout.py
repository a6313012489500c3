"""What is below a prefix comes as a folder, and is fetched again only when it has changed."""

import os
import time

import pytest

from orchestrator.errors import NotFoundError, UsageError
from orchestrator.store import checkout, open_store
from orchestrator.store.archive import snapshot_code
from orchestrator.store.checkout import check_out
from tests.store.trees import make_tree, read_tree


@pytest.fixture
def prefix(store_url, tmp_path, monkeypatch):
    monkeypatch.setenv("MLCTL_CACHE", str(tmp_path / "cache"))
    store = open_store(f"{store_url}/team/train")
    for key in ("main.py", "src/model.py", "notes.tmp"):
        store.put(key, key.encode())
    open_store(store_url).put("team/trainer/other.py", b"")
    return store


def test_a_prefix_comes_as_a_folder(prefix):
    folder = check_out(prefix)
    assert folder.name == "train"
    assert read_tree(folder) == {key: key.encode() for key in ("main.py", "src/model.py", "notes.tmp")}


def test_what_is_unchanged_is_not_fetched_again(prefix, monkeypatch):
    folder = check_out(prefix)
    with monkeypatch.context() as patch:
        patch.setattr(type(prefix), "download", lambda *given, **options: pytest.fail("it was fetched again"))
        assert check_out(prefix) == folder
    prefix.put("main.py", b"changed")
    prefix.delete(["src/model.py"])
    later = check_out(prefix)
    assert read_tree(later) == {"main.py": b"changed", "notes.tmp": b"notes.tmp"}
    assert (folder / "src" / "model.py").exists()
    os.utime(folder.parent, (time.time() - 200_000, time.time() - 200_000))
    prefix.put("main.py", b"changed again")
    check_out(prefix)
    assert later.exists() and not folder.exists()


def test_a_broken_fetch_leaves_nothing(prefix, monkeypatch):
    download = type(prefix).download

    def fail(self, key, path, **options):
        if key == "src/model.py":
            raise NotFoundError("gone")
        download(self, key, path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(prefix), "download", fail)
        with pytest.raises(NotFoundError, match="1 file failed"):
            check_out(prefix)
    assert len(read_tree(check_out(prefix))) == 3


def test_what_cannot_be_code_is_refused(prefix, store_url, monkeypatch):
    with pytest.raises(NotFoundError, match=r"there is nothing below .*/team/none/"):
        check_out(open_store(f"{store_url}/team/none"))
    monkeypatch.setattr(checkout, "LARGEST", 10)
    with pytest.raises(UsageError, match="too much for code"):
        check_out(prefix)


def test_the_snapshot_is_that_of_the_same_folder_elsewhere(prefix, tmp_path):
    prefix.put(".mlctlignore", b"*.tmp\n")
    make_tree(tmp_path / "cache", {".git/HEAD": "", ".gitignore": "*.py\n"})
    same = make_tree(tmp_path / "same", {"main.py": "main.py", "src/model.py": "src/model.py"})
    assert snapshot_code(check_out(prefix), alone=True).sha256 == snapshot_code(same, alone=True).sha256
