"""Where a URL leads: to a bucket's store, and to what is there."""

import posixpath
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from orchestrator.errors import MlctlError, UsageError
from orchestrator.store.base import ObjectInfo, Store, list_objects
from orchestrator.store.paths import parents


class Place(msgspec.Struct, frozen=True):
    """A file or folder in a bucket.

    Attributes:
        store: Of the whole bucket.
        key: Without slashes at its ends; empty is the bucket itself.
        url: As it is shown.
    """

    store: Store
    key: str
    url: str

    @property
    def prefix(self) -> str:
        """Return what the keys of its files begin with, if it is a folder."""
        return self.key and f"{self.key}/"

    def below(self, path: str) -> "Place":
        """Return what has this relative path in it."""
        key = posixpath.normpath(f"{self.prefix}{path}")
        return Place(self.store, key, f"{self.url.rstrip('/')}/{path}")


class Places:
    """Opens each bucket once, and remembers folders.

    Args:
        connect: Opens the store at a URL.
        folders: URLs of folders that are there although nothing is in them.
        memory: A file that keeps the folders that are made.
    """

    def __init__(self, connect: Callable[[str], Store], folders: tuple[str, ...], memory: Path) -> None:
        self._connect = connect
        self._memory = memory
        self._stores: dict[str, Store] = {}
        self._lock = threading.Lock()
        made = memory.read_text(encoding="utf-8").splitlines() if memory.exists() else []
        self._folders = {address(url) for url in (*folders, *made) if "://" in url}

    @contextmanager
    def at(self, *urls: str) -> Iterator[tuple[Place, ...]]:
        """Give the places at URLs. If it fails inside the block, their stores are opened anew: keys may have changed.

        Raises:
            UsageError: One is not a URL of a bucket.
        """
        found = tuple(self._place(url) for url in urls)
        try:
            yield found
        except MlctlError:
            with self._lock:
                for place in found:
                    self._stores.pop(place.store.url, None)
            raise

    def is_made(self, place: Place) -> bool:
        """Tell whether somebody wants the folder to be there, or one in it."""
        bucket, prefix = place.store.url, place.prefix
        return any(at == bucket and f"{key}/".startswith(prefix) for at, key in self._folders)

    def made_below(self, place: Place) -> list[str]:
        """Return the folders in a folder that somebody wants to be there, by relative paths."""
        bucket, prefix = place.store.url, place.prefix
        keys = [key for at, key in self._folders if at == bucket and key.startswith(prefix) and key != place.key]
        paths = [key[len(prefix) :] for key in keys]
        return sorted({*paths, *(parent for path in paths for parent in parents(path))})

    def make(self, place: Place) -> None:
        """Have the folder there from now on."""
        with self._lock:
            if (place.store.url, place.key) not in self._folders:
                self._folders.add((place.store.url, place.key))
                with self._memory.open("a", encoding="utf-8") as file:
                    file.write(f"{place.store.url}/{place.key}\n")

    def forget(self, place: Place) -> None:
        """Have no folder there, nor below it; the memory keeps only what was made."""
        with self._lock:
            bucket, prefix = place.store.url, place.prefix
            self._folders = {one for one in self._folders if one[0] != bucket or not f"{one[1]}/".startswith(prefix)}

    def _place(self, url: str) -> Place:
        bucket, key = address(url)
        with self._lock:
            store = self._stores.get(bucket)
            if store is None:
                store = self._stores[bucket] = self._connect(bucket)
        return Place(store, key, url)


def address(url: str) -> tuple[str, str]:
    """Return the bucket's URL, and the key without slashes at its ends; slashes that are doubled count once.

    Raises:
        UsageError: It is not a URL of a bucket, or leads out of it.
    """
    scheme, separator, rest = url.partition("://")
    bucket, _, path = rest.partition("/")
    if not separator or scheme not in ("s3", "obs") or not bucket:
        raise UsageError(f"{url!r} is not s3://BUCKET/PATH or obs://BUCKET/PATH")
    key = posixpath.normpath("/".join(part for part in path.split("/") if part))
    if key.split("/")[0] == "..":
        raise UsageError(f"{url!r} leads out of its bucket")
    return f"{scheme}://{bucket}", "" if key == "." else key


def files_below(place: Place) -> dict[str, ObjectInfo]:
    """Return what is below a folder, by relative paths, sorted.

    Browsers of buckets mark a folder by an empty object of its name: where something is in the folder, that is no file.
    """
    start = len(place.prefix)
    found = {item.key[start:]: item for item in list_objects(place.store, place.prefix)}
    folders = {path[:cut] for path in found for cut in range(len(path)) if path[cut] == "/"}
    return {path: found[path] for path in sorted(found) if found[path].size or path not in folders}
