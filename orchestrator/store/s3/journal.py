"""What this machine knows of an unfinished upload, so that it goes on where it was killed.

One file per object in the user's home: a first line that says which upload of which state of which file, and a
line for each part that has arrived. It is not believed blindly: the bucket is asked which parts it has.
"""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import msgspec

from orchestrator.config import home_dir
from orchestrator.decoders import decoder
from orchestrator.errors import PermissionDeniedError
from orchestrator.locks import take

STALE = 7 * 86_400.0  # seconds after which an unfinished upload is given up


class Subject(msgspec.Struct, frozen=True):
    """What is uploaded: a file in a certain state to a certain place, cut into parts of a certain size."""

    identity: str
    key: str
    path: str
    size: int
    mtime_ns: int
    inode: int
    part_size: int


class Begun(msgspec.Struct, frozen=True):
    """First line: the upload's id in the bucket, and the mark that its object will bear."""

    subject: Subject
    upload: str
    mark: str


class Part(msgspec.Struct, frozen=True):
    """A part that has arrived: its number (from 1), ETag, SHA-256 (base64) and bytes."""

    number: int
    etag: str
    sha256: str
    size: int


class Journal:
    """The notes on one upload; held by one process at a time.

    Args:
        subject: What is uploaded.

    Attributes:
        upload: Id of the unfinished upload of the same subject, or empty.
        mark: Metadata by which the finished object is known to be this upload's.
        parts: What has arrived of it, by number.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        name = hashlib.sha256(os.fsencode(f"{subject.identity}|{subject.key}")).hexdigest()[:24]
        self._path = _folder() / f"{name}.jsonl"
        self._lock = threading.Lock()
        self._file: FileIO | None = None
        self.upload = ""
        self.mark = ""
        self.parts: dict[int, Part] = {}

    def open(self) -> bool:
        """Take the notes and read what is there; tell whether they are free: another process may hold them."""
        descriptor = take(self._path)
        if descriptor is None:
            return False
        self._file = FileIO(descriptor, "r+")
        lines = self._file.read().split(b"\n")
        try:
            begun = decoder(Begun).decode(lines[0])
        except msgspec.DecodeError:
            return True
        if begun.subject == self._subject:
            self.upload, self.mark = begun.upload, begun.mark
            self.parts = {part.number: part for line in lines[1:] for part in _part(line)}
        return True

    def begin(self, upload: str, mark: str) -> None:
        """Note a new upload; what was noted before is gone. Without the notes taken, it is kept in memory only."""
        if self._file:
            self._file.truncate(0)
            self._file.seek(0)
            self._file.write(msgspec.json.encode(Begun(self._subject, upload, mark)) + b"\n")
        self.upload, self.mark, self.parts = upload, mark, {}

    def add(self, part: Part) -> None:
        """Note a part that has arrived."""
        with self._lock:
            self.parts[part.number] = part
            if self._file:
                # The leading line end parts it from a line that was torn when its writer was killed.
                self._file.write(b"\n" + msgspec.json.encode(part))

    def close(self, *, done: bool) -> None:
        """Let go of the notes; once the upload is done they are removed."""
        with self._lock:
            if self._file:
                if done:
                    self._path.unlink(missing_ok=True)
                self._file.close()
                self._file = None


def stale_uploads(identity: str) -> Iterator[tuple[str, str]]:
    """Yield key and id of the uploads to a store that nobody has gone on with, and forget them."""
    for path in _folder().glob("*.jsonl"):
        try:
            if time.time() - path.stat().st_mtime < STALE:
                continue
            begun = decoder(Begun).decode(path.read_bytes().split(b"\n")[0])
        except FileNotFoundError:  # another process has just finished or removed it
            continue
        except msgspec.DecodeError:
            path.unlink(missing_ok=True)
            continue
        if begun.subject.identity == identity:
            yield begun.subject.key, begun.upload
            path.unlink(missing_ok=True)


def _part(line: bytes) -> Iterator[Part]:
    try:
        yield decoder(Part).decode(line)
    except msgspec.DecodeError:  # empty, or torn
        return


def _folder() -> Path:
    folder = home_dir() / "uploads"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "name a folder that can be written: export MLCTL_HOME=/some/folder"
        raise PermissionDeniedError(f"cannot write {folder}: {error.strerror}", hint=hint) from error
    return folder
