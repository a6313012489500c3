"""Small files go into packs and come back: as they were, once per content, and never outside of their folder."""

import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import StoreError, UsageError
from orchestrator.store import contents, open_store, pack, unpack
from orchestrator.store.base import CorruptObjectError, Store, list_objects
from orchestrator.store.file import FileStore
from orchestrator.store.index import PackNotes
from orchestrator.store.manifest import PACKED_LIMIT, Entry, Manifest, encode_manifest
from orchestrator.store.pack import Packing, Place
from orchestrator.store.rate import Meter, Rate
from orchestrator.store.scan import scan_data
from orchestrator.store.transfer import download_tree, upload_tree
from orchestrator.store.unpack import spans_of
from tests.store.test_transfer import Recorder
from tests.store.trees import make_tree, read_tree

LONG = "/".join(["long" * 10] * 24)  # nearly a thousand characters
ODD = {
    "a": "one", "d/b": b"\0\xff" * 500, "d/é ö.txt": "three", "leer/": None, "zero": "", "+#%": "x", "%41 b+c": "y",
    LONG: "deep", "tab\there": "t", "new\nline": "n", "d/日本語": "", "~$'\"\\": "q", "-rf": "r",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "folder", ODD)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "store")


def present(store: Store) -> set[str]:
    return {item.key for item in list_objects(store, "packs/")}


def push(store: Store, folder: Path, places: dict[str, Place] | None = None, **options) -> tuple[Manifest, dict]:
    how: dict[str, str] = {}
    notes = PackNotes(store, "packs/", folder)
    packing = Packing(store, "packs/", places=places or {}, whole=present(store), notes=notes)
    manifest = upload_tree(
        store, "t/", folder, packing=packing, on_file=lambda found, sha, seen, one: how.update({found.path: one}),
        **{"scan": scan_data(folder), **options},
    )  # fmt: skip
    return manifest, how


def places_of(manifest: Manifest) -> dict[str, Place]:
    return {e.sha256: Place(manifest.packs[e.pack], e.offset) for e in manifest.entries if e.pack is not None}


def test_a_tree_comes_back_as_it_was(store_url, folder, tmp_path):
    store = open_store(store_url)
    (folder / "a").chmod(0o755)
    os.utime(folder / "a", ns=(1, 1_234_567_890_123_456_789))
    manifest, how = push(store, folder)
    assert set(how.values()) <= {"sent", "copied"} and len(how) == len(ODD) - 1
    (key,) = manifest.packs
    assert [item.key for item in list_objects(store, "")] == [key]
    decoded = msgspec.json.decode(encode_manifest(manifest), type=Manifest)
    assert decoded == manifest
    for _ in range(2):
        download_tree(store, "t/", decoded, tmp_path / "back")
        assert read_tree(tmp_path / "back") == read_tree(folder)
    assert os.access(tmp_path / "back/a", os.X_OK) and not os.access(tmp_path / "back/d/b", os.X_OK)
    assert (tmp_path / "back/a").stat().st_mtime_ns == 1_234_567_890_123_456_789


def test_a_pack_is_an_archive_that_tar_opens(store, folder, tmp_path):
    (folder / "leer").rmdir()
    manifest, _ = push(store, folder)
    out = tmp_path / "out"
    out.mkdir()
    archive = tmp_path / "store" / manifest.packs[0]
    done = subprocess.run(["tar", "-xf", archive, "-C", out], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    twin = {"d/日本語"}  # empty, as `zero` after it is
    assert {**read_tree(out), "zero": b""} == {**read_tree(folder)} and twin <= set(read_tree(out))


NAMES = st.text(st.sampled_from("abé +#%.-\\\t"), min_size=1, max_size=6).filter(lambda name: name not in (".", ".."))
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join),
    st.one_of(st.none(), st.binary(max_size=40), st.integers(1, 3000).map(lambda size: b"x" * size)),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(TREES, TREES, st.sampled_from([1500, 4000, 1 << 20]), st.sampled_from([1, 700, 1 << 20]))
