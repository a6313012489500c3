"""Code goes into one archive per content and comes out as it was, or not at all."""

import gzip
import io
import os
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from orchestrator.errors import ConflictError, NotFoundError, StoreError
from orchestrator.store import open_store
from orchestrator.store.archive import extract_code, snapshot_code, store_code
from orchestrator.store.base import CorruptObjectError, ObjectNotFoundError, Store, list_objects
from orchestrator.store.file import FileStore
from tests.store.trees import make_tree, read_tree

LONG = "/".join(["verylongname" * 5] * 4) + "/é.py"
TREE = {
    "train.py": "print(1)",
    "run.sh": "#!/bin/sh",
    "übung/ñ.txt": "ü",
    "logs/": None,
    LONG: "x",
    ".gitignore": "*.bin",
    "data.bin": "ignored",
}
DAMAGES = {
    "cut off": lambda data: data[: len(data) // 2],
    "no archive": lambda data: b"x" + data[1:],
    "zeros inside": lambda data: data[:40] + bytes(40) + data[80:],
}


@pytest.fixture
def store(store_url: str) -> Store:
    return open_store(store_url)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = make_tree(tmp_path / "code", TREE)
    (folder / "run.sh").chmod(0o755)
    (folder / "latest.py").symlink_to("train.py")
    (folder / "übung/up").symlink_to("../logs")
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def hostile(store: Store, *members: tuple[tarfile.TarInfo, bytes]) -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    key = f"code/{'0' * 64}.tar.gz"
    store.put(key, buffer.getvalue())
    return key


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    made.linkname = target
    return made


def test_code_comes_out_as_it_went_in(store, code, tmp_path):
    snapshot = snapshot_code(code)
    assert list(list_objects(store, "")) == []
    key = store_code(store, snapshot)
    extract_code(store, key, tmp_path / "job/code")
    expected = read_tree(code)
    del expected["data.bin"]
    assert read_tree(tmp_path / "job/code") == expected
    assert os.access(tmp_path / "job/code/run.sh", os.X_OK)
    assert not os.access(tmp_path / "job/code/train.py", os.X_OK)
    assert [path.name for path in (tmp_path / "job").iterdir()] == ["code"]
    assert snapshot_code(tmp_path / "job/code").sha256 == snapshot.sha256


def test_a_snapshot_tells_what_a_plan_shows(code):
    snapshot = snapshot_code(code)
    assert (snapshot.files, snapshot.size) == (5, 8 + 9 + 2 + 1 + 5)
    assert snapshot.largest[0].path == "run.sh"
    assert [(skipped.path, skipped.reason) for skipped in snapshot.skipped] == [
        ("data.bin", "rule *.bin in .gitignore")
    ]
    assert (snapshot.git_commit, snapshot.git_dirty) == (None, False)


def test_the_same_content_is_stored_once_with_the_same_bytes(store, code, tmp_path):
    first = snapshot_code(code)
    key = store_code(store, first)
    before = store.get(key)
    for path in code.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    assert store_code(store, snapshot_code(code)) == key
    assert store.get(key).etag == before.etag
    other = FileStore(tmp_path / "other")
    store_code(other, snapshot_code(code))
    assert other.get(key).data == before.data


@pytest.mark.parametrize("change", ["content", "mode", "link", "name", "folder"])
def test_any_change_is_another_archive(code, change):
    before = snapshot_code(code).sha256
    if change == "content":
        (code / "train.py").write_text("print(2)")
    elif change == "mode":
        (code / "train.py").chmod(0o755)
    elif change == "link":
        (code / "latest.py").unlink()
        (code / "latest.py").symlink_to("run.sh")
    elif change == "name":
        (code / "train.py").rename(code / "train2.py")
    else:
        (code / "logs").rmdir()
    assert snapshot_code(code).sha256 != before


@pytest.mark.parametrize("content", ["print(22)", "print(2)", "p"])
def test_code_that_changed_since_the_snapshot_is_refused(store, code, content):
    snapshot = snapshot_code(code)
    (code / "train.py").write_text(content)
    if content == "print(22)":  # longer: what the snapshot saw is no longer there
        (code / "train.py").write_text("PRINT(22)")
    with pytest.raises(ConflictError, match=r"train\.py changed"):
        store_code(store, snapshot)
    assert store.head(snapshot.key) is None


def test_code_that_vanished_since_the_snapshot_is_named(store, code):
    snapshot = snapshot_code(code)
    (code / "train.py").unlink()
    with pytest.raises(StoreError, match=r"train\.py"):
        store_code(store, snapshot)


def test_missing_code_is_named(tmp_path, store):
    with pytest.raises(NotFoundError, match="no folder"):
        snapshot_code(tmp_path / "no")
    with pytest.raises(ObjectNotFoundError):
        extract_code(store, "code/no.tar.gz", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_commit_and_dirty_flag(code):
    git(code, "init", "-q")
    assert snapshot_code(code).git_commit is None
    git(code, "add", ".")
    git(code, "commit", "-q", "-m", "first")
    head = git(code, "rev-parse", "HEAD")
    clean = snapshot_code(code)
    assert (clean.git_commit, clean.git_dirty) == (head, False)
    (code / "new.py").write_text("x")
    assert snapshot_code(code).git_dirty
    (code / "new.py").unlink()
    (code / "train.py").write_text("x")
    assert snapshot_code(code).git_dirty
    inner = snapshot_code(code / "übung")
    assert (inner.git_commit, inner.git_dirty) == (head, False)  # only the folder itself counts


def test_a_missing_or_slow_git_is_no_error(code, tmp_path, monkeypatch):
    (code / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert snapshot_code(code).git_commit is None
    slow = make_tree(tmp_path / "bin", {"git": "#!/bin/sh\nexec /bin/sleep 60\n"})
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(slow))
    monkeypatch.setattr("orchestrator.store.git.TIMEOUT", 0.2)
    before = time.monotonic()
    assert snapshot_code(code).git_commit is None
    assert time.monotonic() - before < 40


@pytest.mark.parametrize(
    "members",
    [
        [(member("../evil"), b"x")],
        [(member("/tmp/evil-of-mlctl"), b"x")],
        [(member("a/../../evil"), b"x")],
        [(member("l", tarfile.SYMTYPE, "../outside"), b"")],
        [(member("l", tarfile.SYMTYPE, "/etc"), b"")],
        [(member("l", tarfile.SYMTYPE, "."), b""), (member("l/../../evil"), b"x")],
        [(member("d", tarfile.DIRTYPE), b""), (member("l", tarfile.SYMTYPE, "d"), b""), (member("l/evil"), b"x")],
        [(member("h", tarfile.LNKTYPE, "/etc/passwd"), b"")],
        [(member("dev", tarfile.CHRTYPE), b"")],
        [(member("pipe", tarfile.FIFOTYPE), b"")],
        [(member("a"), b"x"), (member("a"), b"y")],
        [(member("a"), b"x"), (member("a/b"), b"y")],
        [(member("innocent"), b"but not what the key says")],
    ],
)
def test_a_hostile_archive_leaves_nothing_behind(store, tmp_path, members):
    place = make_tree(tmp_path / "place", {"outside/x": "mine"})
    before = read_tree(place)
    with pytest.raises((CorruptObjectError, StoreError)):
        extract_code(store, hostile(store, *members), place / "job/code")
    after = read_tree(place)
    after.pop("job/", None)
    assert after == before
    assert not Path("/tmp/evil-of-mlctl").exists()


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_archive_is_named(store, code, tmp_path, damage):
    key = store_code(store, snapshot_code(code))
    store.put(key, damage(store.get(key).data))
    with pytest.raises(CorruptObjectError, match=key):
        extract_code(store, key, tmp_path / "job/code")
    assert not (tmp_path / "job/code").exists()


def test_a_changed_archive_is_named(store, code, tmp_path):
    key = store_code(store, snapshot_code(code))
    data = gzip.decompress(store.get(key).data).replace(b"print(1)", b"print(2)")
    store.put(key, gzip.compress(data))
    with pytest.raises(CorruptObjectError, match="hash"):
        extract_code(store, key, tmp_path / "job/code")


def test_a_folder_in_use_is_not_touched(store, code, tmp_path):
    key = store_code(store, snapshot_code(code))
    make_tree(tmp_path / "used", {"x": "mine"})
    with pytest.raises(ConflictError, match="not empty"):
        extract_code(store, key, tmp_path / "used")
    (tmp_path / "empty").mkdir()
    extract_code(store, key, tmp_path / "empty")
    assert (tmp_path / "empty/train.py").exists()


def test_a_full_disk_while_unpacking_is_named(store, code, small_disk):
    (code / "big").write_bytes(bytes(2 << 20))
    key = store_code(store, snapshot_code(code))
    disk = small_disk("size=1m")
    with pytest.raises(StoreError, match="No space left"):
        extract_code(store, key, disk / "code")
    assert list(disk.iterdir()) == []
