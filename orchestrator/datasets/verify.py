"""Read every file of a dataset version again and compare it with the manifest."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from threading import Lock

import msgspec

from orchestrator.datasets.versions import DAMAGE, Damage, DatasetVersion, version_prefix
from orchestrator.errors import MlctlError, PermissionDeniedError
from orchestrator.progress import Reporter
from orchestrator.store import records
from orchestrator.store.base import CorruptObjectError, ObjectNotFoundError, Store
from orchestrator.store.manifest import Entry, Manifest
from orchestrator.store.parallel import Failure, for_each, raise_failures
from orchestrator.store.rate import UNLIMITED
from orchestrator.store.unpack import DAMAGED_HINT, Span, read_packed, spans_of

BLOCK = 8 << 20  # bytes read at once


class VerifyReport(msgspec.Struct, frozen=True):
    """What was found to be whole.

    Attributes:
        version: What was verified.
        files: Number of files read.
        size: Their bytes.
    """

    version: DatasetVersion
    files: int
    size: int


def verify_version(store: Store, version: DatasetVersion, manifest: Manifest, reporter: Reporter) -> VerifyReport:
    """Hash every file of a version, and note in the store which are damaged.

    Raises:
        CorruptObjectError: Objects are damaged or missing; names them.
        StoreError: Some could not be read.
    """
    lock = Lock()
    bad: list[Failure] = []
    with reporter.bar(f"verify {version.name}/{version.version}", total=version.size, unit="bytes") as bar:

        def advance(entry: Entry) -> None:
            with lock:
                bar.advance(entry.size)

        def work(item: Entry | Span) -> None:
            if isinstance(item, Entry):
                _verify(store, version.prefix + item.path, item)
                advance(item)
                return
            for entry, piece in read_packed(store, manifest.packs, item.entries, UNLIMITED):
                if isinstance(piece, MlctlError):
                    bad.append(Failure(entry.path, piece))
                else:
                    advance(entry)

        single = [entry for entry in manifest.entries if entry.kind == "file" and entry.pack is None]
        items: Iterator[Entry | Span] = chain(single, spans_of(manifest.packs, manifest.entries))
        bad += for_each(items, work, name=lambda item: item.path if isinstance(item, Entry) else item.key)
    bad.sort(key=lambda failure: failure.path)
    _note(store, version, [failure.path for failure in bad if isinstance(failure.error, CorruptObjectError)])
    raise_failures(bad, f"verifying {version.name}/{version.version}")
    return VerifyReport(version, manifest.files, version.size)


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
        raise CorruptObjectError(f"{key} is missing", hint=DAMAGED_HINT) from error
    if size != entry.size:
        raise CorruptObjectError(f"{key} is damaged: it has {size} bytes, not {entry.size}", hint=DAMAGED_HINT)
    if digest.hexdigest() != entry.sha256:
        raise CorruptObjectError(f"{key} is damaged: its bytes have changed", hint=DAMAGED_HINT)
