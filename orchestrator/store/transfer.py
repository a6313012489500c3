"""Move whole trees of files between a folder and a store: verified, and without repeating work."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from orchestrator.errors import MlctlError
from orchestrator.progress import SILENT, Bar, Reporter
from orchestrator.store.base import CorruptObjectError, ObjectNotFoundError, Store, list_objects
from orchestrator.store.contents import at_rest
from orchestrator.store.index import Sent, hash_file, stat_file
from orchestrator.store.manifest import Entry, Manifest, manifest_of
from orchestrator.store.pack import How, OnFile, Pack, Packing
from orchestrator.store.parallel import THREADS, Failure, failure_of, for_each, raise_failures
from orchestrator.store.place import Target
from orchestrator.store.rate import UNLIMITED, Meter, Rate
from orchestrator.store.scan import Found, Scan, scan_all
from orchestrator.store.unpack import Span, read_packed, spans_of

STREAMS = 8  # threads for files that are objects of their own: a bucket serves several better than one


def upload_tree(
    store: Store,
    prefix: str,
    folder: Path,
    *,
    scan: Scan | None = None,
    known: Mapping[str, str] | None = None,
    held: Mapping[str, str] | None = None,
    packing: Packing | None = None,
    on_file: OnFile | None = None,
    reporter: Reporter = SILENT,
    rate: Rate = UNLIMITED,
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
        packing: Puts the small files into packs; without it each file is an object below the prefix.
        on_file: Told of each stored file.
        reporter: Told of the bytes.
        rate: Of what is sent.

    Raises:
        PermissionDeniedError: The store or all failed files refuse access.
        StoreError: The table of the files that failed; the others are stored.
    """
    if scan is None:
        scan = scan_all(folder)
        for skipped in scan.skipped:
            reporter.note(f"{folder / skipped.path} is not uploaded: {skipped.reason}")
    tell = on_file or _ignore_file
    known = known or {}
    plain, small = scan.files, []
    if packing:
        plain = [found for found in scan.files if not packing.takes(found)]
        small = [found for found in scan.files if packing.takes(found)]
    upload = _Upload(store, prefix, folder, known, held or {})
    done = [
        Entry(path=found.path, kind=found.kind, target=found.target) for found in scan.found if found.kind != "file"
    ]
    with reporter.bar("upload", total=scan.size, unit="bytes") as bar:
        advance = _locked(bar)

        def work(item: Found | Pack) -> None:
            if isinstance(item, Pack):
                assert packing
                packing.send(item, on_file=tell, advance=advance, rate=rate)
                return
            meter = Meter(advance, item.size, rate)
            state, sha256, seen_ns, how = upload.put(item, meter)
            done.append(_entry(state, sha256))
            tell(state, sha256, seen_ns, how)
            meter.finish()

        packs: Iterator[Pack] = iter(())
        if packing:
            packs = packing.packs(folder, small, known, on_file=tell, advance=advance)
        try:
            items: Iterator[Found | Pack] = chain(plain, packs)
            threads = THREADS if packing else STREAMS  # packs are held in memory
            failures = for_each(
                items, work, name=lambda item: item.key if isinstance(item, Pack) else item.path, threads=threads
            )
        finally:
            upload.close()
    if packing:
        failures = sorted([*failures, *packing.failures], key=lambda failure: failure.path)
    raise_failures(failures, f"uploading {folder}")
    return packing.manifest(done) if packing else manifest_of(done)


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


def download_tree(
    store: Store, prefix: str, manifest: Manifest, target: Path, *, reporter: Reporter = SILENT, rate: Rate = UNLIMITED
) -> None:
    """Write a tree into a folder, which is made; every file is verified by its SHA-256.

    Files that are there with the right content are left alone, so a broken download goes on. Files that
    the manifest does not name stay. Nothing is written through a symbolic link.

    Args:
        store: Where from.
        prefix: Of the files that are not packed, ends in `/`.
        manifest: What the tree consists of.
        target: The folder.
        reporter: Told of the bytes.
        rate: Of what is fetched.

    Raises:
        CorruptObjectError: Objects are missing or damaged; names them. The other files are there.
        PermissionDeniedError: The folder cannot be written.
        StoreError: Anything else that failed, as a table.
    """
    place = Target(target)
    failed: list[Failure] = []
    with reporter.bar("download", total=manifest.size, unit="bytes") as bar:
        advance = _locked(bar)

        def unpack(span: Span) -> None:
            missing = []
            for entry in span.entries:
                with _noting(entry, failed):
                    if place.has(entry):
                        advance(entry.size)
                    else:
                        missing.append(entry)
            for entry, piece in read_packed(store, manifest.packs, missing, rate):
                with _noting(entry, failed):
                    if isinstance(piece, MlctlError):
                        raise piece
                    place.write(entry, piece)
                    advance(entry.size)

        def work(item: Entry | Span) -> None:
            if isinstance(item, Span):
                unpack(item)
            elif item.kind == "folder":
                place.make(item.path)
            elif item.kind == "symlink":
                place.link(item)
            else:
                meter = Meter(advance, item.size, rate)
                _download(store, prefix + item.path, place, item, meter)
                meter.finish()

        single = [entry for entry in manifest.entries if entry.pack is None]
        items: Iterator[Entry | Span] = chain(single, spans_of(manifest.packs, manifest.entries))
        threads = THREADS if manifest.packs else STREAMS
        failures = for_each(
            items, work, name=lambda item: item.key if isinstance(item, Span) else item.path, threads=threads
        )
    raise_failures(sorted([*failures, *failed], key=lambda failure: failure.path), f"downloading to {target}")


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

    def put(self, found: Found, meter: Meter) -> tuple[Found, str, int, How]:
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
        found, sha256, seen_ns = _stable(
            self._folder, found.path, lambda: self._store.upload(key, local, on_bytes=meter)
        )
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


def _stable(folder: Path, path: str, read: Callable[[], str]) -> tuple[Found, str, int]:
    """Read a file until it did not change meanwhile; return its state, SHA-256, and the time before reading."""

    def attempt() -> tuple[Found, str, int] | None:
        seen_ns = time.time_ns()
        before = stat_file(folder, path)
        sha256 = read()
        return (before, sha256, seen_ns) if stat_file(folder, path) == before else None

    return at_rest(attempt)


def _entry(found: Found, sha256: str) -> Entry:
    return Entry(path=found.path, size=found.size, sha256=sha256, mtime_ns=found.mtime_ns, executable=found.executable)


def _download(store: Store, key: str, place: Target, entry: Entry, meter: Meter) -> None:
    if place.has(entry):
        return
    try:
        store.download(key, place.path(entry), sha256=entry.sha256, on_bytes=meter)
    except ObjectNotFoundError as error:
        hint = "restore the object from a backup, or push or import the version anew"
        raise CorruptObjectError(f"{key} is missing in {store.url}", hint=hint) from error
    place.finish(entry)


@contextmanager
def _noting(entry: Entry, failed: list[Failure]) -> Iterator[None]:
    """Note a failed file, so that those beside it are dealt with."""
    try:
        yield
    except (MlctlError, OSError) as error:
        failed.append(failure_of(entry.path, error))


def _ignore_file(found: Found, sha256: str, seen_ns: int, how: How) -> None:
    """Not be interested."""


def _locked(bar: Bar) -> Callable[[int], None]:
    lock = threading.Lock()

    def advance(amount: int) -> None:
        with lock:
            bar.advance(amount)

    return advance
