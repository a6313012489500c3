"""Tells the store what happens to a script, in a thread of its own: nobody else waits for the store.

While the store is away the newest status and the log, which is a file anyhow, wait here for it to come back.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from orchestrator.errors import MlctlError
from orchestrator.metrics.table import Table
from orchestrator.runtime.measure.summary import with_metrics
from orchestrator.runtime.patience import complain
from orchestrator.runtime.status import Status
from orchestrator.runtime.task import CANCEL, Task
from orchestrator.runtime.worker import ALONE, Worker
from orchestrator.store.base import Store
from orchestrator.store.records import find, write

POLL = 0.1  # seconds between two looks at the log
SEND = 0.5  # seconds between two writes of the growing log chunk
HEARTBEAT = 15.0  # seconds between two writes of the status
CANCEL_POLL = 2.0  # seconds between two looks for a cancel request from another machine
LONGEST_PAUSE = 10.0  # seconds between two attempts while the store is away


class Shipper(Protocol):
    """Brings what grows somewhere to a store."""

    def poll(self) -> bool:
        """Take what has come since the last call; tell whether there was anything."""

    def send(self) -> None:
        """Write what was taken to the store."""


class Courier:
    """One run's thread that speaks to the store.

    Args:
        task: The run's work order.
        connect: Opens the store of its record; called again after every failure, for its keys may have been renewed.
        shippers: Makes what brings its logs to that store.
        on_cancel: Called, once and from the thread, when somebody has left a request to cancel in the store.
        worker: Whose status it tells.

    Attributes:
        cancelled: Whether such a request was seen.
    """

    def __init__(
        self,
        task: Task,
        connect: Callable[[], Store],
        shippers: Callable[[Store], Sequence[Shipper]],
        on_cancel: Callable[[], None],
        worker: Worker = ALONE,
    ) -> None:
        self.cancelled = False
        self._task = task
        self._connect = connect
        self._shippers = shippers
        self._on_cancel = on_cancel
        self._key = task.prefix + worker.status
        self._ships = True
        self._measured = Table()
        self._lock = threading.Lock()
        self._status: Status | None = None
        self._told: Status | None = None
        self._written = self._sent = self._looked = float("-inf")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def tell(self, status: Status) -> None:
        """Have this status written, unless a newer one comes before."""
        self._status = msgspec.structs.replace(status)

    def measure(self, table: Table) -> None:
        """Have what is in it be written with the status, as often as that is written anyhow; for shippers."""
        self._measured = table

    def leave_log(self) -> None:
        """Tell only the status from now on: somebody else saves the log."""
        with self._lock:
            self._ships = False

    def stop(self) -> None:
        """End, whatever is still to be told; returns when the last request is over."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = POLL
        while not self._over.is_set():
            try:
                store = self._connect()
                shippers = self._shippers(store)
                while not self._over.is_set():
                    with self._lock:
                        self._round(store, shippers, time.monotonic())
                    pause = POLL
                    self._over.wait(POLL)
            except (MlctlError, OSError) as error:
                complain(error)
                pause = min(2 * pause, LONGEST_PAUSE)
                self._over.wait(random.uniform(pause / 2, pause))

    def _round(self, store: Store, shippers: Sequence[Shipper], now: float) -> None:
        status = self._status
        # Of what was cancelled before it began nothing more is awaited: whoever cancelled it may have written its end.
        beats = status and (status.started or not self.cancelled)
        if status and (status is not self._told or (beats and now - self._written >= HEARTBEAT)):
            if is_replaced(status, store, self._key):
                self._over.set()
                return
            write(store, self._key, with_metrics(status, self._measured, heartbeat=time.time()))
            self._told, self._written = status, now
        if self._ships:
            due = now - self._sent >= SEND
            for shipper in shippers:
                shipper.poll()
                if due:
                    shipper.send()
            self._sent = now if due else self._sent
        if now - self._looked >= CANCEL_POLL and not self.cancelled:
            self.cancelled = store.head(self._task.prefix + CANCEL) is not None
            self._looked = now
            if self.cancelled:
                self._on_cancel()


def is_replaced(status: Status, store: Store, key: str) -> bool:
    """Tell whether a later pod tells the status at `key`: a node that was lost may come back, and what is on it ends.

    Raises:
        MlctlError: The store failed.
    """
    if not status.pod:
        return False
    found = find(store, key, Status)
    return found is not None and found.attempt > status.attempt
