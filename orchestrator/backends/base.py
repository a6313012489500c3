"""The seam between jobs and the places where they run."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from orchestrator.runtime.status import Status
from orchestrator.runtime.task import Task


class Submission(Protocol):
    """A right to start one run, held by the process that creates a job.

    While it is held, others see the job as being submitted; when its holder dies they see that it
    never started, and the same create command may take it up again.
    """

    @property
    def id(self) -> str:
        """Return the run's id, which goes into the job's record."""

    def start(self, task: Task, python: Path, environment: dict[str, str]) -> None:
        """Start the run and hand the right over to it.

        Args:
            task: The work order.
            python: The engine's interpreter.
            environment: Variables that the engine asks for.
        """

    def release(self) -> None:
        """Give the right up, if it was not handed over."""


class Run(NamedTuple):
    """A run that somebody here looks after."""

    id: str
    task: Task
    created: float


class Backend(Protocol):
    """A place where jobs run. All calls may be repeated."""

    def submission(self, run_id: str | None = None) -> Submission | None:
        """Take the right to start a new run, or the one that was never started; None if somebody else has it."""

    def observe(self, run_id: str, task: Task, status: Status | None) -> Status:
        """Return the truth about an unfinished run, given its last status in the store.

        What a process that died left behind is brought into the store first.
        """

    def last_known(self, run_id: str) -> Status | None:
        """Return the status of a run that is looked after here, without asking the store; None of any other."""

    def runs(self) -> Iterator[Run]:
        """Yield the runs that are looked after here, without asking the store."""

    def request_cancel(self, run_id: str) -> None:
        """Have the run cancelled, if it is here; the store need not be asked."""

    def live_log(self, run_id: str) -> Path | None:
        """Return the file that the script writes its log to, if it is on this machine."""

    def forget(self, run_id: str) -> None:
        """Remove what is left of a finished run outside of the store."""
