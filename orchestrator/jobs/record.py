"""The record of a job version, `jobs/<name>/V0003/job.json`: written once, by the one who claims the number."""

from collections.abc import Callable
from typing import Any

import msgspec

from orchestrator.errors import NotFoundError
from orchestrator.runtime.task import Task
from orchestrator.specs.names import format_version, nearest
from orchestrator.store.base import AlreadyExistsError, Store, list_folders
from orchestrator.store.records import claim, find

ROOT = "jobs/"
JOB = "job.json"


class CodeRef(msgspec.Struct, frozen=True, kw_only=True):
    """The code a version ran.

    Attributes:
        key: The archive in the store.
        sha256: Hash of its content.
        name: The code folder's name.
        files: Hash of each file by path, to tell versions apart.
        size: Bytes, unpacked.
        git_commit: Commit of the work tree it came from, if it came from one.
        git_dirty: Whether that tree had changes of its own.
    """

    key: str
    sha256: str
    name: str
    files: dict[str, str]
    size: int
    git_commit: str = ""
    git_dirty: bool = False


class DataRef(msgspec.Struct, frozen=True, kw_only=True):
    """The dataset version a job version read.

    Attributes:
        name: Of the dataset.
        version: As in `V0001`.
        prefix: Of its files in the store.
        manifest: Key of its manifest.
        sha256: Hash of its tree.
        files: Number of files.
        size: Bytes.
    """

    name: str
    version: str
    prefix: str
    manifest: str
    sha256: str
    files: int
    size: int


class EngineRef(msgspec.Struct, frozen=True, kw_only=True):
    """The engine a version ran in; `environment` names its locked requirements and Python."""

    name: str
    framework: str
    version: str
    environment: str


class JobRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """All that was decided when a job version was created. Immutable, but for the mark of deletion.

    Attributes:
        name: Of the job.
        number: Of the version.
        digest: Hash of all that determines the run; equal for equal submissions.
        created: Seconds since the epoch.
        deleted: The same for its deletion, or 0. The number stays taken.
        author: User at host.
        machine: Id of the mlctl home that runs it (local backend).
        run: Id of the run on that machine.
        backend: Where it runs.
        spec: The spec as submitted, overrides applied.
        parameters: The script's parameters.
        code, data, engine: What it was made of.
        task: The work order.
    """

    name: str
    number: int
    digest: str = ""
    created: float = 0.0
    deleted: float = 0.0
    author: str = ""
    machine: str = ""
    run: str = ""
    backend: str = "local"
    spec: dict[str, Any] = {}
    parameters: dict[str, str | int | float | bool] = {}
    code: CodeRef | None = None
    data: DataRef | None = None
    engine: EngineRef | None = None
    task: Task | None = None

    @property
    def version(self) -> str:
        """Return the number as users write it, `V0003`."""
        return format_version(self.number)


def job_prefix(name: str) -> str:
    """Return the prefix of all that belongs to a job."""
    return f"{ROOT}{name}/"


def version_prefix(name: str, number: int) -> str:
    """Return the prefix of all that belongs to a job version."""
    return f"{job_prefix(name)}{format_version(number)}/"


def job_names(store: Store) -> list[str]:
    """Return the names of all jobs."""
    return sorted(list_folders(store, ROOT))


def version_numbers(store: Store, name: str) -> list[int]:
    """Return the numbers of all versions of a job that were ever claimed, ascending; deleted ones too."""
    return sorted(int(folder[1:]) for folder in list_folders(store, job_prefix(name)) if folder[1:].isdigit())


def find_record(store: Store, name: str, number: int) -> JobRecord | None:
    """Return the record of a version, or None if there is none or it was deleted."""
    record = find(store, version_prefix(name, number) + JOB, JobRecord)
    return None if record is None or record.deleted else record


def get_record(store: Store, name: str, number: int | None) -> JobRecord:
    """Return the record of a version; of the latest if `number` is None.

    Raises:
        NotFoundError: There is no such job or version.
    """
    numbers = version_numbers(store, name)
    for candidate in reversed(numbers) if number is None else [number]:
        if candidate in numbers and (record := find_record(store, name, candidate)):
            return record
    if not numbers:
        near = nearest(name, job_names(store))
        raise NotFoundError(
            f"there is no job {name!r}" + (f"; did you mean {near}?" if near else ""), hint="mlctl job list"
        )
    if number is None:
        raise NotFoundError(f"all versions of job {name} were deleted", hint="mlctl job list")
    present = [format_version(n) for n in numbers if find_record(store, name, n)]
    known = f"{present[0]} to {present[-1]}" if len(present) > 1 else "".join(present) or "none"
    raise NotFoundError(
        f"job {name} has no version {format_version(number)}; it has {known}", hint=f"mlctl job list {name}"
    )


def claim_number(store: Store, record: JobRecord, complete: Callable[[JobRecord], JobRecord]) -> JobRecord:
    """Give the record the next free number and write it; exactly one claimer gets each number, none is left out.

    Args:
        store: Where the job is.
        record: The record; its number is ignored.
        complete: Fills in what depends on the number.
    """
    numbers = version_numbers(store, record.name)
    number = numbers[-1] + 1 if numbers else 1
    while True:
        candidate = complete(msgspec.structs.replace(record, number=number))
        key = version_prefix(record.name, number) + JOB
        try:
            claim(store, key, candidate)
        except AlreadyExistsError:
            # A store may have written although its answer got lost: the run's id tells whether that was us.
            present = find(store, key, JobRecord)
            if present is not None and present.run == candidate.run:
                return present
            number += 1
        else:
            return candidate
