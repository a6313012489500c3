"""Keep many small files as few large objects: packs, which are tar archives named by their content.

A pack never changes, and says nothing that a manifest does not: which file is where stands in the manifests of
those who use it. Content that a pack holds already is not packed again, whatever name it had.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from orchestrator.errors import MlctlError
from orchestrator.store.base import Store
from orchestrator.store.contents import Content, read_contents
from orchestrator.store.index import PackNotes
from orchestrator.store.manifest import Entry, Manifest, manifest_of
from orchestrator.store.parallel import MAX_FAILURES, Failure, FileError, failure_of
from orchestrator.store.rate import Meter, Rate
from orchestrator.store.scan import Found
from orchestrator.store.tar import END, file_header, padding

# By benchmarks/packs.py: packs of 4 to 64 MiB are equally fast, but each thread that sends one holds it in memory.
PACK = 8 << 20  # bytes at most
PACKED = 1 << 20  # bytes; what is larger gains nothing, and is an object of its own
SUFFIX = ".tar"

How = Literal["sent", "copied", "present"]
# Told, from several threads, of each stored file: its state, SHA-256, the time before it was read (ns), and how it
# got there.
OnFile: TypeAlias = Callable[[Found, str, int, How], None]


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a pack holds a file's bytes.

    Attributes:
        key: Of the pack.
        offset: Bytes in front of it.
    """

    key: str
    offset: int


class Pack:
    """A pack in the making; its key is known when it is complete."""

    def __init__(self) -> None:
        self.key = ""
        self.size = 0
        self.payload = 0
        self.contents: list[tuple[Found, str, int, int]] = []  # state, SHA-256, time before reading, offset
        self._parts: list[bytes] = []

    def has_room(self, header: bytes, size: int) -> bool:
        """Return whether a file of `size` bytes still goes into this pack."""
        return self.size + len(header) + size + len(padding(size)) + len(END) <= PACK

    def add(self, header: bytes, content: Content) -> int:
        """Add a file, and return where its bytes begin."""
        size = content.found.size
        offset = self.size + len(header)
        rest = padding(size)
        self._parts += (header, content.data, rest)
        self.contents.append((content.found, content.sha256, content.seen_ns, offset))
        self.size = offset + size + len(rest)
        self.payload += size
        return offset

    def seal(self, prefix: str) -> bytes:
        """Return the archive, which is dropped here, and give it its key."""
        data = b"".join((*self._parts, END))
        self._parts = []
        self.size = len(data)
        self.key = f"{prefix}{hashlib.sha256(data).hexdigest()}{SUFFIX}"
        return data


class Packing:
    """The small files of one upload on their way into packs.

    Args:
        store: Where to.
        prefix: Of the packs, ends in `/`.
        places: Where packs hold content already, by SHA-256.
        whole: Keys of the packs that the store has and that are not known to be damaged: they are not sent again.
        notes: Of what an earlier, killed upload has sent.

    Attributes:
        failures: The files that could not be stored so far.
    """

    def __init__(
        self, store: Store, prefix: str, *, places: Mapping[str, Place], whole: Set[str], notes: PackNotes
    ) -> None:
        self.failures: list[Failure] = []
        self._store = store
        self._prefix = prefix
        self._whole = whole
        self._notes = notes
        self._stored: list[tuple[Found, str, Pack | Place, int]] = []
        self._places = {
            sha256: Place(packed.key, offset)
            for packed in notes.read()
            if packed.key in whole
            for sha256, offset in packed.contents
        } | dict(places)

    def takes(self, found: Found) -> bool:
        """Return whether a file goes into a pack."""
        return found.size <= PACKED

    def packs(
        self,
        folder: Path,
        files: list[Found],
        known: Mapping[str, str],
        *,
        on_file: OnFile,
        advance: Callable[[int], None],
    ) -> Iterator[Pack]:
        """Read the files whose content no pack has, and yield packs of them to send.

        Args:
            folder: Where the files are.
            files: In order of their paths, so that neighbours lie together.
            known: SHA-256 by path, of files that need not be read to know it.
            on_file: Told of the files that need not be sent.
            advance: Told of their bytes.
        """
        unread = []
        for found in files:
            sha256 = known.get(found.path, "")
            if place := self._places.get(sha256):
                self._stored.append((found, sha256, place, place.offset))
                on_file(found, sha256, 0, "copied")
                advance(found.size)
            else:
                unread.append(found)
        pack = Pack()
        fresh: dict[str, tuple[Pack, int]] = {}
        for content in read_contents(folder, unread, self._failed):
            found, sha256 = content.found, content.sha256
            if place := self._places.get(sha256):
                self._stored.append((found, sha256, place, place.offset))
            elif twin := fresh.get(sha256):
                self._stored.append((found, sha256, *twin))
            else:
                header = file_header(found.path, found.size, found.mtime_ns, executable=found.executable)
                if pack.contents and not pack.has_room(header, found.size):
                    yield pack
                    pack = Pack()
                offset = pack.add(header, content)
                fresh[sha256] = (pack, offset)
                self._stored.append((found, sha256, pack, offset))
                continue
            on_file(found, sha256, content.seen_ns, "copied")
            advance(found.size)
            if len(self.failures) >= MAX_FAILURES:
                return
        if pack.contents:
            yield pack

    def send(self, pack: Pack, *, on_file: OnFile, advance: Callable[[int], None], rate: Rate) -> None:
        """Put a pack into the store, or note that its files failed."""
        data = pack.seal(self._prefix)
        meter = Meter(advance, pack.payload, rate, moved=len(data))
        how: How = "present"
        try:
            if pack.key not in self._whole:
                self._store.upload(pack.key, data, on_bytes=meter)
                how = "sent"
        except MlctlError as error:
            self.failures += [Failure(found.path, error) for found, *_ in pack.contents]
            return
        self._notes.add(pack.key, [(sha256, offset) for _, sha256, _, offset in pack.contents])
        meter.finish()
        for found, sha256, seen_ns, _ in pack.contents:
            on_file(found, sha256, seen_ns, how)
        pack.contents = []

    def manifest(self, others: list[Entry]) -> Manifest:
        """Return the manifest of the packed files and the other entries."""
        numbers: dict[str, int] = {}
        entries = [
            Entry(
                path=found.path,
                size=found.size,
                sha256=sha256,
                mtime_ns=found.mtime_ns,
                executable=found.executable,
                pack=numbers.setdefault(place.key, len(numbers)),
                offset=offset,
            )
            for found, sha256, place, offset in sorted(self._stored, key=lambda stored: stored[0].path)
        ]
        return manifest_of([*entries, *others], numbers)

    def close(self) -> None:
        """Close the file of notes."""
        self._notes.close()

    def _failed(self, found: Found, error: OSError | FileError) -> None:
        self.failures.append(failure_of(found.path, error))
