"""The seam between mlctl and the bucket: what every store can do.

A store is a flat map from keys to objects, as in S3: keys are `/`-separated, an object is replaced
as a whole, and a reader sees the old object or the new one, never half. A write made under a
condition succeeds for exactly one of any number of racing writers, also when writers are killed.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec

from orchestrator.errors import ConflictError, NotFoundError, StoreError

# Told, from any thread, of each block of a large transfer before it moves: its bytes. It may wait, to limit the rate.
OnBytes: TypeAlias = Callable[[int], None]


def ignore_bytes(amount: int) -> None:
    """Neither count nor wait."""


class ObjectNotFoundError(NotFoundError):
    """No object has that key."""


class AlreadyExistsError(ConflictError):
    """A put-if-absent met an existing object."""


class ChangedError(ConflictError):
    """A put-if-unchanged met an object with another ETag."""


class CorruptObjectError(StoreError):
    """An object's bytes are not those its manifest recorded."""


class ObjectInfo(msgspec.Struct, frozen=True):
    """One entry of a listing.

    Attributes:
        key: Full key.
        size: Bytes.
        etag: Opaque; differs whenever the object was replaced by other bytes.
        modified: Seconds since the epoch.
    """

    key: str
    size: int
    etag: str
    modified: float


class Unfinished(msgspec.Struct, frozen=True):
    """An upload that has not ended, or never will: no object, but it takes room.

    Attributes:
        key: Of the object that it was to make; empty where that is not known.
        id: What the store calls it.
        size: Bytes that have arrived.
        modified: Seconds since the epoch when the last of them did, or when it was begun.
    """

    key: str
    id: str
    size: int
    modified: float


class Page(msgspec.Struct, frozen=True):
    """One page of a listing, in the store's order: that of the bytes of the keys, but for some servers.

    Attributes:
        objects: Objects below the prefix (with a delimiter: directly below it).
        prefixes: With a delimiter, the "folders" directly below the prefix, each ending in `/`.
        token: Pass it to get the next page; empty on the last.
    """

    objects: list[ObjectInfo]
    prefixes: list[str]
    token: str


class Object(msgspec.Struct, frozen=True):
    """A small object read whole."""

    data: bytes
    etag: str


class Store(Protocol):
    """A bucket and prefix, or a folder. Safe to use from several threads and processes.

    Every method raises `PermissionDeniedError` where access is refused, and `StoreError` where the
    store fails; more specific errors are named at each method.
    """

    @property
    def url(self) -> str:
        """Return the address, as in `file:///data/store`, without a trailing slash."""

    @property
    def identity(self) -> str:
        """Return what tells the store from all others; two services may have buckets of the same URL."""

    def get(self, key: str) -> Object:
        """Read a whole object. Raises ObjectNotFoundError."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Read up to `length` bytes from `start`; fewer (or none) at the end. Raises ObjectNotFoundError.

        Packed datasets are read by it, some MiB at once, from several threads.
        """

    def head(self, key: str) -> ObjectInfo | None:
        """Return size and ETag, or None if there is no such object."""

    def put(self, key: str, data: bytes) -> str:
        """Create or replace an object; return its ETag."""

    def put_if_absent(self, key: str, data: bytes) -> str:
        """Create an object; return its ETag. Raises AlreadyExistsError."""

    def put_if_unchanged(self, key: str, data: bytes, etag: str) -> str:
        """Replace the object that has this ETag; return the new one. Raises ChangedError (also if it is gone)."""

    def upload(self, key: str, source: Path | bytes, *, on_bytes: OnBytes = ignore_bytes) -> str:
        """Create or replace an object from a file of any size, or from memory.

        Args:
            key: Of the object.
            source: The file, or the bytes.
            on_bytes: Told of what is sent; a block that is sent again counts again, and one that an
                earlier, broken upload brought does not.

        Returns:
            The SHA-256 (hex) of the bytes that were stored, so that a caller can tell whether the
            file changed while it was read.
        """

    def download(self, key: str, path: Path, *, sha256: str | None = None, on_bytes: OnBytes = ignore_bytes) -> None:
        """Write an object of any size to a new file at `path`, whose folder exists.

        The file appears under its name only when it is whole and, where `sha256` is given, its
        bytes have that hash. `on_bytes` is told of what is fetched. Raises ObjectNotFoundError, CorruptObjectError.
        """

    def copy(self, source: str, target: str) -> None:
        """Copy an object inside the store, without moving bytes where the store can. Raises ObjectNotFoundError."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that do not exist are no error."""

    def list_page(self, prefix: str, *, delimiter: str = "", token: str = "", limit: int = 0) -> Page:
        """Return one page of the objects whose keys start with `prefix` (empty, or ending in `/`).

        A `limit` of 0 means the store's own page size. A folder that was just emptied may still be
        among the prefixes.
        """

    def list_unfinished(self) -> list[Unfinished]:
        """Return the uploads that were begun and have neither ended nor been given up."""

    def give_up(self, upload: Unfinished) -> None:
        """End an upload without making an object, and free its room; one that has ended meanwhile is no error."""

    def check_writable(self) -> None:
        """Prove that an object can be created. Raises PermissionDeniedError or StoreError with the reason."""


def list_objects(store: Store, prefix: str) -> Iterator[ObjectInfo]:
    """Yield every object below `prefix`, page by page."""
    token = ""
    while True:
        page = store.list_page(prefix, token=token)
        yield from page.objects
        if not (token := page.token):
            return


def list_folders(store: Store, prefix: str) -> Iterator[str]:
    """Yield the names of the "folders" directly below `prefix`, without slashes."""
    token = ""
    while True:
        page = store.list_page(prefix, delimiter="/", token=token)
        for folder in page.prefixes:
            yield folder[len(prefix) :].rstrip("/")
        if not (token := page.token):
            return
