"""What belongs to a folder's code or data, and what is said about the rest."""

import multiprocessing
import os
import socket
import tempfile
from pathlib import Path

import pytest

from orchestrator.errors import NotFoundError, UsageError
from orchestrator.store.scan import scan_code, scan_data
from tests.store.trees import make_tree


def paths(scan) -> list[str]:
    return [found.path for found in scan.found]


def reasons(scan) -> dict[str, str]:
    return {skipped.path: skipped.reason for skipped in scan.skipped}


def test_everything_found_is_described(tmp_path):
    folder = make_tree(tmp_path / "code", {"b/train.py": "12345", "a.txt": "1", "empty/": None})
    (folder / "a.txt").chmod(0o755)
    scan = scan_code(folder)
    assert paths(scan) == ["a.txt", "b/train.py", "empty"]
    first, second, third = scan.found
    assert (first.kind, first.size, first.executable) == ("file", 1, True)
    assert (second.size, second.executable) == (5, False)
    assert second.mtime_ns == (folder / "b/train.py").stat().st_mtime_ns
    assert third.kind == "folder"
    assert scan.size == 6
    assert [found.path for found in scan.largest(1)] == ["b/train.py"]


def test_code_honours_both_kinds_of_ignore_files_and_data_one(tmp_path):
    tree = {
        ".gitignore": "*.log\n",
        ".mlctlignore": "big/\n!keep.log\n",
        "a.log": "",
        "keep.log": "",
        "big/x": "",
        "c": "",
    }
    folder = make_tree(tmp_path / "tree", tree)
    code = scan_code(folder)
    assert paths(code) == [".gitignore", "c", "keep.log"]
    assert reasons(code)["a.log"] == "rule *.log in .gitignore"
    assert reasons(code)["big"] == "rule big/ in .mlctlignore"
    assert paths(scan_data(folder)) == [".gitignore", "a.log", "c", "keep.log"]


def test_a_nested_ignore_file_is_named_with_its_folder(tmp_path):
    folder = make_tree(tmp_path / "tree", {"d/.mlctlignore": "x\n", "d/x": "", "x": ""})
    assert paths(scan_data(folder)) == ["x"]
    assert reasons(scan_data(folder))["d/x"] == "rule x in d/.mlctlignore"


def test_what_no_one_wants_is_always_ignored(tmp_path):
    folder = make_tree(tmp_path / "tree", {".git/config": "", "a/__pycache__/a.pyc": "", ".DS_Store": "", "a/a.py": ""})
    for scan in (scan_code(folder), scan_data(folder)):
        assert paths(scan) == ["a/a.py"]
        assert reasons(scan) == dict.fromkeys([".git", "a/__pycache__", ".DS_Store"], "always ignored")


def test_sockets_pipes_and_names_that_are_not_utf8_are_reported(tmp_path, monkeypatch):
    folder = make_tree(tmp_path / "tree", {"a": "", "né": ""})
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(folder)  # the address of a socket is short
        server.bind("socket")
    (folder / os.fsdecode(b"caf\xe9")).write_text("x")
    Path(os.fsdecode(os.fsencode(folder) + b"/d\xff")).mkdir()
    for scan in (scan_code(folder), scan_data(folder)):
        assert paths(scan) == ["a", "né"]
        assert reasons(scan) == {
            "pipe": "neither a file nor a folder",
            "socket": "neither a file nor a folder",
            "caf\\udce9": "its name is not UTF-8",
            "d\\udcff": "its name is not UTF-8",
        }


def scan_as_nobody(folder: Path, answer) -> None:
    os.setuid(65534)
    answer.put(reasons(scan_data(folder)))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_what_cannot_be_read_is_reported():
    fork = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as place:
        folder = make_tree(Path(place), {"a": "", "closed/x": "", "secret": ""})
        for name, mode in ((".", 0o755), ("closed", 0o700), ("secret", 0o600)):
            (folder / name).chmod(mode)
        answer = fork.Queue()
        child = fork.Process(target=scan_as_nobody, args=(folder, answer))
        child.start()
        told = "cannot be read: Permission denied"
        assert answer.get(timeout=60) == {"closed": told, "secret": told}
        child.join()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_link_that_cannot_be_read_is_reported():
    fork = multiprocessing.get_context("fork")
    answer = fork.Queue()
    child = fork.Process(target=scan_as_nobody, args=(Path("/proc/1"), answer))
    child.start()
    assert "Permission denied" in answer.get(timeout=60)["cwd"]
    child.join()


def test_code_keeps_links_that_stay_inside(tmp_path):
    folder = make_tree(tmp_path / "tree", {"d/a": "", "outside": ""})
    (folder / "d/up").symlink_to("../outside")
    (folder / "dir").symlink_to("d")
    (folder / "dangling").symlink_to("./nothing")
    (folder / "leaves").symlink_to("../other")
    (folder / "absolute").symlink_to(folder / "d")
    scan = scan_code(folder)
    assert {found.path: found.target for found in scan.found if found.kind == "symlink"} == {
        "d/up": "../outside", "dir": "d", "dangling": "./nothing",
    }  # fmt: skip
    assert reasons(scan)["leaves"] == "a link to ../other, outside the folder"
    assert "absolute" in reasons(scan)


def test_data_follows_links_but_not_in_circles(tmp_path):
    make_tree(tmp_path / "disk", {"images/1.png": "11", "labels.csv": "1"})
    folder = make_tree(tmp_path / "data", {"own": ""})
    (folder / "images").symlink_to(tmp_path / "disk/images")
    (folder / "labels.csv").symlink_to("../disk/labels.csv")
    (folder / "broken").symlink_to("nothing")
    (folder / "itself").symlink_to(".")
    (folder / "above").symlink_to(tmp_path)
    scan = scan_data(folder)
    assert {"images/1.png", "labels.csv", "own"} <= set(paths(scan))
    assert all(found.kind == "file" for found in scan.found)
    assert "No such file" in reasons(scan)["broken"]
    assert reasons(scan)["itself"] == "a link to a folder above it"
    assert reasons(scan)["above/data"] == "a link to a folder above it"


def test_a_folder_of_ignored_files_is_not_an_empty_one(tmp_path):
    assert paths(scan_code(make_tree(tmp_path / "tree", {"a/__pycache__/x": "", "b/": None}))) == ["b"]


def test_missing_folders_and_files_in_their_place_are_named(tmp_path):
    with pytest.raises(NotFoundError, match=str(tmp_path / "no")):
        scan_code(tmp_path / "no")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="not a folder"):
        scan_data(tmp_path / "file")


def test_ten_thousand_files_are_scanned(tmp_path):
    folder = make_tree(
        tmp_path / "tree", {f"{n % 100}/{n}": "" for n in range(10_000)} | {".mlctlignore": "*.pyc\nx/\n/y"}
    )
    assert len(scan_data(folder).files) == 10_000
