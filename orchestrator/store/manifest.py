"""What a tree of files consists of: the record that makes it exist, and that every reader checks against."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from orchestrator.decoders import decoder
from orchestrator.store.base import CorruptObjectError, Store
from orchestrator.store.paths import check_link, check_path, parents

Kind = Literal["file", "symlink", "folder"]
PACKED_LIMIT = 16 << 20  # bytes; a file in a pack is read into memory whole
CHUNK = 1000  # entries encoded at once, for the sake of memory
HEAD = 16 << 10  # bytes of a manifest that are read first to learn its packs
_ENTRIES = b',\n"entries":'
_SHA256 = re.compile("[0-9a-f]{64}")


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One file, symbolic link or empty folder. (A folder with something in it needs no entry.)

    Attributes:
        path: Relative to the tree's folder, with `/`.
        kind: What it is.
        size: Bytes of a file.
        sha256: Of a file's bytes, in hex.
        mtime_ns: Modification time of a file, nanoseconds since the epoch.
        executable: Whether a file may be executed by its owner.
        target: Where a symbolic link points, as written in it.
        pack: Which of the manifest's packs a file's bytes are in; None if they are an object of their own.
        offset: Where in that pack they begin, in bytes.
    """

    path: str
    kind: Kind = "file"
    size: int = 0
    sha256: str = ""
    mtime_ns: int = 0
    executable: bool = False
    target: str = ""
    pack: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        check_path(self.path)
        if self.kind == "symlink":
            check_link(self.path, self.target)
        elif self.kind == "file" and not (_SHA256.fullmatch(self.sha256) and self.size >= 0):
            raise ValueError(f"file {self.path!r} needs a SHA-256 and a size of 0 or more")
        if self.pack is not None and not (self.kind == "file" and self.size <= PACKED_LIMIT and self.offset >= 0):
            raise ValueError(f"{self.kind} {self.path!r} cannot be in a pack")


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A whole tree, sorted by path.

    Attributes:
        entries: What is in it.
        packs: Keys of the packs that hold files of it, in the store.

    Building or decoding one raises ValueError (in decoding: msgspec.ValidationError) if it is
    unsorted, names a path twice, or has an entry below a file or link: a manifest that exists can be
    written to a folder without leaving it.
    """

    entries: tuple[Entry, ...] = ()
    packs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for key in self.packs:
            check_path(key)
        solid = {entry.path for entry in self.entries if entry.kind != "folder"}
        checked: set[str] = set()
        previous = ""
        for entry in self.entries:
            if entry.path <= previous:
                raise ValueError(f"path {entry.path!r} stands twice or out of order")
            previous = entry.path
            if entry.pack is not None and not 0 <= entry.pack < len(self.packs):
                raise ValueError(f"file {entry.path!r} is in a pack that is not named")
            folder = entry.path.rpartition("/")[0]
            if folder and folder not in checked:
                checked.add(folder)
                if not solid.isdisjoint([folder, *parents(folder)]):
                    raise ValueError(f"path {entry.path!r} lies below a file or a link")

    @property
    def files(self) -> int:
        """Number of files."""
        return sum(entry.kind == "file" for entry in self.entries)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.entries)

    def tree_hash(self) -> str:
        """Return the SHA-256 of names and contents; it ignores modification times."""
        digest = hashlib.sha256(b"[")
        for first in range(0, len(self.entries), CHUNK):
            chunk = self.entries[first : first + CHUNK]
            rows = [(entry.path, entry.kind, entry.executable, entry.sha256 or entry.target) for entry in chunk]
            digest.update(b"," * (first > 0) + msgspec.json.encode(rows)[1:-1])
        digest.update(b"]")
        return digest.hexdigest()


def manifest_of(entries: Iterable[Entry], packs: Iterable[str] = ()) -> Manifest:
    """Sort the entries into a manifest."""
    return Manifest(tuple(sorted(entries, key=lambda entry: entry.path)), tuple(packs))


def encode_manifest(manifest: Manifest) -> bytes:
    """Return a manifest as JSON with a line for each entry: for people who open the bucket, and for `grep`."""
    return b"".join(
        (b'{"packs": [\n', *_lines(manifest.packs), b"\n]", _ENTRIES, b" [\n", *_lines(manifest.entries), b"\n]}\n")
    )


def _lines(items: Sequence[str] | Sequence[Entry]) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    for first in range(0, len(items), CHUNK):
        if first:
            yield b",\n"
        yield encoder.encode_lines(items[first : first + CHUNK]).rstrip().replace(b"\n", b",\n")


def packs_of(store: Store, key: str) -> tuple[str, ...]:
    """Return the packs that the manifest at `key` names, reading no more than its beginning, where they stand.

    Raises:
        ObjectNotFoundError: There is no such manifest.
        CorruptObjectError: It is damaged.
    """
    length = HEAD
    while True:
        head = store.get_range(key, 0, length)
        before, found, _ = head.partition(_ENTRIES)
        if found or len(head) < length:
            break
        length *= 8
    try:
        return decoder(_Packs).decode(before + b"}" if found else head).packs
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "restore the object from a backup, or delete that version"
        raise CorruptObjectError(f"{key} is damaged: {error}", hint=hint) from error


class _Packs(msgspec.Struct):
    """What stands in front of a manifest's entries."""

    packs: tuple[str, ...] = ()
