"""An import brings exactly what the catalog says, from the first source that works, and goes on when broken."""

import gzip
import multiprocessing
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from orchestrator.datasets import Datasets
from orchestrator.datasets.catalog import DebianPackage
from orchestrator.datasets.download import DownloadError
from orchestrator.datasets.packages import fetch_deb
from orchestrator.errors import NotFoundError, StoreError
from orchestrator.store.base import CorruptObjectError
from orchestrator.store.file import FileStore
from tests.datasets.conftest import CONTENT, mirror, on_each_store
from tests.store.trees import make_tree, read_tree
from tests.waiting import SECONDS, wait_until

fork = multiprocessing.get_context("fork")
NOWHERE = "http://127.0.0.1:1/"  # nothing listens there

pytestmark = pytest.mark.usefixtures("own_cache")


class Notes:
    """Keeps what a reporter is told, and the bytes of its bars."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.bytes: dict[str, int] = {}

    def note(self, message):
        self.notes.append(message)

    def bar(self, label, *, total, unit):
        self.label = label
        self.bytes.setdefault(label, 0)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def advance(self, amount):
        self.bytes[self.label] += amount


@on_each_store
def test_an_import_is_a_version_and_a_second_one_does_nothing(store, server, catalog, tmp_path):
    datasets = Datasets(store, catalog=catalog(mirror(server.url)))
    result = datasets.import_("tiny")
    assert (result.created, result.version.version, result.files) == (True, "V0001", 2)
    assert result.version.source == server.url
    assert result.version.description == "Tiny"
    datasets.pull("tiny", None, tmp_path / "back")
    assert read_tree(tmp_path / "back") == CONTENT
    asked = len(server.requests)
    again = datasets.import_("tiny")
    assert (again.created, again.version) == (False, result.version)
    assert len(server.requests) == asked


def test_the_gzipped_files_are_made_alike_everywhere(store, server, catalog, tmp_path):
    datasets = Datasets(store, catalog=catalog(mirror(server.url), gzipped=True))
    version = datasets.import_("tiny").version
    assert version.files == 4
    packed = store.get(version.prefix + "one.bin.gz").data
    assert gzip.decompress(packed) == CONTENT["one.bin"]
    assert packed[3:8] == bytes(5)  # neither name nor time


def test_another_store_is_filled_from_the_cache(store, server, catalog, tmp_path):
    entry = catalog(mirror(server.url), gzipped=True)
    first = Datasets(store, catalog=entry).import_("tiny").version
    server.close()
    second = Datasets(FileStore(tmp_path / "second"), catalog=entry).import_("tiny").version
    assert (second.sha256, second.source) == (first.sha256, first.source)


def test_a_damaged_cache_is_mended(store, server, catalog, own_cache, tmp_path):
    entry = catalog(mirror(server.url), gzipped=True)
    Datasets(store, catalog=entry).import_("tiny")
    for path in own_cache.rglob("*.bin*"):
        path.write_bytes(b"rubbish")
    other = Datasets(FileStore(tmp_path / "second"), catalog=entry)
    other.import_("tiny")
    assert other.verify("tiny").files == 4
    assert other.get("tiny").sha256 == Datasets(store).get("tiny").sha256


@on_each_store
def test_an_own_dataset_of_that_name_gets_a_version_on_top(store, server, catalog, tmp_path):
    datasets = Datasets(store, catalog=catalog(mirror(server.url)))
    datasets.push(make_tree(tmp_path / "own", {"a": "a"}), name="tiny")
    assert datasets.import_("tiny").version.version == "V0002"
    datasets.push(tmp_path / "own", name="tiny")
    assert datasets.import_("tiny").version.version == "V0002"


@on_each_store
def test_a_damaged_version_is_imported_anew(store, server, catalog):
    datasets = Datasets(store, catalog=catalog(mirror(server.url)))
    version = datasets.import_("tiny").version
    store.put(version.prefix + "one.bin", b"damaged")
    with pytest.raises(CorruptObjectError):
        datasets.verify("tiny")
    assert datasets.import_("tiny").version.version == "V0002"
    assert datasets.verify("tiny").files == 2


def test_the_next_source_is_tried_and_the_failure_told(store, server, catalog):
    notes = Notes()
    sources = [mirror(NOWHERE), mirror(server.url + "missing/"), mirror(server.url)]
    server.files["gone"] = b""
    result = Datasets(store, reporter=notes, catalog=catalog(*sources)).import_("tiny")
    assert result.version.source in (server.url, server.url + "missing/")
    assert "Connection refused" in notes.notes[0]
    assert NOWHERE in notes.notes[0]


def test_a_source_with_other_content_is_not_believed(store, server, catalog):
    server.files["two.bin.gz"] = gzip.compress(b"something else")
    datasets = Datasets(store, catalog=catalog(mirror(server.url)))
    with pytest.raises(DownloadError, match=r"wrong content of two\.bin"):
        datasets.import_("tiny")
    server.files["two.bin.gz"] = b"no archive"
    with pytest.raises(DownloadError, match="cannot be read"):
        datasets.import_("tiny")
    server.files["two.bin.gz"] = gzip.compress(CONTENT["two.bin"])
    assert datasets.import_("tiny").created


def test_without_a_network_every_source_is_named(store, catalog, wheel, monkeypatch):
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", NOWHERE + "simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    debian = {"kind": "debian", "package": "no-such-package-of-mlctl", "unpacked": 1, "files": [], "recipe": "gunzip"}
    entry = catalog(wheel, mirror(NOWHERE), mirror("http://127.0.0.1:2/"), debian)
    notes = Notes()
    with pytest.raises(DownloadError) as caught:
        Datasets(store, reporter=notes, catalog=entry).import_("tiny")
    assert len(notes.notes) == 3  # the last failure is in the error alone
    message = caught.value.message
    assert "none of the 4 sources" in message
    for text in ("tiny-data==1.0", NOWHERE, "http://127.0.0.1:2/", "no-such-package-of-mlctl"):
        assert text in message
    assert "network" in caught.value.hint
    assert Datasets(store).list() == []


def test_a_wheel_is_found_by_pips_settings(store, catalog, wheel):
    notes = Notes()
    result = Datasets(store, reporter=notes, catalog=catalog(wheel)).import_("tiny")
    assert result.version.source == "the Python package tiny-data==1.0"
    assert Datasets(store).verify("tiny").files == 2


def test_a_wheel_with_another_hash_is_refused(store, catalog, wheel):
    with pytest.raises(DownloadError, match="tiny-data"):
        Datasets(store, catalog=catalog({**wheel, "sha256": "0" * 64})).import_("tiny")


def test_a_broken_connection_goes_on_where_it_stopped(store, server, catalog, monkeypatch):
    monkeypatch.setattr("orchestrator.datasets.download.FIRST_PAUSE", 0.01)
    server.cuts = [30, 20, 10]  # the last one first
    assert Datasets(store, catalog=catalog(mirror(server.url))).import_("tiny").created
    ranges = [asked for _, asked in server.requests if asked]
    assert ranges[:3] == ["bytes=10-", "bytes=30-", "bytes=60-"]


def test_a_server_without_ranges_is_asked_from_the_start(store, server, catalog, monkeypatch):
    monkeypatch.setattr("orchestrator.datasets.download.FIRST_PAUSE", 0.01)
    server.ranges = False
    server.cuts = [10]
    assert Datasets(store, catalog=catalog(mirror(server.url))).import_("tiny").created


def test_a_server_that_never_delivers_is_given_up(store, server, catalog, monkeypatch):
    monkeypatch.setattr("orchestrator.datasets.download.FIRST_PAUSE", 0.01)
    server.cuts = [0] * 10
    with pytest.raises(DownloadError, match="the connection ended after 0 of"):
        Datasets(store, catalog=catalog(mirror(server.url))).import_("tiny")


def import_tiny(root: Path, catalog: Path) -> None:
    Datasets(FileStore(root), catalog=catalog).import_("tiny")


def test_a_killed_import_goes_on_where_it_stopped(store, server, catalog, tmp_path):
    entry = catalog(mirror(server.url))
    server.cuts = [100]
    server.hang.set()
    child = fork.Process(target=import_tiny, args=(tmp_path / "store", entry))
    child.start()
    assert server.hanging.wait(SECONDS)
    wait_until(lambda: any(path.stat().st_size == 100 for path in (tmp_path / "cache").rglob("*.part")))
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    server.hang.clear()
    server.release.set()
    datasets = Datasets(store, catalog=entry)
    assert datasets.import_("tiny").version.version == "V0001"
    assert ("/one.bin.gz", "bytes=100-") in server.requests
    assert datasets.verify("tiny").files == 2


def test_imports_at_once_make_one_version(server, catalog, tmp_path):
    entry = catalog(mirror(server.url), gzipped=True)
    children = [fork.Process(target=import_tiny, args=(tmp_path / "store", entry)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert [version.number for version in Datasets(FileStore(tmp_path / "store")).versions("tiny")] == [1]


def test_a_full_cache_is_named(store, server, catalog, small_disk, monkeypatch):
    monkeypatch.setenv("MLCTL_CACHE", str(small_disk("size=100k")))
    with pytest.raises(StoreError, match="No space left") as caught:
        Datasets(store, catalog=catalog(mirror(server.url))).import_("tiny")
    assert not isinstance(caught.value, DownloadError)


def test_a_debian_package_that_does_not_fit_the_disk(small_disk, tmp_path, monkeypatch):
    if not shutil.which("dpkg-deb"):
        pytest.skip("there is no dpkg-deb")
    (tmp_path / "tree" / "DEBIAN").mkdir(parents=True)
    control = "Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.com>\nDescription: tiny\n"
    (tmp_path / "tree" / "DEBIAN" / "control").write_text(control)
    for number in range(20):
        (tmp_path / "tree" / f"{number}.bin").write_bytes(bytes(100_000))
    subprocess.run(["dpkg-deb", "--build", tmp_path / "tree", tmp_path / "tiny.deb"], check=True, capture_output=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "apt-get").write_text(f"#!/bin/sh\ncp {tmp_path}/tiny.deb .\n")  # as `download` does
    (tmp_path / "bin" / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    source = DebianPackage(package="tiny", unpacked=2_000_000, files=["0.bin"], recipe="gunzip")
    with pytest.raises(StoreError) as caught:
        fetch_deb(source, small_disk("size=200k"), reporter=Notes())
    assert caught.value.message.endswith("no space left on device")
    assert "\n" not in caught.value.message
    assert "MLCTL_CACHE" in caught.value.hint


def test_an_unknown_name_is_answered_with_what_there_is(datasets):
    with pytest.raises(NotFoundError, match="digits, fashion-mnist, mnist") as caught:
        datasets.import_("minst")
    assert caught.value.hint == "did you mean mnist?"


def test_the_catalog_is_whole(datasets):
    entries = {entry.name: entry for entry in datasets.catalog()}
    assert sorted(entries) == ["digits", "fashion-mnist", "mnist"]
    for entry in entries.values():
        assert all(len(file.sha256) == 64 and file.size for file in entry.files)
        assert len(entry.sources) >= 2
    assert len(entries["mnist"].files) == 4
    assert entries["mnist"].gzipped