def test_any_tree_comes_back(first, second, pack_size, read_size):
    with (
        tempfile.TemporaryDirectory() as scratch,
        mock.patch.object(pack, "PACK", pack_size),
        mock.patch.object(pack, "PACKED", 2000),
        mock.patch.object(unpack, "READ", read_size),
        mock.patch.object(unpack, "GAP", read_size // 2),
    ):
        store = FileStore(Path(scratch, "store"))
        places: dict[str, Place] = {}
        for number, tree in enumerate((first, second)):
            solid = {path for path, content in tree.items() if content is not None}
            tree = {
                path if content is not None else path + "/": content
                for path, content in tree.items()
                if not any(path.startswith(other + "/") for other in solid) and path not in ("", ".", "..")
            }
            folder = make_tree(Path(scratch, f"in{number}"), tree)
            manifest, _ = push(store, folder, places)
            places |= places_of(manifest)
            download_tree(store, "t/", manifest, Path(scratch, f"out{number}"))
            assert read_tree(Path(scratch, f"out{number}")) == read_tree(folder)


def test_content_is_packed_once(store, tmp_path):
    folder = make_tree(tmp_path / "folder", {f"{n}": os.urandom(5000) for n in range(20)})
    make_tree(folder, {f"again/{n}": (folder / f"{n}").read_bytes() for n in range(20)})
    manifest, how = push(store, folder)
    assert sorted(how.values()) == ["copied"] * 20 + ["sent"] * 20
    first = sum(item.size for item in list_objects(store, "packs/"))
    assert first < 20 * 6000
    (folder / "3").write_bytes(b"new")
    (folder / "4").rename(folder / "elsewhere")
    later, how = push(store, folder, places_of(manifest))
    assert [path for path, one in how.items() if one == "sent"] == ["3"]
    assert sum(item.size for item in list_objects(store, "packs/")) < first + 3000
    assert set(manifest.packs) < set(later.packs)
    download_tree(store, "t/", later, tmp_path / "back")
    assert read_tree(tmp_path / "back") == read_tree(folder)


def test_large_files_stay_objects(store, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "PACKED", 999)
    manifest, _ = push(store, folder)
    assert [entry.path for entry in manifest.entries if entry.kind == "file" and entry.pack is None] == ["d/b"]
    assert store.get("t/d/b").data == ODD["d/b"]
    download_tree(store, "t/", manifest, tmp_path / "back")
    assert read_tree(tmp_path / "back") == read_tree(folder)


def test_progress_counts_every_byte(store, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "PACKED", 999)
    for _ in range(2):
        reporter = Recorder()
        manifest, _ = push(store, folder, reporter=reporter)
        assert reporter.done == reporter.total == scan_data(folder).size
    for _ in range(2):
        reporter = Recorder()
        download_tree(store, "t/", manifest, tmp_path / "back", reporter=reporter)
        assert reporter.done == reporter.total == scan_data(folder).size


def test_packs_are_of_one_size_and_named_by_their_content(store, tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "PACK", 100_000)
    folder = make_tree(tmp_path / "folder", {f"{n:03}": os.urandom(10_000) for n in range(50)})
    first, _ = push(store, folder)
    sizes = [item.size for item in list_objects(store, "packs/")]
    assert len(sizes) == 6 and max(sizes) <= 100_000
    before = {item.key: item.etag for item in list_objects(store, "packs/")}
    again, how = push(store, folder)  # nothing is known any more but what the store has
    assert again.entries == first.entries and set(how.values()) == {"copied"}
    assert {item.key: item.etag for item in list_objects(store, "packs/")} == before


def test_a_killed_upload_need_not_send_its_packs_again(store, tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "PACK", 30_000)
    folder = make_tree(tmp_path / "folder", {f"{n:03}": os.urandom(10_000) for n in range(30)})
    real = store.upload
    sent: list[str] = []

    def broken(key, source, **options):
        if len(sent) >= 5:
            raise StoreError("the network is gone")
        sent.append(key)
        return real(key, source, **options)

    monkeypatch.setattr(store, "upload", broken)
    with pytest.raises(StoreError, match="the network is gone"):
        push(store, folder)
    monkeypatch.setattr(store, "upload", real)
    for path in folder.iterdir():  # not even the names count
        path.rename(folder / f"new-{path.name}")
    _, how = push(store, folder)
    assert sorted(how.values()).count("copied") == 2 * 5


def test_a_file_that_never_rests_or_vanishes_is_named_and_the_others_are_stored(store, folder, monkeypatch):
    scan = scan_data(folder)
    (folder / "a").unlink()
    (folder / "d/b").chmod(0)
    monkeypatch.setattr(contents, "STABLE_PAUSE", 0)
    real = os.read

    def meddle(descriptor, size):
        if "zero" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            os.utime(folder / "zero")
        return real(descriptor, size)

    monkeypatch.setattr(os, "read", meddle)
    with pytest.raises(StoreError) as caught:
        push(store, folder, scan=scan)
    assert "a: it vanished meanwhile" in caught.value.message
    assert "zero: it is being written to" in caught.value.message
    (key,) = present(store)
    assert b"three" in store.get(key).data


def test_a_file_that_has_grown_too_large_is_not_read_into_memory(store, folder, monkeypatch):
    scan = scan_data(folder)
    with (folder / "a").open("wb") as file:
        file.truncate(PACKED_LIMIT + 1)
    with pytest.raises(StoreError, match="a: it has grown"):
        push(store, folder, scan=scan)


@pytest.mark.parametrize("slow", [False, True])
def test_slow_files_are_read_by_several_threads_and_stay_in_order(tmp_path, monkeypatch, slow):
    monkeypatch.setattr(contents, "WAITS", -1 if slow else 1000)
    monkeypatch.setattr(contents, "RUN_FILES", 3)
    folder = make_tree(tmp_path / "folder", {f"{n:03}": f"{n}" for n in range(100)})
    threads = set()
    real = contents._read

    def read(root, path):
        threads.add(threading.get_ident())
        time.sleep(0.001)
        return real(root, path)

    monkeypatch.setattr(contents, "_read", read)
    found = list(contents.read_contents(folder, scan_data(folder).files, pytest.fail))
    assert [content.data for content in found] == [f"{n}".encode() for n in range(100)]
    assert (len(threads) > 1) == slow


def test_an_unexpected_error_while_packing_is_not_swallowed(store, folder, monkeypatch):
    monkeypatch.setattr(contents, "_read", lambda root, path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        push(store, folder)


def test_damage_is_told_per_file_and_the_others_are_written(store_url, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "PAUSE", 0)
    monkeypatch.setattr(pack, "PACK", 20_000)
    store = open_store(store_url)
    folder = make_tree(tmp_path / "folder", {f"{n:03}": os.urandom(2000) for n in range(30)})
    manifest, _ = push(store, folder)
    entries = {entry.path: entry for entry in manifest.entries}
    data = bytearray(store.get(manifest.packs[0]).data)
    data[entries["002"].offset + 7] ^= 1
    store.put(manifest.packs[0], bytes(data))
    gone = entries["029"].pack
    store.delete([manifest.packs[gone]])
    lost = {entry.path for entry in manifest.entries if entry.pack == gone}
    with pytest.raises(CorruptObjectError) as caught:
        download_tree(store, "t/", manifest, tmp_path / "back")
    assert f"{len(lost) + 1} files failed" in caught.value.message
    assert f"002: its bytes in {manifest.packs[0]} are damaged" in caught.value.message
    assert f"029: {manifest.packs[gone]} is missing" in caught.value.message
    assert set(read_tree(tmp_path / "back")) == set(entries) - lost - {"002"}
    store.put(manifest.packs[0], bytes(data[: entries["004"].offset]))  # cut
    with pytest.raises(CorruptObjectError, match=r"004: its bytes in"):
        download_tree(store, "t/", manifest, tmp_path / "other")
    assert {"000", "001", "003"} < set(read_tree(tmp_path / "other"))


def test_bytes_that_changed_on_the_way_are_fetched_again(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "PAUSE", 0)
    wrong = [True]

    class Flaky(FileStore):
        def get_range(self, key, start, length):
            data = super().get_range(key, start, length)
            return b"?" + data[1:] if wrong and wrong.pop() else data

    store = Flaky(tmp_path / "store")
    manifest, _ = push(store, folder)
    download_tree(store, "t/", manifest, tmp_path / "back")
    assert read_tree(tmp_path / "back") == read_tree(folder) and not wrong


def test_files_that_are_there_are_not_fetched_and_others_are_mended(store, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "GAP", 0)
    manifest, _ = push(store, folder)
    target = tmp_path / "back"
    download_tree(store, "t/", manifest, target)
    make_tree(target, {"a": "xxx", "own": "kept"})
    (target / "zero").unlink()
    (target / "d/b").chmod(0o777)
    (target / "+#%").unlink()
    (target / "+#%").symlink_to("own")
    with mock.patch.object(store, "get_range", wraps=store.get_range) as fetched:
        download_tree(store, "t/", manifest, target)
    assert sum(call.args[2] for call in fetched.call_args_list) == len("one" + "x")
    assert read_tree(target) == {**read_tree(folder), "own": b"kept"}
    assert (target / "d/b").stat().st_mode & 0o777 == 0o644


def test_nothing_is_written_through_a_link(store, folder, tmp_path):
    manifest, _ = push(store, folder)
    outside = make_tree(tmp_path / "outside", {"a": "mine", "b": "mine"})
    target = make_tree(tmp_path / "back", {})
    (target / "d").symlink_to(outside)
    (target / "a").symlink_to(outside / "a")
    with pytest.raises(StoreError, match="nothing is written through links"):
        download_tree(store, "t/", manifest, target)
    assert read_tree(outside) == {"a": b"mine", "b": b"mine"}
    assert (target / "a").read_bytes() == b"one" and not (target / "a").is_symlink()


def test_a_folder_in_the_place_of_a_file_is_named(store, folder, tmp_path):
    manifest, _ = push(store, folder)
    make_tree(tmp_path / "back", {"a/mine": "kept"})
    with pytest.raises(StoreError, match=r"1 file failed\n  a: "):
        download_tree(store, "t/", manifest, tmp_path / "back")
    assert (tmp_path / "back/a/mine").read_text() == "kept" and (tmp_path / "back/zero").exists()


SHA = "0" * 64
FILE = {"path": "x", "sha256": SHA, "size": 4, "pack": 0, "offset": 512}


@pytest.mark.parametrize(
    "document",
    [
        {"packs": ["p.tar"], "entries": [{**FILE, "path": "../x"}]},
        {"packs": ["p.tar"], "entries": [{**FILE, "path": "/etc/x"}]},
        {"packs": ["p.tar"], "entries": [{**FILE, "pack": 1}]},
        {"packs": ["p.tar"], "entries": [{**FILE, "pack": -1}]},
        {"packs": ["p.tar"], "entries": [{**FILE, "offset": -1}]},
        {"packs": ["p.tar"], "entries": [{**FILE, "size": PACKED_LIMIT + 1}]},
        {"packs": ["p.tar"], "entries": [{"path": "x", "kind": "folder", "pack": 0}]},
        {"packs": ["p.tar"], "entries": [{"path": "x", "kind": "symlink", "target": "y", "pack": 0}]},
        {"packs": ["../p.tar"], "entries": [FILE]},
        {"packs": ["/etc/passwd"], "entries": [FILE]},
        {"packs": [], "entries": [FILE]},
    ],
)
def test_a_hostile_manifest_is_not_read(document):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(document), type=Manifest)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=2000), st.integers(0, 3000), st.integers(0, 3000))
def test_a_hostile_pack_writes_nothing(data, offset, size):
    with tempfile.TemporaryDirectory() as scratch, mock.patch.object(unpack, "PAUSE", 0):
        store = FileStore(Path(scratch, "store"))
        store.put("p.tar", data)
        entry = Entry(path="d/x", size=size, sha256=SHA, pack=0, offset=offset)
        with pytest.raises(CorruptObjectError):
            download_tree(store, "t/", Manifest((entry,), ("p.tar",)), Path(scratch, "back"))
        assert set(read_tree(Path(scratch, "back"))) <= {"d/"}


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5000), st.integers(0, 900)), max_size=30),
    st.integers(1, 3000),
)
def test_every_file_is_in_one_span_and_spans_are_small(places, limit):
    entries = [
        Entry(path=f"{n:03}", sha256=SHA, size=size, pack=number, offset=offset)
        for n, (number, offset, size) in enumerate(places)
    ]
    spans = spans_of(["a", "b", "c"], entries, limit=limit)
    assert sorted(entry.path for span in spans for entry in span.entries) == [entry.path for entry in entries]
    for span in spans:
        assert span.start == min(entry.offset for entry in span.entries)
        assert span.end == max(entry.offset + entry.size for entry in span.entries)
        assert len(span.entries) == 1 or span.end - span.start <= limit


