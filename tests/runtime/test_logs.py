"""A log arrives in the store byte for byte, whatever is in it and whoever is killed on the way."""

import os
import re
import resource
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import StoreError
from orchestrator.jobs.logs import LogQuery, read_log
from orchestrator.runtime import logread, logship
from orchestrator.runtime.arrivals import Arrivals
from orchestrator.runtime.logread import FileLog, LogReader
from orchestrator.runtime.logship import LogShipper
from orchestrator.store.base import list_objects
from orchestrator.store.file import FileStore

PREFIX = "jobs/j/V0001/logs/worker-0/"


class Log:
    """A script's log file, the store, and a clock that only the test moves."""

    def __init__(self, folder: Path) -> None:
        self.store = FileStore(folder / "store")
        self.path = folder / "script.log"
        self.now = 1000.0
        self.shipper = self.new_shipper()

    def new_shipper(self) -> LogShipper:
        return LogShipper(self.store, PREFIX, self.path, Arrivals(self.path, lambda: self.now))

    def write(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def ship(self) -> None:
        self.shipper.poll()
        self.shipper.send()

    def reader(self, *, live: bool = False) -> LogReader:
        return LogReader(self.store, PREFIX, FileLog(self.path) if live else None)

    def saved(self) -> bytes:
        reader = self.reader()
        return b"".join(reader.read(0, reader.size()))

    def shown(self, **query) -> bytes:
        return b"".join(read_log(LogQuery(**query), [self.reader], lambda: True, clock=lambda: self.now))


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(logship, "CHUNK", 64)
    monkeypatch.setattr(logread, "CHUNK", 64)
    monkeypatch.setattr(logread, "BLOCK", 10)


pieces = st.lists(
    st.tuples(st.binary(max_size=150), st.sampled_from(["ship", "poll", "crash", "nothing"])), max_size=12
)


@settings(max_examples=200, deadline=None)
@given(pieces, st.integers(0, 8))
def test_every_byte_arrives_once_whatever_crashes(pieces, tail):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(logship, "CHUNK", 64)
        patch.setattr(logread, "CHUNK", 64)
        patch.setattr(logread, "BLOCK", 10)
        log = Log(Path(folder))
        written = b""
        for data, then in pieces:
            log.write(data)
            written += data
            if then == "ship":
                log.ship()
            elif then == "poll":
                log.shipper.poll()
            elif then == "crash":  # what was taken and not sent is gone with the process
                log.shipper.poll()
                log.shipper = log.new_shipper()
            assert written.startswith(log.saved())
        log.ship()
        assert log.saved() == written
        sizes = [item.size for item in list_objects(log.store, PREFIX) if item.key.endswith(".log")]
        assert all(size == 64 for size in sizes[:-1])
        lines = re.findall(rb"[^\n]*\n|[^\n]+$", written)
        assert log.shown(tail=tail) == b"".join(lines[len(lines) - tail :] if tail < len(lines) else lines)
        assert b"".join(log.reader(live=True).read(0, len(written))) == written


def test_a_chunk_larger_than_memory_is_never_needed(log):
    block = os.urandom(1 << 20)
    with log.path.open("wb") as file:
        for _ in range(120):
            file.write(block)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    log.ship()
    reader = log.reader()
    size = sum(len(piece) for piece in reader.read(0, reader.size()))
    assert size == 120 << 20
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 40 << 20


def test_store_failure_stops_nothing_and_the_shipper_catches_up(log, monkeypatch, small_chunks):
    log.write(b"a" * 100)
    real = FileStore.put

    def broken(self, key, data):
        raise StoreError("the store is away")

    monkeypatch.setattr(FileStore, "put", broken)
    for _ in range(3):
        with pytest.raises(StoreError):
            log.ship()
        log.write(b"b" * 100)
    monkeypatch.setattr(FileStore, "put", real)
    log.ship()
    assert log.saved() == b"a" * 100 + b"b" * 300


def test_timestamps_are_when_the_bytes_arrived(log):
    log.write(b"one\ntwo\n")
    log.ship()
    log.now = 1060.5
    log.write(b"three\n")
    log.ship()
    assert log.shown(timestamps=True) == (
        b"1970-01-01T00:16:40.000Z one\n1970-01-01T00:16:40.000Z two\n1970-01-01T00:17:40.500Z three\n"
    )


def slowly(written: bytes, moments: list[tuple[int, float]], grep: bytes) -> bytes:
    """Do what `--timestamps --grep` does, a line at a time."""
    shown, offset = b"", 0
    for line in re.findall(rb"[^\n]*\n|[^\n]+$", written):
        moment = [moment for start, moment in moments if start <= offset][-1]
        offset += len(line)
        text = line.removesuffix(b"\n").rstrip(b"\r").rpartition(b"\r")[2]
        if re.search(grep, text):
            shown += time.strftime("%Y-%m-%dT%H:%M:%S.000Z ", time.gmtime(moment)).encode() + text + b"\n"
    return shown


lines = st.lists(st.sampled_from([b"a", b"b", b"\n", b"\r", b"\r\n", b"abab\n", b"\xff"]), max_size=12).map(b"".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(lines, max_size=8), st.sampled_from(["", "a", "b$"]))
def test_timestamps_and_grep_do_as_a_line_at_a_time(pieces, grep):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(logship, "CHUNK", 64)
        patch.setattr(logread, "CHUNK", 64)
        patch.setattr(logread, "BLOCK", 10)
        log = Log(Path(folder))
        written, moments = b"", []
        for piece in filter(None, pieces):
            moments.append((len(written), log.now))
            log.write(piece)
            log.ship()
            written += piece
            log.now += 60
        expected = slowly(written, moments, grep.encode())
        assert log.shown(timestamps=True, grep=grep) == expected
        assert log.shown(timestamps=True, grep=grep, follow=True) == expected
        without = re.sub(rb"(?m)^\S{24} ", b"", expected)
        assert log.shown(grep=grep) == without


def test_times_are_kept_while_the_store_is_away(log, small_chunks):
    arrivals = Arrivals(log.path, lambda: log.now)
    for number in range(6):
        log.now = 1000.0 + number
        log.write(f"line {number} ".encode() + b"." * 30 + b"\n")
        arrivals.note()
    log.now = 2000.0
    log.shipper = LogShipper(log.store, PREFIX, log.path, arrivals)
    log.ship()
    times = log.reader().times()
    lines = log.saved().splitlines(keepends=True)
    assert [times.at(sum(map(len, lines[:number]))) for number in range(6)] == [1000.0 + number for number in range(6)]


def test_times_are_read_once_however_long_the_log(log, small_chunks, monkeypatch):
    for moment in range(100):
        log.now = moment + 1
        log.write(b"a line\n" * 5)
        log.ship()
    looks = []
    times = LogReader.times
    monkeypatch.setattr(LogReader, "times", lambda reader: looks.append(1) or times(reader))
    shown = log.shown(timestamps=True)
    assert len(looks) == 1
    assert log.shown(timestamps=True, follow=True) == shown
    assert len(looks) < 10


def test_since_shows_only_what_arrived_later(log):
    for moment, text in ((1000, b"old\n"), (1100, b"new\n"), (1200, b"newest\n")):
        log.now = moment
        log.write(text)
        log.ship()
    assert log.shown(since=150) == b"new\nnewest\n"
    assert log.shown(since=10_000) == b"old\nnew\nnewest\n"
    log.now = 5000
    assert log.shown(since=1) == b""


def test_grep_and_progress_bars(log):
    log.write(b"start\n 10%\r 50%\r100%\nEpoch[0] loss=1\nEpoch[1] loss=0.5\npartial loss")
    log.ship()
    assert log.shown(grep=r"Epoch\[\d\]") == b"Epoch[0] loss=1\nEpoch[1] loss=0.5\n"
    assert log.shown(grep="%") == b"100%\n"
    assert log.shown(grep="partial") == b"partial loss\n"
    assert log.shown().startswith(b"start\n 10%\r 50%\r100%\n")
    with pytest.raises(Exception, match="not a regular expression"):
        log.shown(grep="(")


def test_following_ends_with_the_job_and_misses_nothing(log):
    moments = iter([b"a\n", b"b\n", b"", b"c\n"])
    ended = False

    def sleep(_seconds):
        nonlocal ended
        data = next(moments, None)
        if data is None:
            ended = True
        else:
            log.write(data)
            log.ship()

    def reader():  # switches between the live file and the store at every look
        reader.live = not reader.live
        return log.reader(live=reader.live)

    reader.live = False
    blocks = read_log(LogQuery(follow=True), [reader], lambda: ended, sleep=sleep)
    assert b"".join(blocks) == b"a\nb\nc\n"


def test_lines_of_several_workers_come_in_the_order_of_their_arrival(tmp_path):
    logs = []
    for worker in (0, 1):
        (tmp_path / str(worker)).mkdir()
        logs.append(Log(tmp_path / str(worker)))
    for turn in range(6):
        log = logs[turn % 2]
        log.now = 1000.0 + turn
        log.write(b"turn %d, be" % turn)
        log.ship()
        log.write(b"gun\n" if turn < 4 else b"gun")
        log.ship()
    readers = [log.reader for log in logs]
    shown = b"".join(read_log(LogQuery(), readers, lambda: True))
    assert shown.splitlines() == [b"[worker-%d] turn %d, begun" % (turn % 2, turn) for turn in range(6)]
    last = b"".join(read_log(LogQuery(tail=1, grep="5"), readers, lambda: True))
    assert last == b"[worker-1] turn 5, begun\n"
    stamped = b"".join(read_log(LogQuery(timestamps=True), readers, lambda: True)).splitlines()
    assert stamped[1] == b"[worker-1] 1970-01-01T00:16:41.000Z turn 1, begun"


def test_a_follower_waits_for_a_store_that_is_away(log):
    log.write(b"a\n")
    log.ship()
    told = []

    def ended():
        if len(told) < 3:
            raise StoreError("cannot reach it")
        if len(told) == 3:
            log.write(b"b\n")
            log.ship()
        return True

    blocks = read_log(LogQuery(follow=True), [log.reader], ended, away=told.append, sleep=lambda _seconds: None)
    assert b"".join(blocks) == b"a\nb\n"
    assert len(told) == 3
    del told[:]
    with pytest.raises(StoreError, match="cannot reach it"):
        list(read_log(LogQuery(follow=True), [log.reader], ended))
