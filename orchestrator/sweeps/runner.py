"""Looks after a sweep: starts trials, waits for them, ends those that go badly, until it is enough.

Whatever kills it leaves the trials' records and their job versions, from which the next runner goes on: a trial's
record is written before its version is made, and the version names the trial.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from orchestrator.amounts import count
from orchestrator.backends.base import Backend
from orchestrator.errors import ClusterError, MlctlError, PermissionDeniedError, StoreError
from orchestrator.jobs.metrics import table_of
from orchestrator.jobs.record import JobRecord, SweepRef, number_of
from orchestrator.jobs.series import Series
from orchestrator.metrics.table import Table
from orchestrator.runtime.patience import say
from orchestrator.runtime.status import Reason, State
from orchestrator.runtime.task import CancelRequest
from orchestrator.store.base import Store
from orchestrator.store.gather import gather
from orchestrator.store.records import find, write
from orchestrator.sweeps.budget import Left
from orchestrator.sweeps.lease import Lease, LeaseLostError
from orchestrator.sweeps.record import (
    STATUS,
    STOP,
    SweepRecord,
    SweepState,
    SweepStatus,
    Trial,
    TrialState,
    read_trials,
    trial_key,
)
from orchestrator.sweeps.running import Place, Running
from orchestrator.sweeps.search import Search
from orchestrator.sweeps.trial import concluded, waiting
from orchestrator.sweeps.verdict import last_failure, verdict

POLL = 0.03  # seconds between two looks at trials of this machine
POLL_ELSEWHERE = 1.0  # seconds between two looks at trials in other places
METRICS_POLL = 1.0  # seconds between two looks at what running trials have measured
STOP_POLL = 1.0  # seconds between two looks for a request to stop
SAVE = 15.0  # seconds between two writes of the sweep's own status
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0  # seconds between two attempts while the store is away

Result = TypeVar("Result")


class _Ended(Exception):
    """It is enough."""

    def __init__(self, state: SweepState, message: str) -> None:
        super().__init__(message)
        self.state = state


class Runner:
    """One process's share of a sweep.

    Args:
        record: Of the sweep.
        store: Where it is.
        backend: Where its trials run.
        series: Makes their versions.
        lease: Of the sweep.
        clock: Seconds that only grow.
        sleep: Waits.
    """

    def __init__(
        self,
        record: SweepRecord,
        store: Store,
        backend: Backend,
        series: Series,
        lease: Lease,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._record = record
        self._spec = record.parsed()
        self._store = store
        self._series = series
        self._lease = lease
        self._clock = clock
        self._sleep = sleep
        self._place = Place(store, backend, clock)
        self._search = Search(self._spec, record.goal)
        self._pending: list[Trial] = []  # recorded, without a version that is known
        self._unsure = True  # some of these may have a version all the same
        self._running: dict[int, Running] = {}
        self._ended: list[Trial] = []
        self._streak = 0  # failures without a success since
        self._last = 0  # number of the latest trial
        self._left = Left(self._spec.budget, clock)
        self._looked = self._measured = self._saved = float("-inf")

    def run(self) -> SweepStatus:
        """Look after the sweep to its end, and return how that was.

        Raises:
            LeaseLostError: Somebody else has taken it over.
        """
        self._patiently(self._take_up)
        try:
            while True:
                self._patiently(self._round)
        except _Ended as end:
            return self._wind_up(end.state, str(end))
        except LeaseLostError:
            raise
        except MlctlError as error:  # no trial can be made any more
            return self._wind_up(SweepState.FAILED, error.message)

    def _take_up(self) -> None:
        """Learn from the store what there is."""
        status = find(self._store, self._record.prefix + STATUS, SweepStatus) or SweepStatus()
        trials = read_trials(self._store, self._record)
        # A stopper of trials remembers how all of them went.
        measured = [trial for trial in trials if trial.version and self._spec.stopping]
        tables = dict(zip((trial.number for trial in measured), gather(self._table_of, measured), strict=True))
        self._left.before = status.elapsed
        for trial in trials:
            self._last = trial.number
            if trial.state is TrialState.RUNNING:
                self._pending.append(trial)
            else:
                self._ended.append(trial)
            if trial.state is not TrialState.CANCELLED:  # whose place is free for another one
                self._search.adopt(trial.number, trial.parameters)
                self._measure(trial, tables.get(trial.number, Table()))
                self._tell(trial)
        self._save(SweepState.RUNNING)

    def _round(self) -> None:
        """Do what there is to do now."""
        begun = self._clock()
        self._lease.require()
        self._settle()
        self._look_for_stop()
        if over := self._left.nothing(self._ended, self._running.values()):
            raise _Ended(SweepState.SUCCEEDED, f"{over} before all trials were made")
        self._start_pending()
        late = False
        while not late and len(self._running) < self._spec.budget.parallel and self._propose():
            self._start_pending()
            late = self._clock() - begun >= POLL_ELSEWHERE  # what runs already is looked at first
        if not self._running:
            raise _Ended(SweepState.SUCCEEDED, "")
        if self._spec.stopping and self._clock() - self._measured >= METRICS_POLL:
            self._measured = self._clock()
            self._prune()
        if self._clock() - self._saved >= SAVE:
            self._save(SweepState.RUNNING)
        if not late:
            pause = POLL if self._place.is_near(self._running.values()) else POLL_ELSEWHERE
            self._sleep(min(pause, max(POLL, self._left.lasts(self._ended, self._running.values()))))

    def _propose(self) -> bool:
        """Decide on another trial; tell whether there is one."""
        counted = sum(trial.state is not TrialState.CANCELLED for trial in self._ended)
        if counted + len(self._running) + len(self._pending) >= self._spec.trials:
            return False
        parameters = self._search.propose(self._last + 1)
        if parameters is None:
            return False
        self._last += 1
        self._pending.append(Trial(number=self._last, parameters=parameters, created=time.time()))
        return True

    def _start_pending(self) -> None:
        """Have the versions of trials run: made now, or as they were made before."""
        known = self._place.versions_of(self._record) if self._unsure and self._pending else {}
        self._unsure = True  # until all of it is done
        while self._pending:
            trial = self._pending[0]
            self._lease.require()
            if (version := known.get(trial.number)) is None:
                write(self._store, trial_key(self._record, trial.number), trial)
                ref = SweepRef(name=self._record.name, version=self._record.version, trial=trial.number)
                version = self._series.create(trial.parameters, ref)
            if trial.version != version.version:
                trial = msgspec.structs.replace(trial, version=version.version)
                write(self._store, trial_key(self._record, trial.number), trial)
            self._running[trial.number] = Running(trial, version, changed=self._clock())
            self._pending.pop(0)
        self._unsure = False

    def _settle(self) -> None:
        """Take in the trials that have ended."""
        for one, view in self._place.look(list(self._running.values())):
            if isinstance(view, Trial):
                self._end(one, view)
            elif view.status.reason is Reason.NOT_STARTED:
                self._series.start(one.record)
            elif view.status.state.finished:
                table = table_of(self._store, one.record)
                told = self._place.told(one.record) if view.status.state is State.CANCELLED else CancelRequest()
                end = concluded(one.trial, view, table, told, self._spec.objective, self._record.goal)
                self._measure(end, table)
                self._end(one, end)
            elif (trial := waiting(one.trial, view)) != one.trial:
                write(self._store, trial_key(self._record, trial.number), trial)
                one.trial = trial

    def _end(self, one: Running, trial: Trial) -> None:
        write(self._store, trial_key(self._record, trial.number), trial)
        del self._running[trial.number]
        self._ended.append(trial)
        self._tell(trial)
        said = f"{trial.state}: {trial.message}".removesuffix(": ")
        say(f"trial {trial.number} ({one.record.name}/{trial.version}) {said}")
        self._streak = self._streak + 1 if trial.state is TrialState.FAILED else 0
        if self._streak >= self._spec.budget.failures:
            failed = count(self._streak, "failed trial")
            raise _Ended(SweepState.FAILED, f"{failed} in a row: {last_failure(self._ended)}")

    def _table_of(self, trial: Trial) -> Table:
        return table_of(self._store, JobRecord(name=self._record.template.name, number=number_of(trial.version)))

    def _measure(self, trial: Trial, table: Table) -> bool:
        """Show a trial's course to who stops trials; tell whether it is a bad one."""
        series = table.find(self._spec.objective.metric) if self._spec.stopping else None
        return series is not None and self._search.goes_badly(trial.number, series.curve())

    def _tell(self, trial: Trial) -> None:
        if trial.state not in (TrialState.RUNNING, TrialState.CANCELLED):
            value = trial.value if trial.state is TrialState.SUCCEEDED else None
            self._search.tell(trial.number, value, pruned=trial.state is TrialState.PRUNED)

    def _prune(self) -> None:
        """End the trials that go badly."""
        running = [one for one in self._running.values() if not one.told]
        tables = gather(lambda one: table_of(self._store, one.record), running)
        for one, table in zip(running, tables, strict=True):
            if self._measure(one.trial, table) and (series := table.find(self._spec.objective.metric)):
                assert self._spec.stopping
                where = f"{series.name} {series.last.value:g} at step {series.last.step}"
                why = f"ended by sweep {self._record.ref} ({self._spec.stopping.method}): {where}"
                self._place.end(one, CancelRequest(message=why, pruned=True))

    def _look_for_stop(self) -> None:
        if self._clock() - self._looked >= STOP_POLL:
            self._looked = self._clock()
            if self._store.head(self._record.prefix + STOP):
                raise _Ended(SweepState.STOPPED, "somebody stopped it")

    def _wind_up(self, state: SweepState, message: str) -> SweepStatus:
        """End what still runs, and write how the sweep ended."""
        told = CancelRequest(message=f"ended with sweep {self._record.ref}: {message}")

        def drop() -> None:
            """Forget trials that have no version; one that has is told to end."""
            known = self._place.versions_of(self._record) if self._pending else {}
            for trial in self._pending:
                if version := known.get(trial.number):
                    self._running[trial.number] = Running(trial, version, changed=self._clock())
                else:
                    dropped = msgspec.structs.replace(trial, state=TrialState.CANCELLED, message=told.message)
                    write(self._store, trial_key(self._record, trial.number), dropped)
            self._pending = []

        def settle() -> None:
            gather(lambda one: self._place.end(one, told), self._running.values())
            self._lease.require()
            try:
                self._settle()
            except _Ended:  # more failures change nothing any more
                return
            self._sleep(POLL)

        self._patiently(drop)
        while self._running:
            self._patiently(settle)
        ended = verdict(state, message, self._ended)
        return self._patiently(lambda: self._save(*ended, finished=time.time()))

    def _save(self, state: SweepState, message: str = "", finished: float = 0.0) -> SweepStatus:
        self._saved = self._clock()
        status = SweepStatus(state=state, message=message, elapsed=self._left.used(), finished=finished)
        write(self._store, self._record.prefix + STATUS, status)
        return status

    def _patiently(self, action: Callable[[], Result]) -> Result:
        """Do what needs the store or the cluster, again and again while that is away; what was done stays done."""
        pause = FIRST_PAUSE
        while True:
            try:
                return action()
            except (StoreError, PermissionDeniedError, ClusterError) as error:
                say(f"{error.message}: trying again")
                self._sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
