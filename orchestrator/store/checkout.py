"""A folder with what is below a prefix of a bucket now, for what must read it as files.

It is kept in the cache under the hash of the listing (keys, sizes, ETags): what is unchanged is not fetched twice.
"""

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from orchestrator.config import cache_dir
from orchestrator.errors import NotFoundError, UsageError
from orchestrator.progress import SILENT, Reporter
from orchestrator.store.base import ObjectInfo, Store, list_objects
from orchestrator.store.parallel import as_mlctl_error, for_each, raise_failures
from orchestrator.store.paths import check_path

LARGEST = 1 << 30  # bytes; a larger prefix is not that of code
MOST = 100_000  # objects
STALE = 86_400.0  # seconds after which another state of the prefix is not kept


def check_out(store: Store, *, reporter: Reporter = SILENT) -> Path:
    """Return a folder with all files of a store that was opened at a prefix, under the prefix's own name.

    Raises:
        NotFoundError: There is nothing.
        UsageError: There is too much, or a key cannot be the path of a file.
        PermissionDeniedError, StoreError: The store, or the cache, refuses or fails.
    """
    items = _list(store)
    name = store.url.rpartition("/")[2]
    states = cache_dir() / "code" / hashlib.sha256(store.identity.encode()).hexdigest()[:24]
    state = hashlib.sha256(msgspec.json.encode([(item.key, item.size, item.etag) for item in items])).hexdigest()[:24]
    place = states / state
    try:
        if not place.exists():
            states.mkdir(parents=True, exist_ok=True)
            _drop_stale(states)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=states) as scratch:
                _fetch(store, items, Path(scratch, state, name), reporter)
                with suppress(OSError):  # another process may have been first
                    Path(scratch, state).rename(place)
        os.utime(place)
    except OSError as error:
        raise as_mlctl_error(error, f"cannot write {states}") from error
    return place / name


def _list(store: Store) -> list[ObjectInfo]:
    items: list[ObjectInfo] = []
    size = 0
    for item in list_objects(store, ""):
        try:
            check_path(item.key)
        except ValueError as error:
            raise UsageError(f"{store.url}/{item.key} cannot be a file: {error}", hint="rename the object") from error
        items.append(item)
        size += item.size
        if size > LARGEST or len(items) > MOST:
            hint = f"name the prefix of the code alone; at most {LARGEST >> 30} GiB and {MOST:,} files"
            raise UsageError(f"{store.url} holds too much for code", hint=hint)
    # What an S3 browser makes for an empty folder `a/` is shown as an empty object `a`, and must not hide `a/b`.
    folders = {item.key[:end] for item in items for end, letter in enumerate(item.key) if letter == "/"}
    items = sorted((item for item in items if item.key not in folders), key=lambda item: item.key)
    if not items:
        raise NotFoundError(f"there is nothing below {store.url}/", hint="check the bucket and the prefix")
    return items


def _fetch(store: Store, items: list[ObjectInfo], folder: Path, reporter: Reporter) -> None:
    with reporter.bar("fetch code", total=len(items), unit="files") as bar:

        def work(item: ObjectInfo) -> None:
            path = folder / item.key
            path.parent.mkdir(parents=True, exist_ok=True)
            store.download(item.key, path)
            path.chmod(0o444)  # it is to stay what the bucket has
            bar.advance(1)

        failures = for_each(items, work, name=lambda item: item.key)
    raise_failures(failures, f"fetching {store.url}")


def _drop_stale(states: Path) -> None:
    for other in states.iterdir():
        with suppress(FileNotFoundError):  # another process does the same
            if time.time() - other.stat().st_mtime > STALE:
                shutil.rmtree(other, ignore_errors=True)