def test_far_files_are_not_fetched_along(store, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "GAP", 1000)
    folder = make_tree(tmp_path / "folder", {f"{n:03}": os.urandom(2000) for n in range(50)})
    manifest, _ = push(store, folder)
    wanted = [entry for entry in manifest.entries if entry.path in ("003", "004", "040")]
    spans = spans_of(manifest.packs, wanted)
    assert [[entry.path for entry in span.entries] for span in spans] == [["003", "004"], ["040"]]


@pytest.mark.parametrize("packed_up_to", [0, 1 << 20])
def test_a_rate_is_kept_in_both_directions(store, tmp_path, monkeypatch, packed_up_to):
    monkeypatch.setattr(pack, "PACKED", packed_up_to)
    folder = make_tree(tmp_path / "folder", {f"{n}": os.urandom(300_000) for n in range(10)})
    begun = time.monotonic()
    manifest, _ = push(store, folder, rate=Rate(4_000_000))
    pushed = time.monotonic() - begun
    download_tree(store, "t/", manifest, tmp_path / "back", rate=Rate(4_000_000))
    pulled = time.monotonic() - begun - pushed
    assert read_tree(tmp_path / "back") == read_tree(folder)
    for seconds in (pushed, pulled):
        assert 0.74 < seconds < 30  # 3 MB are 0.75 s, and a slow disk takes its time


def test_a_meter_tells_of_each_byte_once():
    told: list[int] = []
    meter = Meter(told.append, 100, Rate(), moved=1000)
    for _ in range(3):
        meter(400)  # a block is sent again
    assert sum(told) == 100
    meter.finish()
    assert sum(told) == 100
    empty = Meter(told.append, 0, Rate())
    empty(0)
    empty.finish()
    assert sum(told) == 100
    with pytest.raises(UsageError, match="too little"):
        Rate(10)
