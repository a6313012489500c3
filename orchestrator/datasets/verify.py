"""Read every object of a dataset version again and compare it with the manifest."""

import hashlib
from contextlib import suppress
from threading import Lock

import msgspec

from orchestrator.datasets.versions import DAMAGE, Damage, DatasetVersion, version_prefix
from orchestrator.errors import PermissionDeniedError
from orchestrator.progress import Reporter
from orchestrator.store import records
from orchestrator.store.base import CorruptObjectError, ObjectNotFoundError, Store
from orchestrator.store.manifest import Entry, Manifest
from orchestrator.store.parallel import for_each, raise_failures

BLOCK = 8 << 20  # bytes read at once
HINT = "restore the objects from a backup, or push or import the dataset again, as a new version"


class VerifyReport(msgspec.Struct, frozen=True):
    """What was found to be whole.

    Attributes:
        version: What was verified.
        files: Number of objects read.
        size: Their bytes.
    """

    version: DatasetVersion
    files: int
    size: int


def verify_version(store: Store, version: DatasetVersion, manifest: Manifest, reporter: Reporter) -> VerifyReport:
    """Hash every object of a version, and note in the store which are damaged.

    Raises:
        CorruptObjectError: Objects are damaged or missing; names them.
        StoreError: Some could not be read.
    """
    lock = Lock()
    files = [entry for entry in manifest.entries if entry.kind == "file"]
    with reporter.bar(f"verify {version.name}/{version.version}", total=version.size, unit="bytes") as bar:

        def work(entry: Entry) -> None:
            _verify(store, version.prefix + entry.path, entry)
            with lock:
                bar.advance(entry.size)

        failures = for_each(files, work, name=lambda entry: entry.path)
    _note(store, version, [failure.path for failure in failures if isinstance(failure.error, CorruptObjectError)])
    raise_failures(failures, f"verifying {version.name}/{version.version}")
    return VerifyReport(version, len(files), version.size)


def _note(store: Store, version: DatasetVersion, damaged: list[str]) -> None:
    key = version_prefix(version.name, version.number) + DAMAGE
    if damaged:
        with suppress(PermissionDeniedError):  # who may only read may verify all the same
            records.write(store, key, Damage(damaged))
    elif store.head(key):
        store.delete([key])


def _verify(store: Store, key: str, entry: Entry) -> None:
    digest = hashlib.sha256()
    size = 0
    try:
        while block := store.get_range(key, size, BLOCK):
            digest.update(block)
            size += len(block)
    except ObjectNotFoundError as error:
        raise CorruptObjectError(f"{key} is missing", hint=HINT) from error
    if size != entry.size:
        raise CorruptObjectError(f"{key} is damaged: it has {size} bytes, not {entry.size}", hint=HINT)
    if digest.hexdigest() != entry.sha256:
        raise CorruptObjectError(f"{key} is damaged: its bytes have changed", hint=HINT)
