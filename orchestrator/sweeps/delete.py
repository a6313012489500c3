"""Delete sweeps: the record stays behind, marked, so that the number, which trials name, is never another's."""

import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from orchestrator.backends.base import Backend
from orchestrator.errors import ConflictError
from orchestrator.jobs.delete import delete_versions
from orchestrator.jobs.listing import read_versions
from orchestrator.jobs.record import JobRecord
from orchestrator.progress import Reporter
from orchestrator.store.base import Store, list_objects
from orchestrator.store.records import change
from orchestrator.sweeps.lease import folder_of
from orchestrator.sweeps.process import taken
from orchestrator.sweeps.record import RECORD, SweepRecord, is_trial_of, version_prefix
from orchestrator.sweeps.view import view_of


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted.

    Attributes:
        sweeps: As in `rates/V0001`.
        jobs: Names of those that their trials are versions of.
        trials: Versions of jobs, as in `demo/V0007`.
        kept: Versions of jobs that stay, and the models that are made of their output.
    """

    sweeps: list[str]
    jobs: list[str]
    trials: list[str]
    kept: dict[str, Sequence[str]]


def require_over(store: Store, records: Collection[SweepRecord]) -> None:
    """Raise ConflictError unless all of these sweeps have ended."""
    for record in records:
        if not (state := view_of(store, record).status.state).finished:
            message = f"sweep {record.ref} is {state} and cannot be deleted"
            raise ConflictError(message, hint=f"mlctl sweep stop {record.ref}")


def delete_trials(
    store: Store, backend: Backend, record: SweepRecord, models: Mapping[str, Sequence[str]]
) -> tuple[list[str], dict[str, Sequence[str]]]:
    """Delete the job versions that a sweep has made, but for those of whose output models are made.

    Args:
        store: Where they are.
        backend: Where they ran.
        record: Of the sweep.
        models: What is made of the output of its job, by version.

    Returns:
        The deleted ones, and those that stay with their models.

    Raises:
        ConflictError: One of them is still going.
    """
    job = record.template.name
    found = [pair for pair in read_versions(store, job) if is_trial_of(pair[0], record)]
    kept = {f"{job}/{one.version}": models[one.version] for one, _ in found if models.get(one.version)}
    doomed = [pair for pair in found if not models.get(pair[0].version)]
    gone = delete_versions(store, backend, job, doomed, {one.number for one, _ in doomed}, models) if doomed else []
    return [f"{job}/{version}" for version in gone], kept


def delete_record(store: Store, record: SweepRecord, *, author: str, reporter: Reporter) -> None:
    """Delete a sweep, and what this machine keeps of it.

    Args:
        store: Where it is.
        record: Of the sweep.
        author: Who deletes it.
        reporter: Told of a wait for whoever looked after it.

    Raises:
        ConflictError: Somebody looks after it.
    """
    with taken(record, store, author=author, reporter=reporter):
        mark_deleted(store, record)
        store.delete(left_of(store, record.name, record.number))
        shutil.rmtree(folder_of(store, record.prefix), ignore_errors=True)


def mark_deleted(store: Store, record: SweepRecord) -> None:
    """Make a sweep invisible; what is left of it then, if this is interrupted, is found by `store gc`."""

    def mark(old: SweepRecord) -> SweepRecord:
        nothing = JobRecord(name=old.template.name, number=0)
        return msgspec.structs.replace(old, digest="", spec={}, template=nothing, deleted=time.time())

    change(store, record.prefix + RECORD, SweepRecord, mark)


def left_of(store: Store, name: str, number: int) -> Iterator[str]:
    """Yield the keys of what is in the store of a sweep, beside its record."""
    prefix = version_prefix(name, number)
    return (item.key for item in list_objects(store, prefix) if item.key != prefix + RECORD)
