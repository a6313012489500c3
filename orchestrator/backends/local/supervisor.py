"""The process that looks after one run: wait for a place, fetch, launch, sync.

Detached from the terminal; started as `python -m orchestrator.backends.local.supervisor RUN_ID FD`,
where FD is the run's inherited lock. Whatever kills it leaves a state from which `recover` goes on.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from orchestrator.backends.local.capacity import Place, wait_for_place
from orchestrator.backends.local.finish import finish
from orchestrator.backends.local.rundir import Order, RunDir
from orchestrator.backends.local.script import RunningScript
from orchestrator.backends.local.usage import out_of_memory_kills, tree_memory
from orchestrator.errors import MlctlError
from orchestrator.progress import SILENT
from orchestrator.runtime.command import script_argv, script_environment
from orchestrator.runtime.exits import Cause, Exit
from orchestrator.runtime.fetch import FetchError, fetch_inputs
from orchestrator.runtime.logship import LogShipper
from orchestrator.runtime.status import Reason, State, Status
from orchestrator.runtime.task import CANCEL, STATUS, WORKER_LOG
from orchestrator.store import open_store
from orchestrator.store.records import write

POLL = 0.1  # seconds between two looks at the script and its log
SEND = 0.5  # seconds between two writes of the growing log chunk to the store
HEARTBEAT = 15.0  # seconds
GRACE = 10.0  # seconds between SIGTERM and SIGKILL
SAVE_ATTEMPTS = 6  # to save the end of a run, over about a minute
CANCEL_POLL = 2.0  # seconds between two looks for a cancel request from another machine
PATIENCE = 3.0  # seconds that watching the script waits for the store at a time; what fails is done again


class _StopRequested(BaseException):
    """SIGTERM arrived while nothing is running yet; a BaseException so that no error handling swallows it."""


class Supervisor:
    """One run, from its place in the queue to its saved output."""

    def __init__(self, run: RunDir, order: Order, lock: int) -> None:
        self._run = run
        self._task = order.task
        self._order = order
        self._lock = lock
        self._store = open_store(order.task.store, order.context)
        self._watch_store = open_store(order.task.store, order.context, patience=PATIENCE)
        self._status = Status(queued=order.created)
        self._stop = False
        self._interruptible = False

    def run(self) -> None:
        """Do the whole run."""
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        self._tell(State.QUEUED, "")
        try:
            self._interruptible = True
            self._refuse_if_cancelled()
            wait_for_place(self._run, self._task.cpus, waiting=self._tell_place)
            self._tell(State.STARTING, "fetching code and data")
            fetch_inputs(self._task, self._run.workspace, self._store, reporter=SILENT)
            self._interruptible = False
        except _StopRequested:
            self._finish(Exit(cause="cancelled" if self._cancel_requested() else "lost", finished=time.time()))
        except FetchError as error:
            reason = error.reason
            self._finish(Exit(cause="not-started", reason=reason, error=error.message, finished=time.time()))
        else:
            self._finish(self._run_script())

    def _run_script(self) -> Exit:
        task, workspace, python = self._task, self._run.workspace, Path(self._order.python)
        argv = script_argv(task, workspace, python)
        environment = script_environment(task, workspace, python, self._order.environment, os.environ)
        kills = out_of_memory_kills()
        script = RunningScript(self._run, argv, environment, self._lock)
        self._status.started = time.time()
        self._tell(State.RUNNING, "")
        cause, peak = self._watch(script)
        end = script.result()
        if cause != "exit":
            end.cause = cause
        end.peak_memory = max(end.peak_memory, peak)
        end.out_of_memory = end.signal == signal.SIGKILL and out_of_memory_kills() > kills
        return end

    def _watch(self, script: RunningScript) -> tuple[Cause, int]:
        """Follow the script to its end; return who ended it, and the most memory seen."""
        task, begun = self._task, time.monotonic()
        shipper = LogShipper(self._watch_store, task.prefix + WORKER_LOG, self._run.workspace.log, clock=time.time)
        cause: Cause = "exit"
        peak, kill_at = 0, float("inf")
        sent = beat = looked = begun
        while not script.ended(POLL):
            now = time.monotonic()
            self._try(shipper.poll)
            if now - sent >= SEND:
                self._try(shipper.send)
                sent = now
            if now - beat >= HEARTBEAT:
                self._tell(State.RUNNING, "")
                beat = now
            memory = tree_memory(script.pid)
            peak = max(peak, memory)
            if now - looked >= CANCEL_POLL:
                self._stop = self._stop or self._cancel_requested()
                looked = now
            if cause == "exit":
                cause = self._why_stop(now - begun, memory)
                if cause == "memory":
                    script.kill()
                elif cause != "exit":
                    script.terminate()
                    kill_at = now + GRACE
            if now >= kill_at:
                script.kill()
        return cause, peak

    def _why_stop(self, elapsed: float, memory: int) -> Cause:
        if self._stop:
            return "cancelled" if self._cancel_requested() else "lost"
        if elapsed > self._task.max_duration:
            return "timeout"
        return "memory" if 0 < self._task.memory < memory else "exit"

    def _finish(self, end: Exit) -> None:
        self._interruptible = False
        self._try(lambda: self._run.save_exit(end))
        for attempt in range(SAVE_ATTEMPTS):
            final = finish(self._run, self._order, self._store, self._status, end)
            if final.reason is not Reason.OUTPUT_NOT_SAVED:
                return
            print(final.message, file=sys.stderr, flush=True)
            time.sleep(2**attempt)

    def _refuse_if_cancelled(self) -> None:
        if self._cancel_requested():
            raise _StopRequested

    def _tell_place(self, place: Place) -> None:
        jobs = "1 job is" if place.ahead == 1 else f"{place.ahead} jobs are"
        free = max(0.0, place.capacity - place.cpus_ahead)
        message = f"{jobs} before it on this machine; it takes {self._task.cpus:g} CPUs, {free:g} are free"
        self._tell(State.QUEUED, message, Reason.NO_CAPACITY)

    def _tell(self, state: State, message: str, reason: Reason | None = None) -> None:
        status = self._status
        status.state, status.message, status.reason, status.heartbeat = state, message, reason, time.time()
        status.hint = reason.hint if reason else ""
        self._try(lambda: self._run.save_status(status))
        self._try(lambda: write(self._watch_store, self._task.prefix + STATUS, status))

    def _try(self, action: Callable[[], object]) -> None:
        """Do what may fail now and is done again later; the script goes on without the store."""
        try:
            action()
        except MlctlError as error:
            print(f"{time.strftime('%FT%T')} {error.message}", file=sys.stderr, flush=True)

    def _cancel_requested(self) -> bool:
        try:
            return self._watch_store.head(self._task.prefix + CANCEL) is not None
        except MlctlError:
            return False

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop = True
        if self._interruptible:
            self._interruptible = False
            raise _StopRequested


def main() -> None:
    """Look after the run named on the command line."""
    run = RunDir(sys.argv[1])
    order = run.order()
    if order is None:
        raise SystemExit(f"run {run.id} has no order")
    Supervisor(run, order, int(sys.argv[2])).run()


if __name__ == "__main__":
    main()
