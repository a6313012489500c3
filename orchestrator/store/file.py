"""A store in a folder of this machine, or of a file server: the embedded default.

Objects are plain files under their keys. Writers of one key take turns by an `flock` (which the
kernel releases when a process dies) and replace files by `rename`, so readers need no lock and
never see half an object. The ETag is the modification time, made to grow strictly per key, and
the size: it differs after each replacement without anyone reading the bytes.
"""

import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator.errors import PermissionDeniedError, StoreError, UsageError
from orchestrator.store.base import (
    AlreadyExistsError,
    ChangedError,
    CorruptObjectError,
    Object,
    ObjectInfo,
    ObjectNotFoundError,
    OnBytes,
    Page,
    Unfinished,
    ignore_bytes,
)
from orchestrator.store.blocks import blocks_of, write_blocks

INTERNAL = ".mlctl"  # folder of locks and unfinished writes; never listed
LOCKS = 256  # writers of different keys rarely meet
PAGE_SIZE = 100_000  # objects; a listing reads whole folders anyway
STALE = 86_400.0  # seconds after which an unfinished write is dead

_serial = itertools.count()


class FileStore:
    """A store in a folder, which is made when the first object is written."""

    def __init__(self, folder: Path) -> None:
        self._root = folder

    @property
    def url(self) -> str:
        return self._root.as_uri()

    @property
    def identity(self) -> str:
        return self.url

    def get(self, key: str) -> Object:
        path = self._path(key)
        with _reading(key), path.open("rb") as file:
            data = file.read()
            return Object(data=data, etag=_etag(os.fstat(file.fileno())))

    def get_range(self, key: str, start: int, length: int) -> bytes:
        path = self._path(key)
        with _reading(key), path.open("rb") as file:
            file.seek(start)
            return file.read(length)

    def head(self, key: str) -> ObjectInfo | None:
        path = self._path(key)
        try:
            with _reading(key):
                stat = path.stat()
        except ObjectNotFoundError:
            return None
        return None if path.is_dir() else _info(key, stat)

    def put(self, key: str, data: bytes) -> str:
        with self._temporary(key) as temporary:
            temporary.write_bytes(data)
            with self._lock(key):
                return self._commit(key, temporary)

    def put_if_absent(self, key: str, data: bytes) -> str:
        with self._temporary(key) as temporary:
            _write_durably(temporary, data)
            with self._lock(key):
                if self.head(key):
                    raise AlreadyExistsError(f"{key} exists already in {self.url}")
                return self._commit(key, temporary)

    def put_if_unchanged(self, key: str, data: bytes, etag: str) -> str:
        with self._temporary(key) as temporary:
            _write_durably(temporary, data)
            with self._lock(key):
                current = self.head(key)
                if current is None or current.etag != etag:
                    raise ChangedError(f"{key} was changed meanwhile in {self.url}")
                return self._commit(key, temporary)

    def upload(self, key: str, source: Path | bytes, *, on_bytes: OnBytes = ignore_bytes) -> str:
        with self._temporary(key) as temporary:
            digest = write_blocks(blocks_of(source), temporary, on_bytes)
            with self._lock(key):
                self._commit(key, temporary)
        return digest

    def download(self, key: str, path: Path, *, sha256: str | None = None, on_bytes: OnBytes = ignore_bytes) -> None:
        source = self._existing(key)
        partial = path.with_name(f".mlctl-{os.getpid()}-{next(_serial)}")
        try:
            with _writing(str(path)):
                digest = write_blocks(blocks_of(source), partial, on_bytes)
                if sha256 and digest != sha256:
                    raise CorruptObjectError(
                        f"{key} in {self.url} is damaged: its SHA-256 is {digest}, recorded was {sha256}",
                        hint="restore the object from a backup, or push or import the version anew",
                    )
                partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def copy(self, source: str, target: str) -> None:
        origin = self._existing(source)
        with self._temporary(target) as temporary:
            # Objects are only ever replaced, never written in place, so two keys may share an inode.
            try:
                os.link(origin, temporary)
            except OSError:
                shutil.copy2(origin, temporary)
            with self._lock(target):
                self._place(target, temporary)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            path = self._path(key)
            with _writing(f"{key} in {self.url}"), self._lock(key):
                path.unlink(missing_ok=True)
            self._prune(path.parent)

    def list_page(self, prefix: str, *, delimiter: str = "", token: str = "", limit: int = 0) -> Page:
        if delimiter not in ("", "/"):
            raise ValueError(f"delimiter must be empty or '/', not {delimiter!r}")
        start = self._path(prefix.removesuffix("/")) if prefix else self._root
        wanted = limit or PAGE_SIZE
        objects: list[ObjectInfo] = []
        prefixes: list[str] = []
        last = ""
        for found in _walk(start, prefix, flat=not delimiter, after=token):
            if len(objects) + len(prefixes) == wanted:
                return Page(objects=objects, prefixes=prefixes, token=last)
            if isinstance(found, str):
                prefixes.append(found)
                last = found
            else:
                objects.append(found)
                last = found.key
        return Page(objects=objects, prefixes=prefixes, token="")

    def list_unfinished(self) -> list[Unfinished]:
        folder = self._root / INTERNAL / "tmp"
        found: list[Unfinished] = []
        with contextlib.suppress(ObjectNotFoundError), _reading(INTERNAL), os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # finished since it was listed
                    stat = entry.stat()
                    found.append(Unfinished("", entry.name, stat.st_size, stat.st_mtime))
        return found

    def give_up(self, upload: Unfinished) -> None:
        with _writing(f"{upload.id} in {self.url}"):
            (self._root / INTERNAL / "tmp" / upload.id).unlink(missing_ok=True)

    def check_writable(self) -> None:
        with self._temporary("a test object") as temporary:
            temporary.write_bytes(b"mlctl")
        for left in self.list_unfinished():
            if time.time() - left.modified > STALE:
                self.give_up(left)

    def _path(self, key: str) -> Path:
        segments = key.split("/")
        if any(segment in ("", ".", "..") for segment in segments) or "\0" in key or segments[0] == INTERNAL:
            raise UsageError(f"{key!r} cannot be the key of an object")
        return self._root.joinpath(*segments)

    def _existing(self, key: str) -> Path:
        if self.head(key) is None:
            raise ObjectNotFoundError(f"there is no object {key}")
        return self._path(key)

    @contextlib.contextmanager
    def _temporary(self, key: str) -> Iterator[Path]:
        folder = self._root / INTERNAL / "tmp"
        path = folder / f"{os.getpid()}-{time.time_ns():x}-{next(_serial)}"
        with _writing(f"{key} in {self.url}"):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                yield path
            finally:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        number = int.from_bytes(hashlib.blake2b(key.encode(errors="surrogateescape"), digest_size=2).digest()) % LOCKS
        path = self._root / INTERNAL / "locks" / f"{number:02x}"
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _commit(self, key: str, temporary: Path) -> str:
        """Give the written file a modification time later than its predecessor's and put it in place."""
        current = self.head(key)
        previous = int(current.etag.partition("-")[0], 16) if current else 0
        stamp = max(time.time_ns(), previous + 1)
        os.utime(temporary, ns=(stamp, stamp))
        etag = _etag(temporary.stat())
        self._place(key, temporary)
        return etag

    def _place(self, key: str, temporary: Path) -> None:
        path = self._path(key)
        while True:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.replace(path)
            except FileNotFoundError:  # a concurrent delete pruned the folder
                continue
            temporary.unlink(missing_ok=True)  # rename of a link to the same file does nothing
            return

    def _prune(self, folder: Path) -> None:
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:  # not empty, or gone already
                return
            folder = folder.parent


