"""The record of a job version, `jobs/<name>/V0003/job.json`: written once, by the one who claims the number."""

from typing import Any

import msgspec

from orchestrator.backends.base import Run
from orchestrator.runtime.task import JOB, Task
from orchestrator.specs.names import format_version
from orchestrator.specs.prices import Price, Span
from orchestrator.store.base import Store, list_folders
from orchestrator.store.records import find

ROOT = "jobs/"
PAGES = "pages/"


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


class SweepRef(msgspec.Struct, frozen=True, kw_only=True):
    """The trial of a sweep that a version is.

    Attributes:
        name: Of the sweep.
        version: Of the sweep, as in `V0001`.
        trial: Its number, from 1.
    """

    name: str
    version: str
    trial: int


class JobRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """All that was decided when a job version was created. Immutable, but for the mark of deletion.

    Attributes:
        name: Of the job.
        number: Of the version.
        digest: Hash of all that determines the run; equal for equal submissions.
        created: Seconds since the epoch.
        deleted: The same for its deletion, or 0. The number stays taken.
        author: User at host.
        machine: Where it runs, as the backend names it: the id of an mlctl home, or a namespace of a cluster.
        run: Id of the run there.
        backend: Where it runs.
        spec: The spec as submitted, overrides applied.
        parameters: The script's parameters.
        code, data, engine: What it was made of.
        task: The work order.
        price: What an hour of it costs, all nodes together, as it was then; None where it is not known.
        spent: What it has cost, once it is deleted.
        sweep: The trial that it is, if a sweep made it.
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
    price: Price | None = None
    spent: Span | None = None
    sweep: SweepRef | None = None

    @property
    def version(self) -> str:
        """Return the number as users write it, `V0003`."""
        return format_version(self.number)

    @property
    def workers(self) -> int:
        """Return how many processes it is."""
        return int((self.spec.get("resources") or {}).get("nodes", 1))

    def as_run(self) -> Run:
        """Return the run, as its backend knows it."""
        assert self.task is not None
        return Run(self.run, self.task, self.created)


def job_prefix(name: str) -> str:
    """Return the prefix of all that belongs to a job."""
    return f"{ROOT}{name}/"


def version_prefix(name: str, number: int) -> str:
    """Return the prefix of all that belongs to a job version."""
    return f"{job_prefix(name)}{format_version(number)}/"


def number_of(version: str) -> int:
    """Return the number of `V0003`, 0 of anything else."""
    digits = version.removeprefix("V")
    number = int(digits) if digits.isascii() and digits.isdecimal() else 0
    return number if number and version == format_version(number) else 0


def job_names(store: Store) -> list[str]:
    """Return the names of all jobs."""
    return sorted(list_folders(store, ROOT))


def find_record(store: Store, name: str, number: int) -> JobRecord | None:
    """Return the record of a version, or None if there is none or it was deleted."""
    record = find(store, version_prefix(name, number) + JOB, JobRecord)
    return None if record is None or record.deleted else record
