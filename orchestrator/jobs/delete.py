"""Delete versions: the record stays behind, marked, so that the number is never given to something else."""

import time
from collections.abc import Collection, Iterator

from orchestrator.jobs.pages import doubt
from orchestrator.jobs.record import JobRecord, job_prefix, number_of, version_prefix
from orchestrator.runtime.task import JOB
from orchestrator.store.base import ObjectInfo, Store, list_objects
from orchestrator.store.gather import gather
from orchestrator.store.records import change


def mark_deleted(store: Store, name: str, records: Collection[JobRecord]) -> None:
    """Make versions of a job invisible. If it is interrupted, some of them are as before, and the others marked."""
    doubt(store, name, [record.number for record in records])

    def mark(record: JobRecord) -> None:
        change(
            store,
            version_prefix(name, record.number) + JOB,
            JobRecord,
            lambda old: JobRecord(name=old.name, number=old.number, deleted=time.time(), author=old.author),
        )

    gather(mark, records)


def left_of(store: Store, name: str, numbers: Collection[int]) -> Iterator[ObjectInfo]:
    """Yield what is in the store of deleted versions, beside their records."""
    single = next(iter(numbers)) if len(numbers) == 1 else 0
    prefix = job_prefix(name)
    for item in list_objects(store, version_prefix(name, single) if single else prefix):
        version, _, rest = item.key[len(prefix) :].partition("/")
        if number_of(version) in numbers and rest != JOB:
            yield item
