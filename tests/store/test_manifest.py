"""A manifest that exists cannot lead outside of its folder, and its hash is that of the content."""

import os.path
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.store.manifest import Entry, Manifest, manifest_of
from orchestrator.store.paths import check_link, check_path

SHA = "0" * 64
names = st.text(st.sampled_from("ab./\\-\0é~"), min_size=0, max_size=12)


def file(path: str, **changes) -> Entry:
    return Entry(**{"path": path, "size": 1, "sha256": SHA, **changes})


@given(names)
@example("../x")
@example("/etc/passwd")
@example("a//b")
@example("a/./b")
@example("a/..")
@example("")
@example("..")
def test_a_path_that_passes_stays_below_its_folder(path):
    try:
        check_path(path)
    except ValueError:
        return
    assert not path.startswith("/")
    assert os.path.normpath(f"/top/{path}") == f"/top/{path}"
    assert path


@given(st.lists(st.sampled_from(["a", "b", "é", "..."]), min_size=1, max_size=4).map("/".join))
def test_ordinary_paths_pass(path):
    check_path(path)


def test_text_that_is_not_unicode_is_refused():
    with pytest.raises(ValueError, match="Unicode"):
        check_path("caf\udce9")


@given(names, st.lists(st.sampled_from(["..", ".", "a", "b", ""]), max_size=6).map("/".join))
@example("a/b", "../../x")
@example("a/b", "../x")
@example("l", "d/../../x")
def test_a_link_that_passes_stays_below_its_folder(path, target):
    try:
        check_path(path)
        check_link(path, target)
    except ValueError:
        return
    assert os.path.normpath(Path("/top", path).parent / target).startswith("/top")


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "", "a/../b", "x\0", "../../.."])
def test_links_that_leave_the_folder_are_refused(target):
    with pytest.raises(ValueError, match="link"):
        Entry(path="link", kind="symlink", target=target)


@pytest.mark.parametrize(
    "entries",
    [
        [file("a"), file("a")],
        [file("b"), file("a")],
        [file("a"), file("a/b")],
        [Entry(path="a", kind="symlink", target="b"), file("a/b")],
        [Entry(path="a", kind="symlink", target="b"), file("a/c/d")],
        [file("a"), file("a-b"), file("a/b")],
    ],
)
def test_contradictory_entries_are_refused(entries):
    with pytest.raises(ValueError, match="path"):
        Manifest(tuple(entries))


@given(st.lists(st.text(st.sampled_from("ab/.-"), min_size=1, max_size=8), unique=True))
def test_a_written_manifest_is_read_back(paths):
    try:
        manifest = manifest_of(file(path) for path in paths)
    except ValueError:
        return
    assert msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest) == manifest


@pytest.mark.parametrize(
    "entry",
    [
        {"path": "../x", "sha256": SHA},
        {"path": "/x", "sha256": SHA},
        {"path": "x", "sha256": "0"},
        {"path": "x", "size": -1, "sha256": SHA},
        {"path": "x"},
        {"path": "x", "kind": "symlink", "target": "../y"},
        {"path": "x", "kind": "device", "sha256": SHA},
        {"path": 3, "sha256": SHA},
    ],
)
def test_a_hostile_manifest_is_not_read(entry):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({"entries": [entry]}), type=Manifest)


def test_the_tree_hash_is_that_of_names_modes_and_contents():
    base = manifest_of([file("a"), Entry(path="l", kind="symlink", target="a"), Entry(path="z", kind="folder")])
    later = manifest_of([file("a", mtime_ns=5), *base.entries[1:]])
    assert base.tree_hash() == later.tree_hash()
    others = [
        [file("b"), *base.entries[1:]],
        [file("a", sha256="1" * 64), *base.entries[1:]],
        [file("a", executable=True), *base.entries[1:]],
        [file("a"), Entry(path="l", kind="symlink", target="z"), base.entries[2]],
        [file("a"), base.entries[1]],
    ]
    hashes = {manifest_of(entries).tree_hash() for entries in others}
    assert len(hashes) == len(others)
    assert base.tree_hash() not in hashes


def test_files_and_size_count_files_alone():
    manifest = manifest_of([file("a", size=3), file("b", size=4), Entry(path="z", kind="folder")])
    assert (manifest.files, manifest.size) == (2, 7)
