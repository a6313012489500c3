"""Delete versions: the record stays behind, marked, so that the number is never given to something else."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from orchestrator.backends.base import Backend
from orchestrator.errors import ConflictError
from orchestrator.jobs.listing import Found
from orchestrator.jobs.pages import doubt
from orchestrator.jobs.record import JobRecord, job_prefix, number_of, version_prefix
from orchestrator.jobs.untold import forget
from orchestrator.jobs.view import is_here, judge
from orchestrator.runtime.task import JOB
from orchestrator.specs.prices import Span
from orchestrator.store.base import ObjectInfo, Store, list_objects
from orchestrator.store.gather import gather
from orchestrator.store.records import change

NOTHING: Mapping[int, Span] = {}


def delete_versions(
    store: Store,
    backend: Backend,
    name: str,
    found: Collection[Found],
    numbers: Collection[int],
    models: Mapping[str, Sequence[str]],
) -> list[str]:
    """Delete versions of a job, and what an interrupted deletion left of others.

    Args:
        store: Where they are.
        backend: Where they ran.
        name: Of the job.
        found: Those whose records are there, with their last status.
        numbers: Of all of which nothing may be left.
        models: What is made of the output, by version.

    Returns:
        The versions, the last first.

    Raises:
        ConflictError: One of them is still going, or a model is made of its output.
    """
    spent: dict[int, Span] = {}
    for record, status in found:
        if not (view := judge(backend, record, status)).status.state.finished:
            hint = f"mlctl job cancel {name} -v {record.version}"
            raise ConflictError(f"{view.ref} is {view.status.state} and cannot be deleted", hint=hint)
        if made := models.get(record.version):
            hint = "mlctl model delete " + made[0]
            raise ConflictError(f"of the output of {view.ref} is made {', '.join(made)}", hint=hint)
        if cost := view.spent:
            spent[record.number] = cost
    records = [record for record, _ in reversed([*found])]
    for record in records:  # first, for on a full disk the marks need the room that this gives
        if is_here(backend, record):
            backend.forget(record.as_run())
        forget(record.run)
    mark_deleted(store, name, records, spent)
    store.delete(item.key for item in left_of(store, name, numbers))
    return [record.version for record in records]


def mark_deleted(store: Store, name: str, records: Collection[JobRecord], spent: Mapping[int, Span] = NOTHING) -> None:
    """Make versions of a job invisible. If it is interrupted, some of them are as before, and the others marked.

    Args:
        store: Where they are.
        name: Of the job.
        records: Of the versions.
        spent: What they have cost, by number.
    """
    doubt(store, name, [record.number for record in records])

    def mark(record: JobRecord) -> None:
        def edit(old: JobRecord) -> JobRecord:
            left = JobRecord(name=old.name, number=old.number, deleted=time.time(), author=old.author)
            if cost := old.spent or spent.get(old.number):
                left.spent, left.engine = cost, old.engine
            return left

        change(store, version_prefix(name, record.number) + JOB, JobRecord, edit)

    gather(mark, records)


def left_of(store: Store, name: str, numbers: Collection[int]) -> Iterator[ObjectInfo]:
    """Yield what is in the store of deleted versions, beside their records."""
    single = next(iter(numbers)) if len(numbers) == 1 else 0
    prefix = job_prefix(name)
    for item in list_objects(store, version_prefix(name, single) if single else prefix):
        version, _, rest = item.key[len(prefix) :].partition("/")
        if number_of(version) in numbers and rest != JOB:
            yield item
