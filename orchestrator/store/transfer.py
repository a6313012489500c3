"""Move whole trees of files between a folder and a store: verified, and without repeating work."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from orchestrator.progress import SILENT, Bar, Reporter
from orchestrator.store.base import CorruptObjectError, ObjectNotFoundError, Store, list_objects
from orchestrator.store.index import Sent, hash_file, stat_file
from orchestrator.store.manifest import Entry, Manifest, manifest_of
from orchestrator.store.parallel import FileError, for_each, raise_failures
from orchestrator.store.paths import parents
from orchestrator.store.scan import Found, Scan, scan_all

STABLE_ATTEMPTS = 3  # readings of a file that changes meanwhile
STABLE_PAUSE = 0.2  # seconds between them

How = Literal["sent", "copied", "present"]


def upload_tree(
    store: Store,
    prefix: str,
    folder: Path,
    *,
    scan: Scan | None = None,
    known: Mapping[str, str] | None = None,
    held: Mapping[str, str] | None = None,
    on_file: Callable[[Found, str, int, How], None] | None = None,
    reporter: Reporter = SILENT,
) -> Manifest:
    """Put the files of a folder below a prefix and return what is there now.

    Run again after it was killed, it goes on: an object that is in the store with the file's content
    is not sent again. Objects below the prefix that the folder does not have are left alone.

    Args:
        store: Where to.
        prefix: Ends in `/`.
        folder: Where from.
        scan: What to send; by default all that there is, and what cannot be sent is noted.
        known: SHA-256 by path, of files that need not be read.
        held: Keys in the store by SHA-256, which are copied rather than sent.
        on_file: Told from several threads of each stored file: its state, SHA-256, the time before
            it was read (ns), and how it got there.
        reporter: Told of the bytes.

    Raises:
        PermissionDeniedError: The store or all failed files refuse access.
        StoreError: The table of the files that failed; the others are stored.
    """
    if scan is None:
        scan = scan_all(folder)
        for skipped in scan.skipped:
            reporter.note(f"{folder / skipped.path} is not uploaded: {skipped.reason}")
    upload = _Upload(store, prefix, folder, known or {}, held or {})
    done: list[Entry] = []
    others = [
        Entry(path=found.path, kind=found.kind, target=found.target) for found in scan.found if found.kind != "file"
    ]
    with reporter.bar("upload", total=scan.size, unit="bytes") as bar:
        advance = _locked(bar)

        def work(found: Found) -> None:
            state, sha256, seen_ns, how = upload.put(found)
            done.append(_entry(state, sha256))
            if on_file:
                on_file(state, sha256, seen_ns, how)
            advance(found.size)

        try:
            failures = for_each(scan.files, work, name=lambda found: found.path)
        finally:
            upload.close()
    raise_failures(failures, f"uploading {folder}")
    return manifest_of([*done, *others])


def hash_tree(
    folder: Path, files: list[Found], on_file: Callable[[Found, str, int], None], *, reporter: Reporter = SILENT
) -> None:
    """Read files and tell `on_file` (from several threads) each one's state, SHA-256 and the time before reading.

    Raises:
        StoreError: Some could not be read.
    """
    with reporter.bar("read", total=sum(found.size for found in files), unit="bytes") as bar:
        advance = _locked(bar)

        def work(found: Found) -> None:
            path = folder / found.path
            state, sha256, seen_ns = _stable(folder, found.path, lambda: hash_file(path))
            on_file(state, sha256, seen_ns)
            advance(found.size)

        failures = for_each(files, work, name=lambda found: found.path)
    raise_failures(failures, f"reading {folder}")


def download_tree(store: Store, prefix: str, manifest: Manifest, target: Path, reporter: Reporter = SILENT) -> None:
    """Write a tree into a folder, which is made; every file is verified by its SHA-256.

    Files that are there with the right content are left alone, so a broken download goes on. Files that
    the manifest does not name stay. Nothing is written through a symbolic link.

    Args:
        store: Where from.
        prefix: Ends in `/`.
        manifest: What the tree consists of.
        target: The folder.
        reporter: Told of the bytes.

    Raises:
        CorruptObjectError: Objects are missing or damaged; names them. The other files are there.
        PermissionDeniedError: The folder cannot be written.
        StoreError: Anything else that failed, as a table.
    """
    folders = _Folders(target)
    with reporter.bar("download", total=manifest.size, unit="bytes") as bar:
        advance = _locked(bar)

        def work(entry: Entry) -> None:
            path = target / entry.path
            folders.make(entry.path if entry.kind == "folder" else entry.path.rpartition("/")[0])
            if entry.kind == "symlink":
                _write_link(path, entry.target)
            elif entry.kind == "file":
                _download(store, prefix + entry.path, path, entry)
            advance(entry.size)

        failures = for_each(manifest.entries, work, name=lambda entry: entry.path)
    raise_failures(failures, f"downloading to {target}")


class _Upload:
    def __init__(
        self, store: Store, prefix: str, folder: Path, known: Mapping[str, str], held: Mapping[str, str]
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._folder = folder
        self._known = known
        self._held = held
        self._sent = Sent(store, prefix)
        self._sizes = {item.key: item.size for item in list_objects(store, prefix)} if self._sent.hashes else {}

    def put(self, found: Found) -> tuple[Found, str, int, How]:
        """Bring one file into the store; return its state, SHA-256, the time before reading, and how."""
        key = self._prefix + found.path
        local = self._folder / found.path
        seen_ns = time.time_ns()
        sha256 = self._known.get(found.path)
        resumed = self._sizes.get(key) == found.size and found.path in self._sent.hashes
        if resumed and sha256 is None:
            found, sha256, seen_ns = _stable(self._folder, found.path, lambda: hash_file(local))
        if sha256 and resumed and sha256 == self._sent.hashes[found.path]:
            return found, sha256, seen_ns, "present"
        if sha256 and (source := self._held.get(sha256)) and self._copy(source, key):
            self._sent.add(found.path, sha256)
            return found, sha256, seen_ns, "copied"
        found, sha256, seen_ns = _stable(self._folder, found.path, lambda: self._store.upload(key, local))
        self._sent.add(found.path, sha256)
        return found, sha256, seen_ns, "sent"

    def close(self) -> None:
        self._sent.close()

    def _copy(self, source: str, key: str) -> bool:
        try:
            self._store.copy(source, key)
        except ObjectNotFoundError:  # the earlier version has lost it: send the file
            return False
        return True


class _Folders:
    """Makes folders below a target, refusing to pass through links."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._made: set[str] = set()
        self._lock = threading.Lock()

    def make(self, folder: str) -> None:
        with self._lock:
            if not self._made:
                self._target.mkdir(parents=True, exist_ok=True)
                self._made.add("")
            if folder in self._made:
                return
            for step in (*parents(folder), folder):
                path = self._target / step
                if path.is_symlink():
                    raise FileError(f"{path} is a link, and nothing is written through links", hint="remove the link")
                path.mkdir(exist_ok=True)
                self._made.add(step)


