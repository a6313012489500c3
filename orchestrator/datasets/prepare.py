"""Make a catalog entry's files on this machine, from the first source that works."""

import fcntl
import gzip
import hashlib
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.config import cache_dir
from orchestrator.datasets.catalog import CatalogEntry, File, Mirror, PythonPackage, Source
from orchestrator.datasets.download import DownloadError, download, path_name
from orchestrator.datasets.packages import fetch_deb, fetch_wheel
from orchestrator.datasets.recipes import BLOCK, RECIPES, gzip_file
from orchestrator.progress import Reporter
from orchestrator.store.index import hash_file
from orchestrator.store.parallel import as_mlctl_error

RAW = "raw-"  # folders of what sources gave; one that a killed import left is used by the next
MADE = "made"  # folder of files that are complete, but perhaps not all of them


def prepare(entry: CatalogEntry, *, reporter: Reporter) -> tuple[Path, str]:
    """Return a folder with the entry's files, each verified, and the source they came from.

    The folder is in the user's cache. Files that are there already are used; a killed or broken
    preparation goes on.

    Raises:
        DownloadError: No source works; names each with its reason.
        PermissionDeniedError, StoreError: The cache cannot be written.
    """
    place = cache_dir() / "downloads" / f"{entry.name}-{entry.identity[:12]}"
    try:
        with _locked(place) as lock:
            ready = place / "files"
            ready.mkdir(exist_ok=True)
            note = place / "source"
            if not all(_is_good(ready / file.path, file) for file in entry.files):
                source = _obtain(entry, place, lock, reporter)
                note.write_text(source.label, encoding="utf-8")
                for file in entry.files:
                    (place / MADE / file.path).replace(ready / file.path)
                for leftover in (place / MADE, *place.glob(f"{RAW}*")):
                    shutil.rmtree(leftover)
            if entry.gzipped:
                _add_gzipped(entry, ready, reporter)
            return ready, note.read_text(encoding="utf-8")
    except OSError as error:
        raise as_mlctl_error(error, f"cannot write {error.filename or place}") from error


def _obtain(entry: CatalogEntry, place: Path, lock: int, reporter: Reporter) -> Source:
    """Try the sources in order; return the one that worked."""
    failures: list[str] = []
    for source in entry.sources:
        if failures:
            reporter.note(f"cannot get {entry.name} from {failures[-1]}")
        try:
            _use(source, entry, place, lock, reporter)
        except DownloadError as error:
            failures.append(error.message)
        else:
            return source
    table = "".join(f"\n  - {failure}" for failure in failures)
    raise DownloadError(
        f"none of the {len(failures)} sources of dataset {entry.name} works:{table}",
        hint="check the network, the proxy and pip's settings, then run the same command again",
    )


def _use(source: Source, entry: CatalogEntry, place: Path, lock: int, reporter: Reporter) -> None:
    """Make the entry's files from one source, which must give exactly what the catalog says."""
    raw = place / f"{RAW}{hashlib.sha256(source.label.encode()).hexdigest()[:12]}"
    made = place / MADE
    shutil.rmtree(made, ignore_errors=True)
    raw.mkdir(exist_ok=True)
    made.mkdir()
    paths = _fetch(source, raw, lock, reporter)
    reporter.note(f"unpacking {entry.name} from {source.label}")
    try:
        RECIPES[source.recipe](paths, made)
        bad = [file.path for file in entry.files if not _is_good(made / file.path, file)]
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        shutil.rmtree(raw)
        raise DownloadError(f"{source.label}: what it gave cannot be read: {error}") from error
    if bad:
        shutil.rmtree(raw)
        raise DownloadError(f"{source.label}: wrong content of {', '.join(bad)}")


def _fetch(source: Source, raw: Path, lock: int, reporter: Reporter) -> list[Path]:
    if isinstance(source, Mirror):
        for name in source.files:
            download(source.url + name, raw / path_name(name), reporter=reporter)
        return [raw / path_name(name) for name in source.files]
    if isinstance(source, PythonPackage):
        return fetch_wheel(source, raw, lock=lock, reporter=reporter)
    return fetch_deb(source, raw, reporter=reporter)


def _add_gzipped(entry: CatalogEntry, ready: Path, reporter: Reporter) -> None:
    """Make the `.gz` of each file. It is checked by what it unpacks to: versions of zlib pack differently."""
    todo = [file for file in entry.files if not _unpacks_to(ready / f"{file.path}.gz", file)]
    with reporter.bar(f"compress {entry.name}", total=sum(file.size for file in todo), unit="bytes") as bar:
        for file in todo:
            partial = ready.parent / "packed"
            gzip_file(ready / file.path, partial, on_bytes=bar.advance)
            partial.replace(ready / f"{file.path}.gz")


def _is_good(path: Path, file: File) -> bool:
    return path.is_file() and path.stat().st_size == file.size and hash_file(path) == file.sha256


def _unpacks_to(packed: Path, file: File) -> bool:
    digest = hashlib.sha256()
    try:
        with gzip.open(packed) as content:
            while block := content.read(BLOCK):
                digest.update(block)
    except (FileNotFoundError, EOFError, gzip.BadGzipFile, zlib.error):
        return False
    return digest.hexdigest() == file.sha256


@contextmanager
def _locked(place: Path) -> Iterator[int]:
    """Keep other processes from preparing the same entry; wait for one that does."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()
