"""The init container: bring code, data and what an earlier pod of the same job has left into the volume."""

import os
import signal
import threading
import time

import msgspec

from orchestrator.errors import MlctlError, StoreError
from orchestrator.progress import SILENT
from orchestrator.runtime.ending import concluded
from orchestrator.runtime.exits import Exit
from orchestrator.runtime.fetch import FetchError, fetch_inputs, fetch_patiently, fetching
from orchestrator.runtime.patience import complain, say
from orchestrator.runtime.pod.restore import restore
from orchestrator.runtime.pod.settings import Settings, on_sigterm
from orchestrator.runtime.pod.volume import Order
from orchestrator.runtime.pod.words import ship_words
from orchestrator.runtime.status import Reason, State, Status
from orchestrator.runtime.task import CANCEL, Task
from orchestrator.runtime.urls import is_url_mode, service_environment
from orchestrator.store import open_store
from orchestrator.store.base import ObjectNotFoundError, Store
from orchestrator.store.records import find, read, write

FAILED = 64  # exit code: no other attempt can succeed
AWAY = 75  # exit code: the store did not come back
STOPPED = 128 + signal.SIGTERM  # exit code
PATIENCE = 10.0  # seconds that one request may take with all its attempts; all of it is repeated


class _Record(msgspec.Struct):
    """As much of job.json as a pod needs."""

    task: Task | None = None
    created: float = 0.0


class Fetch:
    """What the init container does."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._order: Order | None = None
        self._telling = threading.Lock()  # of the status: who ends here never gives it back

    def run(self) -> int:
        """Prepare the volume and return the exit code."""
        on_sigterm(self._stop)
        try:
            fetch_patiently(self._attempt, waiting=complain)
        except FetchError as error:
            complain(error)
            self._end(Exit(cause="not-started", reason=error.reason, error=error.message, finished=time.time()))
            return AWAY if error.passing else FAILED
        say("code and data are there")
        return 0

    def _attempt(self) -> None:
        settings, volume = self._settings, self._settings.volume
        try:
            store = self._connect()
            order = self._order or self._begin(store)
        except MlctlError as error:
            # A record that is not there may be in a folder that is not mounted yet.
            passing = isinstance(error, ObjectNotFoundError) or type(error) is StoreError
            raise FetchError(Reason.START_FAILED, error, passing=passing) from error
        fetch_inputs(order.task, volume, store, reporter=SILENT)
        with fetching(order.task, store, missing=Reason.START_FAILED):
            if order.status.attempt > 1:
                restore(settings, order.task, store)
            volume.prepare(order, settings.worker, self._bucket(order.task))

    def _begin(self, store: Store) -> Order:
        """Tell that this pod begins, and how many there were before it."""
        record = read(store, self._settings.key, _Record)
        if record.task is None:
            raise MlctlError(f"{self._settings.key} was deleted")
        key = self._settings.prefix + self._settings.worker.status
        before = find(store, key, Status) or Status()
        again = before.pod not in ("", self._settings.pod)
        status = Status(
            state=State.STARTING,
            message="fetching code and data",
            queued=before.queued or record.created,
            heartbeat=time.time(),
            earlier=before.earlier + (before.ran if again else 0.0),
            attempt=before.attempt + again,
            pod=self._settings.pod,
        )
        with self._telling:
            write(store, key, status)
            self._order = Order(task=record.task, status=status)
        return self._order

    def _end(self, end: Exit) -> None:
        """Tell how it ended, if the store can be told, once and for all."""
        self._telling.acquire(timeout=PATIENCE)
        order = self._order
        if order is None:
            return
        try:
            store = self._connect()
            if end.cause == "stopped" and store.head(order.task.prefix + CANCEL):
                end.cause = "cancelled"
            final = concluded(order.task, self._settings.volume, order.status, end)
            final.unclear = end.cause == "stopped"
            write(store, self._settings.prefix + self._settings.worker.status, final)
            ship_words(self._settings, store)  # nobody else will
        except MlctlError as error:
            complain(error)

    def _bucket(self, task: Task) -> dict[str, str]:
        """Return the variables by which a script that gets URLs finds its bucket; its container has the keys."""
        return service_environment(task.output_store, self._settings.context, keys=False) if is_url_mode(task) else {}

    def _connect(self) -> Store:
        return open_store(self._settings.context.store, self._settings.context, patience=PATIENCE)

    def _stop(self) -> None:
        """End it all: the pod is to end, whatever is under way here."""
        try:
            self._end(Exit(cause="stopped", finished=time.time()))
        finally:
            os._exit(STOPPED)
