"""Objects of a bucket kept on this machine, as long as their ETag is the one that a listing returns (DESIGN, D1).

One file per object, which holds its latest state only; whatever is wrong with such a file, the object is
read from the store. Any number of processes may use the folder at once.
"""

import hashlib
import os
from pathlib import Path

import msgspec

from orchestrator.config import cache_dir
from orchestrator.decoders import decoder
from orchestrator.files import write_whole
from orchestrator.store.base import Object, ObjectInfo, Store

LIMIT = 256 << 20  # bytes of all files; the least recently used go first


class _Head(msgspec.Struct, array_like=True):
    """The first line of a file: what the bytes behind it are."""

    key: str
    etag: str
    digest: str


def get_cached(store: Store, info: ObjectInfo) -> Object:
    """Return the object of a listing's entry, or what has replaced it since.

    Raises:
        ObjectNotFoundError: It was deleted since.
    """
    if store.url.startswith("file:"):
        return store.get(info.key)
    path = _folder() / hashlib.sha256(f"{store.identity}/{info.key}".encode()).hexdigest()[:32]
    if (data := _load(path, info)) is not None:
        return Object(data=data, etag=info.etag)
    found = store.get(info.key)
    _save(path, info.key, found)
    return found


def _folder() -> Path:
    return cache_dir() / "objects"


def _load(path: Path, info: ObjectInfo) -> bytes | None:
    try:
        line, _, data = path.read_bytes().partition(b"\n")
        head = decoder(_Head).decode(line)
        if (head.key, head.etag, head.digest) != (info.key, info.etag, _digest(data)):
            return None
        os.utime(path)
    except (OSError, msgspec.DecodeError):
        return None
    return data


def _save(path: Path, key: str, found: Object) -> None:
    head = msgspec.json.encode(_Head(key, found.etag, _digest(found.data)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, head + b"\n" + found.data)
        _make_room(path.parent)
    except OSError:  # a full disk, a cache that cannot be written: it goes without
        return


def _make_room(folder: Path) -> None:
    files = [(entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in os.scandir(folder)]
    total = sum(size for _, size, _ in files)
    if total <= LIMIT:
        return
    for _, size, path in sorted(files):
        Path(path).unlink(missing_ok=True)
        total -= size
        if total <= LIMIT // 2:
            return


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
