"""A job version as users see it: its record and the truth about its state."""

import math
import time
from collections.abc import Callable

import msgspec

from orchestrator.backends.base import Backend
from orchestrator.errors import JobCancelledError, JobFailedError, NotFoundError
from orchestrator.jobs.record import JobRecord, find_record, version_prefix
from orchestrator.progress import Reporter
from orchestrator.runtime.status import State, Status
from orchestrator.runtime.task import STATUS
from orchestrator.specs.prices import Span
from orchestrator.store.base import Store
from orchestrator.store.records import find

SILENCE = 120.0  # seconds without a heartbeat after which that is said


class JobView(msgspec.Struct):
    """What every command shows of a job version."""

    record: JobRecord
    status: Status

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def version(self) -> str:
        return self.record.version

    @property
    def ref(self) -> str:
        """Return the job version in one word, as in `mnist-mxnet/V0003`."""
        return f"{self.name}/{self.version}"

    @property
    def duration(self) -> float:
        """Return the seconds the script ran, or has been running; 0 before its start."""
        if not self.status.started:
            return 0.0
        return max(0.0, (self.status.finished or time.time()) - self.status.started)

    @property
    def cost(self) -> float | None:
        """Return what it has cost so far, in the currency of its price; None where that is not known."""
        price = self.record.price
        return None if price is None else price.of(self.status.earlier + self.duration)

    @property
    def spent(self) -> Span | None:
        """Return when it ran, at what price; None if it did not, or cost nothing."""
        status, price = self.status, self.record.price
        if not (status.started and price and price.per_hour):
            return None
        return Span(started=status.started - status.earlier, finished=status.started + self.duration, price=price)

    def raise_if_failed(self) -> None:
        """Raise JobFailedError or JobCancelledError if the job has ended, but not well."""
        status = self.status
        if status.state is State.CANCELLED:
            raise JobCancelledError(f"{self.ref} was cancelled", hint=status.hint)
        if status.state is State.FAILED:
            raise JobFailedError(f"{self.ref} failed ({status.reason}): {status.message}", hint=status.hint)


def is_here(backend: Backend, record: JobRecord) -> bool:
    """Tell whether the job version runs, or ran, in the backend's place."""
    return record.task is not None and (record.backend, record.machine) == (backend.name, backend.place)


def look(store: Store, backend: Backend, record: JobRecord) -> JobView:
    """Return the job version with its state.

    Of a run that is looked after here that is known without the store, which may be away.

    Raises:
        NotFoundError: It was deleted meanwhile.
    """
    if here := backend.last_known(record.run):
        return JobView(record, here)
    status = find(store, version_prefix(record.name, record.number) + STATUS, Status)
    if status is None and find_record(store, record.name, record.number) is None:
        raise NotFoundError(f"{record.name}/{record.version} was deleted", hint=f"mlctl job list {record.name}")
    return judge(backend, record, status, closely=True)


def watcher(store: Store, backend: Backend, record: JobRecord, reporter: Reporter) -> Callable[[], JobView]:
    """Return a `look` for who waits; the first time that the job is RECOVERING, the reporter is told why."""
    told = False

    def look_on() -> JobView:
        nonlocal told
        view = look(store, backend, record)
        if view.status.state is State.RECOVERING and not told:
            told = True
            reporter.note(f"{view.ref} is {view.status.state}: {view.status.message}")
        return view

    return look_on


def judge(
    backend: Backend, record: JobRecord, status: Status | None, *, closely: bool = False, since: float = math.inf
) -> JobView:
    """Return the job version with its state: the one place where a state is determined (DESIGN, D6).

    An unfinished job of this machine is looked up among its processes, that of a cluster among its objects;
    what a dead process left is saved first. Of a job in another place the store's status is what is known.

    Args:
        backend: Where the job runs, if it runs here.
        record: Of the version.
        status: As it is in the store.
        closely: Whether it is worth some more time to find out why it waits.
        since: What the backend was told then, or later, is new enough; time.monotonic.
    """
    if status and status.state.finished and not status.unclear:
        return JobView(record, status)
    if is_here(backend, record):
        return JobView(record, backend.observe(record.as_run(), status, closely=closely, since=since))
    if status is None:
        return JobView(record, Status(state=State.QUEUED, message=f"submitted by {record.author}, not started yet"))
    silence = time.time() - status.heartbeat
    if status.state is State.RUNNING and silence > SILENCE:
        status.message = f"no word from {record.author.rpartition('@')[2]} for {silence / 60:.0f} minutes"
    return JobView(record, status)
