"""The seam between jobs and the places where they run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from orchestrator.progress import Reporter
from orchestrator.runtime.logread import Live
from orchestrator.runtime.status import Status
from orchestrator.runtime.task import Task
from orchestrator.runtime.worker import FIRST, MAIN, Source

if TYPE_CHECKING:  # what looks after a run has no need of them
    from orchestrator.engines.catalog import Engine
    from orchestrator.engines.requirements import Requirements
    from orchestrator.specs.flavors import Flavor
    from orchestrator.specs.job import JobSpec


class Launch(NamedTuple):
    """All that a backend needs to know of a run.

    Attributes:
        task: The work order.
        engine: The framework environment.
        sizes: What each node gets.
        spec: What the user wrote, for what only some backends know.
        requirements: The packages that it brings.
    """

    task: Task
    engine: Engine
    sizes: Flavor
    spec: JobSpec
    requirements: Requirements | None = None


class Advice(NamedTuple):
    """What a backend says to a job beforehand.

    Attributes:
        gpus: GPUs that each node will really have.
        warnings: What is not as asked.
    """

    gpus: int
    warnings: list[str]


class Submission(Protocol):
    """A right to start one run, held by the process that creates a job.

    While it is held, others see the job as being submitted; when its holder dies they see that it
    never started, and the same create command may take it up again.
    """

    @property
    def id(self) -> str:
        """Return the run's id, which goes into the job's record."""

    def start(self, launch: Launch) -> Status | None:
        """Start the run and hand the right over to it; return what can be told of it at once, if anything."""

    def release(self) -> None:
        """Give the right up, if it was not handed over."""


class Run(NamedTuple):
    """One run of a job.

    Attributes:
        id: Which the backend gave it.
        task: Its work order.
        created: When it was recorded, in seconds since the epoch.
    """

    id: str
    task: Task
    created: float


class Event(NamedTuple):
    """Something that happened to a run.

    Attributes:
        time: Seconds since the epoch.
        about: What it happened to, as in `pod digits-v0001-4f1a2b-0-x7k2p`.
        reason: One word.
        message: One sentence.
    """

    time: float
    about: str
    reason: str
    message: str


class Usage(NamedTuple):
    """What a run uses at the moment, all its workers together.

    Attributes:
        cpus: Cores.
        memory: Bytes.
    """

    cpus: float
    memory: int


class Session(NamedTuple):
    """A program to be started where a run's script is.

    Attributes:
        argv: Of a program of this machine.
        environment: Its own; None is that of this process.
        folder: Where it starts; None is the current one.
    """

    argv: list[str]
    environment: dict[str, str] | None = None
    folder: Path | None = None


class Backend(Protocol):
    """A place where jobs run. All calls may be repeated."""

    @property
    def name(self) -> str:
        """Return what contexts call it."""

    @property
    def place(self) -> str:
        """Return who can tell the truth about its runs: this machine, or a namespace of a cluster."""

    def advise(self, spec: JobSpec, sizes: Flavor, engine: Engine | None) -> Advice:
        """Return what is to be said to a job beforehand, whose engine may be unknown.

        Raises:
            MlctlError: It can never run here as it is written.
        """

    def rehearse(self, spec: JobSpec, sizes: Flavor) -> None:
        """Find out whether the place would take such a run, before anything of it is recorded.

        Raises:
            MlctlError: It would not, or cannot be asked.
        """

    def environment(self, engine: Engine, spec: JobSpec, *, gpus: int) -> str:
        """Return what a job's framework environment really is: the hash of a local one, or an image."""

    def is_ready(self, engine: Engine, spec: JobSpec) -> bool:
        """Tell whether the engine is there."""

    def check_requirements(self, engine: Engine, spec: JobSpec, requirements: Requirements) -> None:
        """Find out whether packages that a job brings can be had, as far as that can be told without installing them.

        Raises:
            MlctlError: They cannot.
        """

    def prepare(self, engine: Engine, spec: JobSpec, requirements: Requirements | None, reporter: Reporter) -> None:
        """Make what a job of an engine needs."""

    def manifests(self, launch: Launch, run_id: str) -> list[dict[str, Any]]:
        """Return the objects that `start` would make, where it makes any."""

    def submission(self, run_id: str | None = None) -> Submission | None:
        """Take the right to start a new run, or the one that was never started; None if somebody else has it."""

    def in_bulk(self) -> AbstractContextManager[None]:
        """Make starts of many runs quick while this is open; whatever ends it, what was started goes on."""

    def observe(self, run: Run, status: Status | None, *, closely: bool, since: float = math.inf) -> Status:
        """Return the truth about a run of this place that is unfinished or whose end is unclear.

        What a process that died left behind is brought into the store first.

        Args:
            run: Which.
            status: Its last status in the store.
            closely: Whether it is worth some more time to find out why it waits.
            since: What the place has told then, or later, is new enough; time.monotonic.
        """

    def last_known(self, run_id: str) -> Status | None:
        """Return the status of a run that is looked after here, without asking the store; None of any other."""

    def runs(self) -> Iterator[Run]:
        """Yield the runs that are looked after here, without asking the store."""

    def events(self, run: Run) -> list[Event]:
        """Return what is known to have happened to a run outside of the store, the oldest first."""

    def usage(self, runs: Sequence[Run]) -> dict[str, Usage]:
        """Return what runs of this place use, by their ids, as far as it can be told."""

    def session(self, run: Run, command: Sequence[str], *, worker: int, terminal: bool) -> Session | None:
        """Return how to start a command beside a run's script; None if that does not run.

        Args:
            run: Which.
            command: Program and arguments; nothing is an interactive shell.
            worker: Of a run with several.
            terminal: Whether a person sits at it.
        """

    def request_cancel(self, run: Run) -> None:
        """Have the run cancelled, if it is here; the store need not be asked."""

    def live_log(self, run: Run, *, source: Source = MAIN, worker: int = FIRST) -> Live | None:
        """Return a log where it is written, if that is within reach.

        Args:
            run: Whose.
            source: The script, or what mlctl says before and beside it.
            worker: Of a run with several.
        """

    def live_output(self, run: Run) -> Path | None:
        """Return the folder that the script writes its output to, if that is within reach."""

    def forget(self, run: Run) -> None:
        """Remove what is left of a finished run outside of the store."""
