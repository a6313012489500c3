"""A store in memory that behaves as a bucket does, answers page by page, and can be made to stop at each request."""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

from orchestrator.store.base import (
    AlreadyExistsError,
    ChangedError,
    Object,
    ObjectInfo,
    ObjectNotFoundError,
    OnBytes,
    Page,
    Unfinished,
    ignore_bytes,
)


class MemoryStore:
    """As much of a store as records, listings and collectors of garbage need.

    Args:
        page: Entries of a listing that come at once.

    Attributes:
        url, identity: Its address.
        before: Called before each request, with what is asked for.
        requests: Number of requests so far.
        clock: Dates the objects.
    """

    def __init__(self, page: int = 1000) -> None:
        self.url = self.identity = f"s3://memory-{secrets.token_hex(8)}"
        self.before: Callable[[str, str], None] = lambda request, key: None
        self.requests = 0
        self.clock: Callable[[], float] = time.time
        self._page = page
        self._objects: dict[str, ObjectInfo] = {}
        self._data: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._etags = count()

    def get(self, key: str) -> Object:
        self._ask("get", key)
        with self._lock:
            if key not in self._objects:
                raise ObjectNotFoundError(key)
            return Object(data=self._data[key], etag=self._objects[key].etag)

    def head(self, key: str) -> ObjectInfo | None:
        self._ask("head", key)
        return self._objects.get(key)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        return self.get(key).data[start : start + length]

    def upload(self, key: str, source: Path | bytes, *, on_bytes: OnBytes = ignore_bytes) -> str:
        data = source if isinstance(source, bytes) else source.read_bytes()
        self.put(key, data)
        return hashlib.sha256(data).hexdigest()

    def list_unfinished(self) -> list[Unfinished]:
        return []

    def put(self, key: str, data: bytes) -> str:
        self._ask("put", key)
        with self._lock:
            return self._put(key, data)

    def put_if_absent(self, key: str, data: bytes) -> str:
        self._ask("put_if_absent", key)
        with self._lock:
            if key in self._objects:
                raise AlreadyExistsError(key)
            return self._put(key, data)

    def put_if_unchanged(self, key: str, data: bytes, etag: str) -> str:
        self._ask("put_if_unchanged", key)
        with self._lock:
            if key not in self._objects or self._objects[key].etag != etag:
                raise ChangedError(key)
            return self._put(key, data)

    def delete(self, keys: Iterable[str]) -> None:
        for key in list(keys):
            self._ask("delete", key)
            with self._lock:
                self._objects.pop(key, None)
                self._data.pop(key, None)

    def list_page(self, prefix: str, *, delimiter: str = "", token: str = "", limit: int = 0) -> Page:
        self._ask("list", prefix)
        objects: list[ObjectInfo] = []
        prefixes: list[str] = []
        with self._lock:
            for key in sorted(key for key in self._objects if key.startswith(prefix)):
                head, slash, _ = key[len(prefix) :].partition("/")
                folder = prefix + head + "/" if delimiter and slash else ""
                if (folder or key) <= token or folder in prefixes:
                    continue
                if len(objects) + len(prefixes) == self._page:
                    return Page(objects, prefixes, max([*prefixes, *(item.key for item in objects)]))
                if folder:
                    prefixes.append(folder)
                else:
                    objects.append(self._objects[key])
        return Page(objects, prefixes, "")

    def _ask(self, request: str, key: str) -> None:
        self.before(request, key)
        self.requests += 1

    def _put(self, key: str, data: bytes) -> str:
        etag = str(next(self._etags))
        self._data[key] = data
        self._objects[key] = ObjectInfo(key=key, size=len(data), etag=etag, modified=self.clock())
        return etag
