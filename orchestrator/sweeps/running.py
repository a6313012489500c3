"""The trials of a sweep that run: their job versions, looked at and told to end."""

from collections.abc import Callable, Iterable

import msgspec

from orchestrator.backends.base import Backend
from orchestrator.errors import NotFoundError
from orchestrator.jobs.cancel import request_cancel
from orchestrator.jobs.listing import read_versions
from orchestrator.jobs.record import JobRecord, version_prefix
from orchestrator.jobs.view import JobView, is_here, look
from orchestrator.runtime.status import State
from orchestrator.runtime.task import CANCEL, CancelRequest
from orchestrator.store.base import Store
from orchestrator.store.gather import gather
from orchestrator.store.records import find
from orchestrator.sweeps.record import SweepRecord, Trial, TrialState, is_trial_of

UNSTARTED = 30.0  # seconds after which a version that another machine has recorded should show a sign of life
SILENCE = 600.0  # seconds without a sign of life after which a trial in another place is given up


class Running(msgspec.Struct):
    """A trial whose version runs, or waits.

    Attributes:
        trial: As it is recorded.
        record: Of its version.
        cost: So far, when it was looked at.
        rate: What each further second costs.
        looked: When that was, by the clock of who looks.
        told: Whether it was told to end.
        seen: State and heartbeat.
        changed: When they changed last, by the same clock.
    """

    trial: Trial
    record: JobRecord
    cost: float = 0.0
    rate: float = 0.0
    looked: float = 0.0
    told: bool = False
    seen: tuple[State, float] | None = None
    changed: float = 0.0

    def cost_at(self, now: float) -> float:
        """Return what it has cost by now, if it still runs."""
        return self.cost + self.rate * (now - self.looked)


class Place:
    """Where trials run.

    Args:
        store: Where their records are.
        backend: What runs them.
        clock: Seconds that only grow.
    """

    def __init__(self, store: Store, backend: Backend, clock: Callable[[], float]) -> None:
        self._store = store
        self._backend = backend
        self._clock = clock

    def is_near(self, running: Iterable[Running]) -> bool:
        """Tell whether all of them are processes of this machine."""
        return self._backend.name == "local" and all(is_here(self._backend, one.record) for one in running)

    def look(self, running: list[Running]) -> list[tuple[Running, JobView | Trial]]:
        """Return them with their versions; of those that are given up, with how they ended."""
        near = self.is_near(running)
        views = [self._view(one) for one in running] if near else gather(self._view, running)
        return list(zip(running, views, strict=True))

    def _view(self, one: Running) -> JobView | Trial:
        try:
            view = look(self._store, self._backend, one.record)
        except NotFoundError as error:
            return _given_up(one, TrialState.FAILED, error.message)
        runs = view.status.started and not view.status.finished
        one.cost, one.looked = view.cost or 0.0, self._clock()
        one.rate = one.record.price.of(1) if runs and one.record.price else 0.0
        signs = view.status.state, view.status.heartbeat
        if signs != one.seen:
            one.seen, one.changed = signs, self._clock()
        silence = self._clock() - one.changed
        if is_here(self._backend, one.record) or view.status.state.finished or silence < UNSTARTED:
            return view
        there = one.record.author.rpartition("@")[2]
        if not view.status.heartbeat:  # who recorded it was killed before it started it; its place is free again
            request_cancel(self._store, self._backend, one.record, CancelRequest(message="it was not started in time"))
            return _given_up(one, TrialState.CANCELLED, f"it was never started on {there}")
        if silence < SILENCE:
            return view
        return _given_up(one, TrialState.FAILED, f"no word from {there} for {SILENCE / 60:.0f} minutes")

    def end(self, one: Running, why: CancelRequest) -> None:
        """Tell a trial to end, once."""
        if not one.told:
            request_cancel(self._store, self._backend, one.record, why)
            one.told = True

    def told(self, record: JobRecord) -> CancelRequest:
        """Return how a version was told to end."""
        key = version_prefix(record.name, record.number) + CANCEL
        return find(self._store, key, CancelRequest) or CancelRequest()

    def versions_of(self, sweep: SweepRecord) -> dict[int, JobRecord]:
        """Return the versions that were made for a sweep, by trial; of two for the same one the first counts."""
        found: dict[int, JobRecord] = {}
        for record, _ in read_versions(self._store, sweep.template.name):  # the latest first
            if record.sweep and is_trial_of(record, sweep):
                if second := found.get(record.sweep.trial):
                    request_cancel(self._store, self._backend, second, CancelRequest(message="it was made twice"))
                found[record.sweep.trial] = record
        return found


def _given_up(one: Running, state: TrialState, message: str) -> Trial:
    return msgspec.structs.replace(one.trial, state=state, message=message)
