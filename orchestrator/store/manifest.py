"""What a tree of files consists of: the record that makes it exist, and that every reader checks against."""

import hashlib
import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from orchestrator.store.paths import check_link, check_path, parents

Kind = Literal["file", "symlink", "folder"]
_SHA256 = re.compile("[0-9a-f]{64}")


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file, symbolic link or empty folder. (A folder with something in it needs no entry.)

    Attributes:
        path: Relative to the tree's folder, with `/`.
        kind: What it is.
        size: Bytes of a file.
        sha256: Of a file's bytes, in hex.
        mtime_ns: Modification time of a file, nanoseconds since the epoch.
        executable: Whether a file may be executed by its owner.
        target: Where a symbolic link points, as written in it.
    """

    path: str
    kind: Kind = "file"
    size: int = 0
    sha256: str = ""
    mtime_ns: int = 0
    executable: bool = False
    target: str = ""

    def __post_init__(self) -> None:
        check_path(self.path)
        if self.kind == "symlink":
            check_link(self.path, self.target)
        elif self.kind == "file" and not (_SHA256.fullmatch(self.sha256) and self.size >= 0):
            raise ValueError(f"file {self.path!r} needs a SHA-256 and a size of 0 or more")


class Manifest(msgspec.Struct, frozen=True):
    """A whole tree, sorted by path.

    Building or decoding one raises ValueError (in decoding: msgspec.ValidationError) if it is
    unsorted, names a path twice, or has an entry below a file or link: a manifest that exists can be
    written to a folder without leaving it.
    """

    entries: tuple[Entry, ...] = ()

    def __post_init__(self) -> None:
        solid = {entry.path for entry in self.entries if entry.kind != "folder"}
        checked: set[str] = set()
        previous = ""
        for entry in self.entries:
            if entry.path <= previous:
                raise ValueError(f"path {entry.path!r} stands twice or out of order")
            previous = entry.path
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
        rows = [(entry.path, entry.kind, entry.executable, entry.sha256 or entry.target) for entry in self.entries]
        return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()


def manifest_of(entries: Iterable[Entry]) -> Manifest:
    """Sort the entries into a manifest."""
    return Manifest(tuple(sorted(entries, key=lambda entry: entry.path)))
