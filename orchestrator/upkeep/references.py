"""Who refers to what: manifests to packs, job records to code archives and dataset versions."""

import re
import threading
from functools import partial

from orchestrator.datasets.versions import RECORD, DatasetVersion, numbers_taken, packs_prefix, version_prefix
from orchestrator.errors import StoreError
from orchestrator.jobs.uses import job_records
from orchestrator.store.archive import PREFIX as CODE
from orchestrator.store.archive import SUFFIX as CODE_SUFFIX
from orchestrator.store.base import ObjectInfo, ObjectNotFoundError, Store, list_objects
from orchestrator.store.cache import get_cached
from orchestrator.store.gather import gather
from orchestrator.store.manifest import packs_of
from orchestrator.store.records import decode
from orchestrator.sweeps.record import templates
from orchestrator.upkeep.survey import DatasetSurvey, is_pack

_CODE = re.compile(rf"{CODE}[0-9a-f]{{64}}{re.escape(CODE_SUFFIX)}")


class PackReferences:
    """The packs that the manifests of one store name; no manifest is read twice, and of a long one only the beginning.

    Args:
        store: Where the manifests are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._records: dict[tuple[str, int], ObjectInfo] = {}
        self._known: dict[tuple[str, int], frozenset[str]] = {}
        self._lock = threading.Lock()

    def learn(self, survey: DatasetSurvey) -> None:
        """Take from a survey which versions have records: they need not be looked for."""
        found = {(survey.name, number): one.record for number, one in survey.versions.items() if one.record}
        with self._lock:
            self._records |= found

    def of(self, name: str, number: int) -> frozenset[str] | None:
        """Return the packs of a version, none if it is deleted; None if it has no record (yet).

        Raises:
            StoreError: Its record or manifest cannot be read, so nobody knows.
        """
        with self._lock:
            known = self._known.get((name, number))
            info = self._records.get((name, number))
        if known is None and (info := info or self._store.head(version_prefix(name, number) + RECORD)):
            known = self._read(info)
            with self._lock:
                self._known[name, number] = known
        return known

    def _read(self, info: ObjectInfo) -> frozenset[str]:
        version = read_dataset_record(self._store, info)
        if version is None or version.deleted or version.layout == "plain":
            return frozenset()
        try:
            return frozenset(packs_of(self._store, version.manifest_key))
        except ObjectNotFoundError as error:
            now = self._store.head(info.key)
            if now is None or now.etag != info.etag:  # it was deleted meanwhile
                return self._read(now) if now else frozenset()
            hint = f"restore it from a backup, or delete the version: mlctl dataset delete {version.name}"
            raise StoreError(f"{version.manifest_key} is missing", hint=f"{hint} -v {version.version}") from error


def read_dataset_record(store: Store, info: ObjectInfo) -> DatasetVersion | None:
    """Return the record of a listing's entry, None if it is gone by now."""
    try:
        return decode(get_cached(store, info).data, DatasetVersion, info.key)
    except ObjectNotFoundError:
        return None


def unused_packs(store: Store, name: str, references: PackReferences, *, over: frozenset[int]) -> list[ObjectInfo]:
    """Return the packs of a dataset that no version refers to; none while a push is going on, which may use any.

    Args:
        store: Where they are.
        name: Of the dataset.
        references: What versions refer to.
        over: Numbers of pushes that are not going on any more.

    Raises:
        StoreError: A manifest cannot be read.
    """
    packs = [item for item in list_objects(store, packs_prefix(name)) if is_pack(item.key)]
    numbers = [number for number in numbers_taken(store, name) if number and number not in over]
    used: set[str] = set()
    for found in gather(partial(references.of, name), numbers if packs else []):
        if found is None:
            return []
        used |= found
    return [item for item in packs if item.key not in used]


def unused_code(store: Store) -> list[ObjectInfo]:
    """Return the code archives that no job's or sweep's record refers to.

    Raises:
        StoreError: A record cannot be read, so nobody knows what it refers to.
    """
    archives = [item for item in list_objects(store, CODE) if is_code(item.key)]
    if not archives:
        return []
    used = {record.code.key for record in job_records(store) + templates(store) if record.code}
    return [item for item in archives if item.key not in used]


def is_code(key: str) -> bool:
    """Tell whether a key is that of a code archive."""
    return bool(_CODE.fullmatch(key))
