"""The process that looks after one run: wait for a place, fetch, launch, sync.

Detached from the terminal; started as `python -m orchestrator.backends.local.supervisor RUN_ID FD`,
where FD is the run's inherited lock. Whatever kills it leaves a state from which `recover` goes on.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

import msgspec

from orchestrator.backends.local.capacity import Place, wait_for_place
from orchestrator.backends.local.rundir import Order, RunDir
from orchestrator.backends.local.team import Team
from orchestrator.backends.local.usage import ScriptUsage
from orchestrator.errors import MlctlError
from orchestrator.metrics.table import Table
from orchestrator.ports import HERE
from orchestrator.progress import SILENT
from orchestrator.runtime.arrivals import Arrivals
from orchestrator.runtime.courier import Courier, Shipper
from orchestrator.runtime.exits import Cause, Exit
from orchestrator.runtime.fetch import FetchError, fetch_inputs, fetch_patiently, fetch_program
from orchestrator.runtime.logship import LogShipper
from orchestrator.runtime.measure.ship import MetricShipper, files_of
from orchestrator.runtime.patience import complain, keep_trying
from orchestrator.runtime.status import Reason, State, Status
from orchestrator.runtime.task import STATUS, Task
from orchestrator.runtime.urls import is_url_mode, service_environment
from orchestrator.runtime.worker import Worker
from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.store.records import write

SAVE_PATIENCE = 7 * 86_400.0  # seconds that it is waited for at the end, when there is something to lose
# Seconds that one request may take with all its attempts, and one while the script runs; all of it is repeated.
PATIENCE = 10.0
WATCH_PATIENCE = 3.0


class _StopRequested(BaseException):
    """SIGTERM arrived while nothing is running yet; a BaseException so that no error handling swallows it."""


class Supervisor:
    """One run, from its place in the queue to its saved output."""

    def __init__(self, run: RunDir, order: Order, lock: int) -> None:
        self._run = run
        self._task = order.task
        self._order = order
        self._lock = lock
        self._status = Status(queued=order.created)
        self._stop = False
        self._interruptible = False
        self._telling = threading.Lock()  # the courier tells of metrics
        self._places = [run.worker(index) for index in range(order.nodes)]
        self._arrivals = [Arrivals(place.workspace.log, time.time) for place in self._places]
        self._courier = Courier(
            order.task,
            lambda: self._connect(WATCH_PATIENCE),
            self._shippers,
            lambda: os.kill(os.getpid(), signal.SIGTERM),
        )

    def _shippers(self, store: Store) -> list[Shipper]:
        task, shippers = self._task, list[Shipper]()
        for place, arrivals in zip(self._places, self._arrivals, strict=True):
            worker = Worker(index=place.index, hosts=(HERE,) * self._order.nodes)
            shippers.append(LogShipper(store, task.prefix + worker.log, place.workspace.log, arrivals))
            files = files_of(task, place.workspace, lambda url: open_store(url, self._order.context))
            used = ScriptUsage(self._run.id, worker.index, gpus=task.gpus)
            told = self._tell_metrics if worker.first else lambda table: None
            shippers.append(MetricShipper(store, files, task, place.workspace, worker, sample=used.sample, told=told))
        return shippers

    def run(self) -> None:
        """Do the whole run."""
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        self._tell(State.QUEUED, "")
        try:
            self._interruptible = True
            self._courier.start()
            wait_for_place(self._run, self._order.cpus, waiting=self._tell_place)
            self._tell(State.STARTING, "fetching code and data")
            self._fetch()
            self._interruptible = False
        except _StopRequested:
            self._finish([Exit(cause=self._who_stopped(), finished=time.time())])
        except FetchError as error:
            reason = error.reason
            self._finish([Exit(cause="not-started", reason=reason, error=error.message, finished=time.time())])
        else:
            self._finish(self._run_script())

    def _fetch(self) -> None:
        def attempt() -> None:
            try:
                store = self._connect(PATIENCE)
            except MlctlError as error:
                raise FetchError(Reason.START_FAILED, error) from error
            fetch_inputs(self._task, self._run.workspace, store, reporter=SILENT)
            for place in self._places[1:]:
                fetch_program(self._task, place.workspace, store)

        def wait(error: FetchError) -> None:
            self._tell(State.STARTING, f"waiting for the store: {error.message}")

        fetch_patiently(attempt, waiting=wait)

    def _run_script(self) -> list[Exit]:
        try:
            team = Team(
                self._run,
                self._order,
                self._bucket(),
                lock=self._lock,
                connect=lambda url: open_store(url, self._order.context),
            )
        except MlctlError as error:
            return [Exit(cause="not-started", error=error.message, finished=time.time())]
        self._status.started = time.time()
        self._tell(State.RUNNING, "")
        return team.watch(self._why_stop, self._note)

    def _note(self) -> None:
        for arrivals in self._arrivals:
            arrivals.note()

    def _why_stop(self, elapsed: float) -> Cause:
        if self._stop:
            return self._who_stopped()
        return "timeout" if elapsed > self._task.max_duration else "exit"

    def _who_stopped(self) -> Cause:
        return "cancelled" if self._courier.cancelled or self._run.cancel_requested() else "lost"

    def _finish(self, ends: list[Exit]) -> None:
        from orchestrator.backends.local.finish import finish  # the script need not wait for it

        self._interruptible = False
        self._note()
        for place, end in zip(self._places, ends, strict=False):
            self._try(partial(place.save_exit, end))
        self._status.message = "it has ended; its log and output are being saved"
        self._try(lambda: self._run.save_status(self._status))
        self._courier.stop()
        self._stop = False
        failed: list[Status] = []

        def attempt() -> bool:
            arrivals, patience = self._arrivals, PATIENCE
            final = finish(self._run, self._order, self._status, ends, arrivals=arrivals, patience=patience)
            if final.reason is not Reason.OUTPUT_NOT_SAVED:
                return True
            failed.append(final)
            recovering = _recovering(final, self._task)
            if not self._try(lambda: self._run.save_status(recovering)):
                self._stop = True  # on a full disk nobody could see what it waits for
            # It may be the store of the output alone that is away.
            self._try(lambda: write(self._connect(PATIENCE), self._task.prefix + STATUS, recovering))
            return False

        # Asked to stop, it leaves the rest to a later command.
        if not keep_trying(attempt, patience=SAVE_PATIENCE, give_up=lambda: self._stop):
            self._try(lambda: self._run.save_status(failed[-1]))

    def _bucket(self) -> dict[str, str]:
        """Return the variables by which a script that gets URLs reaches its bucket."""
        task, context = self._task, self._order.context
        return service_environment(task.output_store, context, keys=True) if is_url_mode(task) else {}

    def _connect(self, patience: float) -> Store:
        """Open the store of the record, with the keys that there are now."""
        return open_store(self._task.store, self._order.context, patience=patience)

    def _tell_place(self, place: Place) -> None:
        jobs = "1 job is" if place.ahead == 1 else f"{place.ahead} jobs are"
        free = max(0.0, place.capacity - place.cpus_ahead)
        message = f"{jobs} before it on this machine; it takes {self._order.cpus:g} CPUs, {free:g} are free"
        self._tell(State.QUEUED, message, Reason.NO_CAPACITY)

    def _tell_metrics(self, table: Table) -> None:
        self._courier.measure(table)
        with self._telling:
            self._status.metrics, self._status.progress = table.summaries(), table.progress
            self._try(lambda: self._run.save_status(self._status))

    def _tell(self, state: State, message: str, reason: Reason | None = None) -> None:
        status = self._status
        with self._telling:
            status.state, status.message, status.reason, status.heartbeat = state, message, reason, time.time()
            status.hint = reason.hint if reason else ""
            self._try(lambda: self._run.save_status(status))
        self._courier.tell(status)

    def _try(self, action: Callable[[], object]) -> bool:
        """Do what may fail, as on a full disk, and is not needed to go on; tell whether it worked."""
        try:
            action()
        except MlctlError as error:
            complain(error)
            return False
        return True

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop = True
        if self._interruptible:
            self._interruptible = False
            raise _StopRequested


def _recovering(final: Status, task: Task) -> Status:
    """Return the status of a run whose end could not be saved, while that is tried again and again."""
    of = f"{task.job} -v {task.version}"
    hint = f"it is tried again and again; to try it with other keys: mlctl job cancel {of}, then mlctl job get {of}"
    return msgspec.structs.replace(final, state=State.RECOVERING, hint=hint, heartbeat=time.time())


def main() -> None:
    """Look after the run named on the command line."""
    run = RunDir(sys.argv[1])
    order = run.order()
    if order is None:
        raise SystemExit(f"run {run.id} has no order")
    Supervisor(run, order, int(sys.argv[2])).run()


if __name__ == "__main__":
    main()
