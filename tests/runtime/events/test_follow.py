"""Event files are followed: each byte is fetched once, and only whole records arrive."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runtime.events import follow
from orchestrator.runtime.events.follow import Follower
from orchestrator.runtime.events.records import DamagedError, masked_crc, whole_records
from orchestrator.runtime.events.sources import FolderSource, StoreSource
from orchestrator.store import open_store
from tests.tensorboard.events import header, losses, record

NAME = "events.out.tfevents.1.host"


class Notes:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


class Counted(FolderSource):
    """A folder that counts what is read of it."""

    read_bytes = 0

    def read(self, path: str, start: int, length: int) -> bytes:
        data = super().read(path, start, length)
        self.read_bytes += len(data)
        return data


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "there").mkdir()
    return tmp_path / "there", tmp_path / "here"


def test_the_checksum_is_that_of_the_format():
    crc = 0xE3069283  # CRC-32C of "123456789", from RFC 3720's kin
    assert masked_crc(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@given(st.lists(st.binary(max_size=40), max_size=8), st.data())
def test_of_any_beginning_the_whole_records_are_found(contents, data):
    records = [record(content) for content in contents]
    whole = b"".join(records)
    cut = data.draw(st.integers(0, len(whole)))
    ends = [sum(map(len, records[:count])) for count in range(len(records) + 1)]
    found, following = whole_records(whole[:cut])
    assert found == max(end for end in ends if end <= cut)
    assert following == (len(records[ends.index(found)]) if cut - found >= 12 else 0)


def test_what_is_no_record_is_told():
    damaged = bytearray(header() + header())
    damaged[len(header())] ^= 1
    assert whole_records(bytes(damaged)) == (len(header()), 0)
    with pytest.raises(DamagedError):
        whole_records(bytes(damaged)[len(header()) :])


def test_a_growing_file_arrives_record_by_record_and_each_byte_once(folders, monkeypatch):
    there, here = folders
    monkeypatch.setattr(follow, "BLOCK", 100)  # less than the record in the middle
    content = header() + losses(0, 20) + record(b"x" * 1000) + losses(20, 40)
    source = Counted(there)
    follower = Follower(lambda: source, here, Notes().note)
    ends = []
    for cut in range(0, len(content) + 1, 7):
        (there / NAME).write_bytes(content[:cut])
        follower.fetch()
        size = (here / NAME).stat().st_size if (here / NAME).exists() else 0
        assert (size, 0) == (whole_records(content[:cut])[0], 0)
        ends.append(size)
    (there / NAME).write_bytes(content)
    follower.fetch()
    assert (here / NAME).read_bytes() == content
    assert len(set(ends)) > 40
    read = source.read_bytes
    assert follower.fetch() == 0 and source.read_bytes == read
    assert read < 10 * len(content)  # of an unfinished record, its beginning is read again


def test_folders_stay_and_other_files_are_left(folders):
    there, here = folders
    (there / "train").mkdir()
    (there / "train" / NAME).write_bytes(header())
    (there / "model.pt").write_bytes(b"x")
    assert Follower(lambda: FolderSource(there), here, Notes().note).fetch() == len(header())
    assert [path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()] == [f"train/{NAME}"]


def test_a_job_that_ends_moves_its_files_to_the_store(folders, store_url):
    there, here = folders
    content = header() + losses(0, 10)
    (there / NAME).write_bytes(content[:200])
    store = open_store(store_url)
    store.put(f"out/{NAME}", content)
    sources = [FolderSource(there), StoreSource(store, "out/")]
    follower = Follower(lambda: sources.pop(0), here, Notes().note)
    first = follower.fetch()
    assert first == whole_records(content[:200])[0]
    assert follower.fetch() == len(content) - first
    assert (here / NAME).read_bytes() == content


def test_a_file_that_is_written_anew_is_shown_anew(folders):
    there, here = folders
    (there / NAME).write_bytes(header() + losses(0, 10))
    follower = Follower(lambda: FolderSource(there), here, Notes().note)
    follower.fetch()
    (there / NAME).write_bytes(header() + losses(50, 52))
    follower.fetch()
    assert (here / NAME).read_bytes() == header() + losses(50, 52)


def test_a_damaged_file_is_cut_and_told_once(folders):
    there, here = folders
    (there / NAME).write_bytes(header() + b"\0" * 100)
    (there / f"{NAME}.2").write_bytes(header())
    notes = Notes()
    follower = Follower(lambda: FolderSource(there), here, notes.note)
    follower.fetch()
    follower.fetch()
    assert (here / NAME).read_bytes() == (here / f"{NAME}.2").read_bytes() == header()
    (note,) = notes.notes
    assert f"{there}/{NAME} is damaged behind byte {len(header())}" in note


def test_after_a_full_disk_it_goes_on_where_it_stopped(folders, small_disk, tmp_path):
    there, _ = folders
    here = small_disk("size=64k")
    content = header() + losses(0, 3000)
    (there / NAME).write_bytes(content)
    ballast = here / "ballast"
    ballast.write_bytes(b"x" * 60_000)
    follower = Follower(lambda: FolderSource(there), here, Notes().note)
    with pytest.raises(OSError, match="No space"):
        follower.fetch()
    ballast.unlink()
    (there / NAME).write_bytes(content[: whole_records(content[:40_000])[0]])
    follower.fetch()
    assert (here / NAME).read_bytes() == content[: whole_records(content[:40_000])[0]]
