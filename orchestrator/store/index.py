"""What this machine remembers about trees, so that nothing unchanged is read or sent again.

Small files in the user's home: `Index` knows the hashes of a folder's files by their stat, `Sent` and
`PackNotes` know what an unfinished upload has already put into a store. They are appended to as work goes
on, so that a killed process loses little.
"""

import hashlib
import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from orchestrator.config import home_dir
from orchestrator.decoders import decoder
from orchestrator.errors import PermissionDeniedError
from orchestrator.files import write_whole
from orchestrator.store.base import Store
from orchestrator.store.scan import Found, found_at

RACY = 2_000_000_000  # nanoseconds; the coarsest time stamps in use (FAT)
STALE = 30 * 86_400.0  # seconds after which an upload's notes are dropped
BATCH = 100  # files noted by one write
QUICK = 1 << 20  # bytes; what is smaller is read again in no time

Line = TypeVar("Line", bound=msgspec.Struct)


class Known(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The hash of a file in a certain state; `seen_ns` is when the reading began."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    seen_ns: int
    sha256: str


class Put(msgspec.Struct, frozen=True, array_like=True):
    """An object that was stored."""

    path: str
    sha256: str


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """A pack that was stored: its key, and the SHA-256 and offset of all that it holds."""

    key: str
    contents: list[tuple[str, int]]


class _Lines(Generic[Line]):
    """A file of JSON lines that threads append to."""

    def __init__(self, path: Path, kind: type[Line]) -> None:
        self._path = path
        self._decoder = decoder(kind)
        self._lock = threading.Lock()
        self._file: FileIO | None = None

    def read(self) -> list[Line]:
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                found.append(self._decoder.decode(line))
            except msgspec.DecodeError:  # torn when its writer was killed
                continue
        return found

    def append(self, *lines: Line) -> None:
        # Notes save time, no more: on a full disk, whose content may be what is sent, there are none.
        with self._lock, suppress(OSError):
            if self._file is None:
                self._file = self._path.open("ab", buffering=0)
            # The leading line end parts them from a torn line.
            self._file.write(b"\n" + msgspec.json.Encoder().encode_lines(lines))

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def replace(self, lines: Iterable[Line]) -> None:
        write_whole(self._path, msgspec.json.Encoder().encode_lines(list(lines)))


class Index:
    """The hashes of the files of one folder, for one process at a time.

    As git does, it does not trust a file that was modified just before it was read: another
    modification within the same tick of the clock would not show in the file's stat.
    """

    def __init__(self, folder: Path) -> None:
        self._lines = _Lines(notes_path(str(folder.absolute()), ".index"), Known)
        self._known = {known.path: known for known in self._lines.read()}
        self._changed = False
        self._unwritten: list[Known] = []

    def lookup(self, found: Found) -> str | None:
        """Return the SHA-256 of a file whose stat is as it was when it was read, else None."""
        known = self._known.get(found.path)
        if known is None or known.mtime_ns + RACY >= known.seen_ns:
            return None
        same = (known.size, known.mtime_ns, known.ctime_ns, known.inode) == (
            found.size, found.mtime_ns, found.ctime_ns, found.inode,
        )  # fmt: skip
        return known.sha256 if same else None

    def add(self, found: Found, sha256: str, seen_ns: int) -> None:
        """Remember a file; `seen_ns` is the time before it was read.

        Small files are written down some at a time, which a kill may lose.
        """
        known = Known(found.path, found.size, found.mtime_ns, found.ctime_ns, found.inode, seen_ns, sha256)
        self._known[found.path] = known
        self._changed = True
        self._unwritten.append(known)
        if len(self._unwritten) >= BATCH or found.size >= QUICK:
            self._lines.append(*self._unwritten)
            self._unwritten = []

    def save(self, paths: Iterable[str]) -> None:
        """Write the index anew with these paths alone, if it has changed."""
        self._lines.close()
        wanted = set(paths)
        if self._changed or not wanted.issuperset(self._known):
            self._lines.replace(known for known in self._known.values() if known.path in wanted)


class Sent:
    """What an upload to one prefix has stored so far; survives the process that did it."""

    def __init__(self, store: Store, prefix: str) -> None:
        path = _sent_path(store, prefix)
        self._lines = _Lines(path, Put)
        self.hashes = {put.path: put.sha256 for put in self._lines.read()}
        _drop_stale(path)

    def add(self, path: str, sha256: str) -> None:
        """Note a file that is now in the store."""
        self._lines.append(Put(path, sha256))

    def close(self) -> None:
        """Close the file of notes."""
        self._lines.close()


class PackNotes:
    """Which packs an upload of one folder has stored so far; survives the process that did it."""

    def __init__(self, store: Store, prefix: str, folder: Path) -> None:
        self._path = _sent_path(store, f"{prefix}:{folder}")
        self._lines = _Lines(self._path, Packed)
        _drop_stale(self._path)

    def read(self) -> list[Packed]:
        """Return what was noted."""
        return self._lines.read()

    def add(self, key: str, contents: list[tuple[str, int]]) -> None:
        """Note a pack that is now in the store."""
        self._lines.append(Packed(key, contents))

    def close(self) -> None:
        """Close the file of notes."""
        self._lines.close()

    def forget(self) -> None:
        """Drop the notes: what they tell is committed."""
        self.close()
        self._path.unlink(missing_ok=True)


def forget_sent(store: Store, prefix: str) -> None:
    """Drop the notes of an upload whose result is committed."""
    _sent_path(store, prefix).unlink(missing_ok=True)


def _drop_stale(path: Path) -> None:
    with os.scandir(path.parent) as notes:
        for other in notes:
            with suppress(FileNotFoundError):  # another process may be done with its own meanwhile
                others = other.name != path.name and other.name.endswith(path.suffix)
                if others and time.time() - other.stat().st_mtime > STALE:
                    Path(other).unlink()


def _sent_path(store: Store, prefix: str) -> Path:
    return notes_path(f"{store.identity}/{prefix}", ".sent")


def notes_path(subject: str, suffix: str) -> Path:
    """Return the file for notes about `subject` (a folder or an address); its folder exists.

    Raises:
        PermissionDeniedError: The user's home cannot be written.
    """
    folder = home_dir() / "index"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "name a folder that can be written: export MLCTL_HOME=/some/folder"
        raise PermissionDeniedError(f"cannot write {folder}: {error.strerror}", hint=hint) from error
    return folder / (hashlib.sha256(os.fsencode(subject)).hexdigest()[:24] + suffix)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stat_file(folder: Path, path: str) -> Found:
    """Return the present state of a file, links followed."""
    return found_at(path, (folder / path).stat())
