"""The records of a sweep, below `sweeps/<name>/V0001/`: what was decided, how it stands, and its trials."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

from orchestrator.errors import NotFoundError
from orchestrator.jobs.record import JobRecord, number_of
from orchestrator.metrics.kinds import Goal
from orchestrator.specs.job import ParameterValue
from orchestrator.specs.names import format_version, nearest
from orchestrator.specs.sweep import SweepSpec
from orchestrator.store.base import AlreadyExistsError, ObjectInfo, Store, list_folders, list_objects
from orchestrator.store.gather import gather
from orchestrator.store.records import claim, find

ROOT = "sweeps/"
RECORD = "sweep.json"
STATUS = "status.json"
STOP = "stop.json"
TRIALS = "trials/"


NOTHING: Mapping[int, "Trial"] = MappingProxyType({})


class SweepState(StrEnum):
    """Where a sweep stands; nobody looks after one that is INTERRUPTED, and `resume` goes on with it."""

    RUNNING = "RUNNING"
    INTERRUPTED = "INTERRUPTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @property
    def finished(self) -> bool:
        """Tell whether it has come to an end."""
        return self in (SweepState.SUCCEEDED, SweepState.FAILED, SweepState.STOPPED)


class TrialState(StrEnum):
    """Where a trial stands."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    PRUNED = "PRUNED"
    CANCELLED = "CANCELLED"


class SweepRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that was decided when a sweep was created; written once.

    Attributes:
        name: Of the sweep.
        number: Of its version.
        digest: Hash of all that determines it; equal for equal submissions.
        created: Seconds since the epoch.
        author: User at host.
        spec: As written.
        goal: Which values of the objective are better.
        template: What the records of its trials begin as.
        deleted: When it was deleted, seconds since the epoch, or 0. The number stays taken, as trials name it.
    """

    name: str
    number: int
    digest: str
    created: float
    author: str
    spec: dict[str, Any]
    goal: Goal
    template: JobRecord
    deleted: float = 0.0

    @property
    def version(self) -> str:
        """Return the number as users write it, `V0001`."""
        return format_version(self.number)

    @property
    def ref(self) -> str:
        """Return the sweep in one word, as in `rates/V0001`."""
        return f"{self.name}/{self.version}"

    @property
    def prefix(self) -> str:
        """Return the prefix of all that belongs to it."""
        return version_prefix(self.name, self.number)

    def parsed(self) -> SweepSpec:
        """Return the spec."""
        return msgspec.convert(self.spec, SweepSpec)


class SweepStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a sweep stands; written by who holds its lease.

    Attributes:
        state: Where it stands.
        message: One sentence for people.
        elapsed: Seconds that somebody has looked after it, all together.
        finished: When it ended, seconds since the epoch.
    """

    state: SweepState = SweepState.RUNNING
    message: str = ""
    elapsed: float = 0.0
    finished: float = 0.0


class Trial(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One trial, `trials/0007.json`; written by who holds the lease, before its job version is made.

    Attributes:
        number: From 1.
        parameters: Those that are searched.
        created: Seconds since the epoch.
        state: Where it stands.
        version: Of the job, as in `V0003`; empty before there is one.
        value: Of the objective, where there is a finite one.
        step: Where the objective had it.
        message: Why it did not succeed.
        duration: Seconds that its script ran.
        cost: In the currency of the flavor; None where no price is known.
    """

    number: int
    parameters: dict[str, ParameterValue]
    created: float = 0.0
    state: TrialState = TrialState.RUNNING
    version: str = ""
    value: float | None = None
    step: int = 0
    message: str = ""
    duration: float = 0.0
    cost: float | None = None


def version_prefix(name: str, number: int) -> str:
    """Return the prefix of all that belongs to a sweep."""
    return f"{ROOT}{name}/{format_version(number)}/"


def trial_key(record: SweepRecord, number: int) -> str:
    """Return the key of a trial's record."""
    return f"{record.prefix}{TRIALS}{number:04d}.json"


def sweep_names(store: Store) -> list[str]:
    """Return the names of all sweeps."""
    return sorted(list_folders(store, ROOT))


def sweep_numbers(store: Store, name: str) -> list[int]:
    """Return the numbers of all versions of a sweep, the last first; those of deleted ones, too."""
    return sorted(filter(None, map(number_of, list_folders(store, f"{ROOT}{name}/"))), reverse=True)


def find_sweep(store: Store, name: str, number: int | None = None) -> SweepRecord | None:
    """Return a sweep, by default its latest version, or None if there is none or it was deleted."""
    if number is None:
        return next((found for one in sweep_numbers(store, name) if (found := find_sweep(store, name, one))), None)
    found = find(store, version_prefix(name, number) + RECORD, SweepRecord)
    return None if found is None or found.deleted else found


def get_sweep(store: Store, name: str, number: int | None = None) -> SweepRecord:
    """Return a sweep, by default its latest version. Raises NotFoundError, which names the nearest."""
    if record := find_sweep(store, name, number):
        return record
    if number is not None and (latest := find_sweep(store, name)):
        gone = number in sweep_numbers(store, name)
        lack = (
            f"{name}/{format_version(number)} was deleted"
            if gone
            else f"{name} has no version {format_version(number)}"
        )
        message = f"sweep {lack}; its latest is {latest.version}"
        raise NotFoundError(message, hint=f"mlctl sweep get {name}")
    if sweep_numbers(store, name):
        raise NotFoundError(f"all versions of sweep {name} were deleted", hint="mlctl sweep list")
    near = nearest(name, sweep_names(store))
    message = f"there is no sweep {name!r}" + (f"; did you mean {near}?" if near else "")
    raise NotFoundError(message, hint="mlctl sweep list")


def templates(store: Store) -> list[JobRecord]:
    """Return what the trials of all versions of all sweeps begin as."""
    keys = [item.key for item in list_objects(store, ROOT) if item.key.endswith(f"/{RECORD}")]
    found = gather(lambda key: find(store, key, SweepRecord), keys)
    return [record.template for record in found if record]


def claim_sweep(store: Store, record: SweepRecord) -> SweepRecord:
    """Give the record the next free number, write it, and return it."""
    number = max(sweep_numbers(store, record.name), default=0) + 1
    while True:
        candidate = msgspec.structs.replace(record, number=number)
        try:
            claim(store, candidate.prefix + RECORD, candidate)
        except AlreadyExistsError:
            number += 1
        else:
            return candidate


def is_trial_of(job: JobRecord, record: SweepRecord) -> bool:
    """Tell whether a job version was made for a sweep."""
    return job.sweep is not None and (job.sweep.name, job.sweep.version) == (record.name, record.version)


def read_trials(store: Store, record: SweepRecord, known: Mapping[int, Trial] = NOTHING) -> list[Trial]:
    """Return all trials by their numbers.

    Args:
        store: Where they are.
        record: Of the sweep.
        known: Trials that need not be read.
    """

    def read(item: ObjectInfo) -> Trial | None:
        number = item.key.rpartition("/")[2].partition(".")[0]
        found = known.get(int(number)) if number.isdecimal() else None
        return found or find(store, item.key, Trial)

    found = gather(read, list_objects(store, record.prefix + TRIALS))
    return sorted((trial for trial in found if trial), key=lambda trial: trial.number)