def _walk(folder: Path, prefix: str, *, flat: bool, after: str) -> Iterator[ObjectInfo | str]:
    """Yield objects and, unless flat, sub-prefixes behind the key `after`, in byte order of the keys."""
    try:
        with _reading(prefix), os.scandir(folder) as entries:
            found = [(entry.name + "/" if entry.is_dir() else entry.name, entry) for entry in entries]
    except ObjectNotFoundError:
        return
    found.sort(key=lambda pair: os.fsencode(pair[0]))
    marker = os.fsencode(after)
    for name, entry in found:
        key = prefix + name
        encoded = os.fsencode(key)
        if name.endswith("/"):
            inside = marker.startswith(encoded) and (flat or marker != encoded)
            if key == INTERNAL + "/" or (encoded <= marker and not inside):
                continue
            if flat:
                yield from _walk(folder / entry.name, key, flat=True, after=after)
            else:
                yield key
        elif encoded > marker:
            with contextlib.suppress(FileNotFoundError):  # deleted since it was listed
                yield _info(key, entry.stat())


def _etag(stat: os.stat_result) -> str:
    return f"{stat.st_mtime_ns:x}-{stat.st_size:x}"


def _info(key: str, stat: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key=key, size=stat.st_size, etag=_etag(stat), modified=stat.st_mtime)


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _reading(key: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ObjectNotFoundError(f"there is no object {key}") from error
    except PermissionError as error:
        raise PermissionDeniedError(f"cannot read {error.filename}: {error.strerror}", hint="check its mode") from error
    except OSError as error:
        raise StoreError(f"cannot read {key}: {error.strerror}") from error


@contextlib.contextmanager
def _writing(target: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "check the mode of its folder, or use another store: mlctl context add"
            raise PermissionDeniedError(f"cannot write {target}: {error.strerror}", hint=hint) from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "free some space and run the same command again: it goes on where it stopped"
            raise StoreError(f"cannot write {target}: {error.strerror}", hint=hint) from error
        raise StoreError(f"cannot write {target}: {error.strerror}") from error
