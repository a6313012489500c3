"""The folder of one run on this machine, and the lock that says who looks after it.

`run/<id>/` holds everything that is not in the store yet. Its `lock` is held from before the job
version is claimed until its output is saved: first by the creating command, then, inherited, by
the supervisor and its guard. The kernel lets go when they die, so a free lock on an unfinished
run always means that nobody looks after it.
"""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from orchestrator.config import home_dir
from orchestrator.decoders import decoder
from orchestrator.errors import PermissionDeniedError, StoreError
from orchestrator.files import write_whole
from orchestrator.locks import is_held, take
from orchestrator.runtime.exits import Exit
from orchestrator.runtime.status import Status
from orchestrator.runtime.task import Task, Workspace
from orchestrator.runtime.worker import FIRST
from orchestrator.store.parallel import as_mlctl_error

Record = TypeVar("Record", bound=msgspec.Struct)
ABANDONED = 600.0  # seconds after which a folder without a task belongs to a dead command


class Contained(msgspec.Struct, frozen=True, kw_only=True):
    """The container that a script runs in.

    Attributes:
        program: `podman` or `docker`.
        image: Name of the image.
    """

    program: str
    image: str


class Order(msgspec.Struct, kw_only=True):
    """What the supervisor is told: the task and how to run it here.

    Attributes:
        task: The work order.
        python: The engine's interpreter on this machine; that of a container is in its image.
        environment: Variables that the engine asks for.
        created: Seconds since the epoch.
        context: Name of the context whose endpoint and profile the stores are reached with; keys are looked up anew.
        nodes: Number of workers, all of them on this machine.
        contained: The container that they run in; None is the engine's environment.
        layer: Folder of the packages that the job brings; empty if it brings none.
    """

    task: Task
    python: str
    environment: dict[str, str]
    created: float
    context: str | None = None
    nodes: int = 1
    contained: Contained | None = None
    layer: str = ""

    @property
    def cpus(self) -> float:
        """Return the CPUs that its workers count for together."""
        return self.task.cpus * self.nodes


class WorkerDir:
    """Paths and records of one worker of a run.

    Attributes:
        id: Of the run.
        index: Of the worker.
        folder: Of all that is its own.
        workspace: The folders in it.
    """

    def __init__(self, run_id: str, index: int, folder: Path) -> None:
        self.id = run_id
        self.index = index
        self.folder = folder
        self.workspace = Workspace(folder)

    @property
    def exit_path(self) -> Path:
        return self.folder / "exit.json"

    @property
    def supervisor_log(self) -> Path:
        """Return the file with what the run's supervisor says."""
        return runs_dir() / self.id / "supervisor.log"

    def exit(self) -> Exit | None:
        """Return how the script ended, or None if it has not."""
        return _find(self.exit_path, Exit)

    def save_exit(self, end: Exit) -> None:
        """Write how the script ended."""
        _save(self.exit_path, end)

    @property
    def container_log(self) -> Path:
        """Return the file with what the container's program says."""
        return self.folder / "container.log"

    def companion_exit_path(self, role: str) -> Path:
        """Return the file that tells how what runs beside the script has ended."""
        return self.folder / f"exit-{role}.json"

    def companion_exit(self, role: str) -> Exit:
        """Return how what ran beside the script has ended."""
        return _find(self.companion_exit_path(role), Exit) or Exit(signal=signal.SIGKILL)


class RunDir(WorkerDir):
    """Paths and records of one run, and of its first worker."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, FIRST, runs_dir() / run_id)
        self._order = self.folder / "order.json"

    def worker(self, index: int) -> WorkerDir:
        """Return one of its workers. Each has code and output of its own; the data is there once."""
        if index == FIRST:
            return self
        found = WorkerDir(self.id, index, self.folder / f"worker-{index}")
        found.workspace.data = self.workspace.data
        return found

    @property
    def lock_path(self) -> Path:
        return self.folder / "lock"

    def order(self) -> Order | None:
        """Return the supervisor's order, or None if the run was never started."""
        return _find(self._order, Order)

    def save_order(self, order: Order) -> None:
        """Write the supervisor's order."""
        _save(self._order, order)

    def status(self) -> Status | None:
        """Return the newest status, which the store may not have yet."""
        return _find(self.folder / "status.json", Status)

    def save_status(self, status: Status) -> None:
        """Write the newest status."""
        _save(self.folder / "status.json", status)

    def request_cancel(self) -> None:
        """Leave word that the run is to be cancelled; does nothing if it is gone."""
        with contextlib.suppress(OSError):
            (self.folder / "cancel").touch()

    def cancel_requested(self) -> bool:
        """Tell whether somebody on this machine wants it to be cancelled."""
        return (self.folder / "cancel").exists()

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        with contextlib.suppress(OSError):
            self._order.unlink()  # first: who sees a run without status but with its order takes it for a new one
        shutil.rmtree(self.folder, ignore_errors=True)


def runs_dir() -> Path:
    """Return the folder of all runs on this machine."""
    return home_dir() / "run"


def new_run_id() -> str:
    """Return an id that sorts by time and that nobody else has."""
    return f"{int(time.time()):x}-{os.urandom(6).hex()}"


def process_name(run_id: str) -> str:
    """Return what the kernel calls a run's supervisor that was forked and not started by a command line."""
    return run_id[-15:]


def acquire(run: RunDir) -> int | None:
    """Take the run's lock; return its descriptor, or None if somebody else looks after the run."""
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        return take(run.lock_path)
    except OSError as error:
        kind = PermissionDeniedError if isinstance(error, PermissionError) else StoreError
        raise kind(f"cannot write {run.folder}: {error.strerror}", hint="set MLCTL_HOME to another folder") from error


def holder(run: RunDir) -> int:
    """Return the pid that the run's supervisor wrote into its lock, or 0."""
    try:
        return int(run.lock_path.read_text(encoding="ascii") or 0)
    except (OSError, ValueError):
        return 0


def is_looked_after(run: RunDir) -> bool:
    """Tell whether a living process holds the run's lock."""
    return is_held(run.lock_path)


def all_runs() -> Iterator[RunDir]:
    """Yield every run on this machine; removes what killed commands left before they claimed a version."""
    with contextlib.suppress(FileNotFoundError):
        for entry in sorted(os.scandir(runs_dir()), key=lambda entry: entry.name):
            run = RunDir(entry.name)
            with contextlib.suppress(FileNotFoundError):
                old = time.time() - entry.stat().st_mtime > ABANDONED
                if old and run.order() is None and not is_looked_after(run):
                    run.remove()
                    continue
                yield run


def _save(path: Path, record: msgspec.Struct) -> None:
    try:
        write_whole(path, msgspec.json.encode(record))
    except OSError as error:
        raise as_mlctl_error(error, f"cannot write {path}") from error


def _find(path: Path, kind: type[Record]) -> Record | None:
    try:
        return decoder(kind).decode(path.read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):  # an empty file is what a full disk leaves
        return None
