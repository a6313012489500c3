"""Large files: in parts, with little memory, and on from where they were killed."""

import hashlib
import itertools
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.config import home_dir
from orchestrator.store import open_store
from orchestrator.store.s3 import S3Store, multipart
from orchestrator.store.s3 import store as s3_store
from orchestrator.store.s3.copy import copy_object
from orchestrator.store.s3.journal import STALE
from orchestrator.store.s3.multipart import MAX_PARTS, part_size
from tests.waiting import wait_until

PART = 5 << 20  # bytes; S3's least, so that a file of many parts is small
PARTS = 4
MEMORY = 300 << 20  # bytes; the most that any transfer may need, whatever the size
MIB = 1 << 20

spawner = multiprocessing.get_context("spawn")


def use_small_parts() -> None:
    s3_store.PART = multipart.PART = PART


@pytest.fixture
def store(bucket_url: str, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    for module in (s3_store, multipart):
        monkeypatch.setattr(module, "PART", module.PART)  # so that it is set back
    use_small_parts()
    store = open_store(bucket_url)
    assert isinstance(store, S3Store)
    return store


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(random.Random(1).randbytes(PARTS * PART - 1000))
    return path


class Sent:
    """Counts the parts that go over the wire."""

    def __init__(self, store: S3Store) -> None:
        self.numbers: list[int] = []
        self.failing = False
        store.clients.control.meta.events.register("before-parameter-build.s3.UploadPart", self._note)

    def _note(self, params, **_):
        self.numbers.append(params["PartNumber"])


def unfinished(store: S3Store) -> list[str]:
    address = store.clients.address
    found = store.clients.control.list_multipart_uploads(Bucket=address.bucket, Prefix=address.prefix)
    return [upload["UploadId"] for upload in found.get("Uploads", [])]


def upload_slowly(url: str, path: Path, environment: dict[str, str], after: int, go: Path) -> None:
    """Upload; all parts but the first so many wait until there is a file."""
    os.environ.update(environment)
    use_small_parts()
    part = itertools.count()

    def wait(amount: int) -> None:
        while next(part) >= after and not go.exists():
            time.sleep(0.01)

    open_store(url).upload("large", path, on_bytes=wait)


def upload_and_be_killed(url: str, path: Path, *, after: int) -> None:
    """Start an upload in a process of its own and kill it when so many parts have arrived."""
    process = spawner.Process(target=upload_slowly, args=(url, path, dict(os.environ), after, Path("/never")))
    process.start()
    deadline = time.monotonic() + 60
    while sum(len(note.read_bytes().splitlines()) // 2 for note in (home_dir() / "uploads").glob("*.jsonl")) < after:
        assert time.monotonic() < deadline and process.is_alive()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def check(store: S3Store, path: Path, tmp_path: Path, digest: str) -> None:
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    store.download("large", tmp_path / "back", sha256=digest)
    assert (tmp_path / "back").stat().st_size == path.stat().st_size
    assert list((home_dir() / "uploads").iterdir()) == []


def test_a_killed_upload_goes_on_and_sends_no_finished_part_again(store, bucket_url, large, tmp_path):
    upload_and_be_killed(bucket_url, large, after=2)
    assert store.head("large") is None
    sent = Sent(store)
    told: list[int] = []
    digest = store.upload("large", large, on_bytes=told.append)
    assert 0 < len(sent.numbers) <= PARTS - 2
    assert len(told) == len(sent.numbers)
    check(store, large, tmp_path, digest)
    assert unfinished(store) == []


def test_a_file_that_was_changed_since_is_sent_anew(store, bucket_url, large, tmp_path):
    upload_and_be_killed(bucket_url, large, after=2)
    with large.open("r+b") as file:
        file.write(b"changed")
    sent = Sent(store)
    check(store, large, tmp_path, store.upload("large", large))
    assert sorted(sent.numbers) == list(range(1, PARTS + 1))


def test_a_change_that_hides_is_found_in_its_part(store, bucket_url, large, tmp_path):
    upload_and_be_killed(bucket_url, large, after=2)
    before = large.stat()
    with large.open("r+b") as file:
        for number in range(2):
            file.seek(number * PART)
            file.write(b"changed")
    os.utime(large, ns=(before.st_atime_ns, before.st_mtime_ns))
    sent = Sent(store)
    check(store, large, tmp_path, store.upload("large", large))
    assert {1, 2} <= set(sent.numbers)


def test_notes_of_an_upload_that_the_bucket_has_dropped_are_not_believed(store, bucket_url, large, tmp_path):
    upload_and_be_killed(bucket_url, large, after=1)
    address = store.clients.address
    for upload in unfinished(store):
        store.clients.control.abort_multipart_upload(
            Bucket=address.bucket, Key=address.prefix + "large", UploadId=upload
        )
    sent = Sent(store)
    check(store, large, tmp_path, store.upload("large", large))
    assert sorted(sent.numbers) == list(range(1, PARTS + 1))


def test_damaged_notes_cost_time_only(store, bucket_url, large, tmp_path):
    upload_and_be_killed(bucket_url, large, after=2)
    (note,) = (home_dir() / "uploads").iterdir()
    lines = note.read_bytes().splitlines()
    note.write_bytes(b"\n".join([lines[0], b'[1,"torn', *lines[1:-1], lines[-1][:-5]]))
    check(store, large, tmp_path, store.upload("large", large))
    note.write_bytes(b"rubbish")
    check(store, large, tmp_path, store.upload("large", large))


def test_uploads_that_nobody_goes_on_with_are_given_up(store, bucket_url, large, tmp_path):
    upload_and_be_killed(bucket_url, large, after=1)
    assert len(unfinished(store)) == 1
    (note,) = (home_dir() / "uploads").iterdir()
    os.utime(note, (time.time() - STALE - 60,) * 2)
    (tmp_path / "other").write_bytes(bytes(PART + 1))
    store.upload("other", tmp_path / "other")
    assert unfinished(store) == []
    assert list((home_dir() / "uploads").iterdir()) == []


def test_two_processes_may_upload_the_same(store, bucket_url, large, tmp_path):
    go = tmp_path / "go"
    other = spawner.Process(target=upload_slowly, args=(bucket_url, large, dict(os.environ), 1, go))
    other.start()
    wait_until(lambda: unfinished(store))
    go.touch()
    digest = store.upload("large", large)
    other.join()
    assert other.exitcode == 0
    check(store, large, tmp_path, digest)


def test_the_copy_of_a_large_object_is_made_of_parts(store, tmp_path):
    data = random.Random(2).randbytes(12 * MIB)
    store.upload("source", data)
    prefix = store.clients.address.prefix
    copy_object(store.clients, store._workers, prefix + "source", prefix + "target", at_once=MIB, part=5 * MIB)
    store.download("target", tmp_path / "target", sha256=hashlib.sha256(data).hexdigest())
    assert unfinished(store) == []


def test_the_number_of_parts_has_a_limit():
    assert part_size(0) == part_size(multipart.PART * MAX_PARTS) == multipart.PART
    for size in (multipart.PART * MAX_PARTS + 1, 5 << 40):
        assert part_size(size) * MAX_PARTS >= size
        assert part_size(size) % MIB == 0


PROGRAM = r"""
import re, sys
from pathlib import Path
from orchestrator.store import open_store
store, path = open_store(sys.argv[1]), Path(sys.argv[2])
digest = store.upload("large", path)
store.download("large", path.with_name("back"), sha256=digest)
# Not by getrusage, where a child begins with what its parent had.
print(int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) * 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_memory_is_bounded_however_large_the_file(bucket_url, tmp_path):
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(MEMORY)
    done = subprocess.run([sys.executable, "-c", PROGRAM, bucket_url, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < MEMORY
