"""What is below `datasets/`, `jobs/` and `sweeps/`: objects, bytes and dates by version, from listings alone."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from orchestrator.datasets.versions import CLAIM, DAMAGE, FILES, MANIFEST, PACKS, RECORD
from orchestrator.datasets.versions import ROOT as DATASETS
from orchestrator.jobs.record import PAGES, job_prefix, number_of
from orchestrator.runtime.task import JOB
from orchestrator.store.base import ObjectInfo, Store, list_objects
from orchestrator.store.pack import SUFFIX
from orchestrator.sweeps.record import RECORD as SWEEP
from orchestrator.sweeps.record import ROOT as SWEEPS

_PACK = re.compile(rf"{DATASETS}[^/]+/{PACKS}[0-9a-f]{{64}}{re.escape(SUFFIX)}")

JOB_PARTS = (JOB, "logs", "output")


class Amount(msgspec.Struct):
    """Objects, their bytes, and the latest of their dates."""

    objects: int = 0
    size: int = 0
    modified: float = 0.0

    def add(self, item: ObjectInfo) -> None:
        """Count one more."""
        self.objects += 1
        self.size += item.size
        self.modified = max(self.modified, item.modified)


class VersionSurvey(msgspec.Struct):
    """The objects of one dataset version.

    Attributes:
        number: Of the version.
        record: Entry of its record; without it there is no such version (yet).
        manifest: Entry of its manifest.
        claimed: Whether a pusher's claim is there.
        rest: All but the record.
    """

    number: int
    record: ObjectInfo | None = None
    manifest: ObjectInfo | None = None
    claimed: bool = False
    rest: Amount = msgspec.field(default_factory=Amount)


class DatasetSurvey(msgspec.Struct):
    """The objects of a dataset.

    Attributes:
        name: Of the dataset.
        versions: By number.
        packs: Entries, by key.
        foreign: What is not mlctl's.
    """

    name: str
    versions: dict[int, VersionSurvey]
    packs: dict[str, ObjectInfo]
    foreign: Amount


class JobSurvey(msgspec.Struct):
    """The objects of a job.

    Attributes:
        name: Of the job.
        versions: By number, then by part: `logs`, `output`, `records`, and its record `job.json`.
        pages: What makes listings quick.
        foreign: What is not mlctl's.
    """

    name: str
    versions: dict[int, dict[str, Amount]]
    pages: Amount
    foreign: Amount

    def left(self, number: int) -> Amount:
        """Return what there is of a version beside its record."""
        return total(amount for part, amount in self.versions[number].items() if part != JOB)


class SweepSurvey(msgspec.Struct):
    """The objects of a sweep.

    Attributes:
        name: Of the sweep.
        records: Entries of the versions' records, by number.
        rest: The others of a version: its trials, how it stands, who looks after it.
        foreign: What is not mlctl's.
    """

    name: str
    records: dict[int, ObjectInfo]
    rest: dict[int, Amount]
    foreign: Amount


def survey_dataset(store: Store, name: str) -> DatasetSurvey:
    """List all that belongs to a dataset."""
    found = DatasetSurvey(name, {}, {}, Amount())
    prefix = f"{DATASETS}{name}/"
    for item in list_objects(store, prefix):
        folder, _, rest = item.key[len(prefix) :].partition("/")
        number = number_of(folder)
        if folder + "/" == PACKS and is_pack(item.key):
            found.packs[item.key] = item
        elif number and is_of_version(rest):
            version = found.versions.setdefault(number, VersionSurvey(number))
            if rest == RECORD:
                version.record = item
                continue
            version.rest.add(item)
            version.claimed = version.claimed or rest == CLAIM
            if rest == MANIFEST:
                version.manifest = item
        else:
            found.foreign.add(item)
    for number in [number for number, version in found.versions.items() if not (version.record or version.claimed)]:
        found.foreign = total((found.foreign, found.versions.pop(number).rest))  # nobody of ours began it
    return found


def survey_job(store: Store, name: str) -> JobSurvey:
    """List all that belongs to a job."""
    found = JobSurvey(name, {}, Amount(), Amount())
    prefix = job_prefix(name)
    for item in list_objects(store, prefix):
        folder, _, rest = item.key[len(prefix) :].partition("/")
        if number := number_of(folder):
            parts = found.versions.setdefault(number, {})
            first = rest.partition("/")[0]
            part = first if first in JOB_PARTS else "records"
            parts.setdefault(part, Amount()).add(item)
        elif folder + "/" == PAGES:
            found.pages.add(item)
        else:
            found.foreign.add(item)
    return found


def survey_sweep(store: Store, name: str) -> SweepSurvey:
    """List all that belongs to a sweep."""
    found = SweepSurvey(name, {}, {}, Amount())
    prefix = f"{SWEEPS}{name}/"
    for item in list_objects(store, prefix):
        folder, _, rest = item.key[len(prefix) :].partition("/")
        if not (number := number_of(folder)):
            found.foreign.add(item)
        elif rest == SWEEP:
            found.records[number] = item
        else:
            found.rest.setdefault(number, Amount()).add(item)
    return found


def total(amounts: Iterable[Amount]) -> Amount:
    """Return the sum of several amounts."""
    found = Amount()
    for amount in amounts:
        found.objects += amount.objects
        found.size += amount.size
        found.modified = max(found.modified, amount.modified)
    return found


def is_pack(key: str) -> bool:
    """Tell whether a key is that of a pack."""
    return bool(_PACK.fullmatch(key))


def is_of_version(rest: str) -> bool:
    """Tell whether a dataset version has such an object, given what follows its prefix."""
    return rest in (CLAIM, RECORD, MANIFEST, DAMAGE) or rest.startswith(FILES)


def left_overs(store: Store, prefix: str) -> Iterator[str]:
    """Yield the keys of a dataset version's objects, but for its record."""
    for item in list_objects(store, prefix):
        rest = item.key[len(prefix) :]
        if rest != RECORD and is_of_version(rest):
            yield item.key