def _stable(folder: Path, path: str, read: Callable[[], str]) -> tuple[Found, str, int]:
    """Read a file until it did not change meanwhile; return its state, SHA-256, and the time before reading."""
    for attempt in range(STABLE_ATTEMPTS):
        if attempt:
            time.sleep(STABLE_PAUSE * attempt)
        seen_ns = time.time_ns()
        before = stat_file(folder, path)
        sha256 = read()
        if stat_file(folder, path) == before:
            return before, sha256, seen_ns
    raise FileError("it is being written to", hint="run the same command again when nothing changes the folder")


def _entry(found: Found, sha256: str) -> Entry:
    return Entry(path=found.path, size=found.size, sha256=sha256, mtime_ns=found.mtime_ns, executable=found.executable)


def _download(store: Store, key: str, path: Path, entry: Entry) -> None:
    if path.is_symlink():
        path.unlink()
    if not (path.is_file() and path.stat().st_size == entry.size and hash_file(path) == entry.sha256):
        try:
            store.download(key, path, sha256=entry.sha256)
        except ObjectNotFoundError as error:
            hint = "restore the object from a backup, or push or import the version anew"
            raise CorruptObjectError(f"{key} is missing in {store.url}", hint=hint) from error
    path.chmod(0o755 if entry.executable else 0o644)
    os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))


def _write_link(path: Path, target: str) -> None:
    if path.is_symlink():
        path.unlink()
    path.symlink_to(target)


def _locked(bar: Bar) -> Callable[[int], None]:
    lock = threading.Lock()

    def advance(amount: int) -> None:
        with lock:
            bar.advance(amount)

    return advance
