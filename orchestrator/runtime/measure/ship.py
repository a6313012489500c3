"""Brings the table of metrics to the store while the script runs, and at its end."""

import time
from collections.abc import Callable
from functools import partial

import msgspec

from orchestrator.errors import StoreError
from orchestrator.metrics.table import Table
from orchestrator.runtime.events.sources import FolderSource, Source, StoreSource
from orchestrator.runtime.measure.gather import Gatherer, Sampler
from orchestrator.runtime.task import Task, Workspace
from orchestrator.runtime.urls import is_url_mode
from orchestrator.runtime.worker import Worker
from orchestrator.store.base import Store
from orchestrator.store.records import find

PAUSE = 1.0  # seconds between two looks
SHARE = 20  # of the time at most one part in so many goes into looking and writing


def files_of(task: Task, workspace: Workspace, connect: Callable[[str], Store]) -> Source:
    """Return what is below train_url: a folder here, or, of a script that gets URLs, a prefix of its bucket."""
    if is_url_mode(task):
        return StoreSource(connect(task.output_store), task.output_prefix)
    return FolderSource(workspace.output)


class MetricShipper:
    """Keeps a worker's table in the store up to date; its methods are the courier's.

    Args:
        store: Where the job's record is.
        files: What is below train_url.
        task: The work order.
        workspace: Of the worker.
        worker: Which it is.
        sample: Tells what the script uses now.
        told: Called with the table after each change.
    """

    def __init__(
        self,
        store: Store,
        files: Source,
        task: Task,
        workspace: Workspace,
        worker: Worker,
        *,
        sample: Sampler,
        told: Callable[[Table], None] = lambda table: None,
    ) -> None:
        self._store = store
        self._files = files
        self._key = task.prefix + worker.metrics
        self._make = partial(Gatherer, task.measures, workspace, sample=sample, reads=worker.first)
        self._gatherer: Gatherer | None = None
        self._told = told
        self._due = float("-inf")
        self._unsent = False

    def poll(self) -> bool:
        """Read what has come, if it is time to; tell whether there was anything."""
        begun = time.monotonic()
        if begun < self._due:
            return False
        if self._gatherer is None:
            self._gatherer = self._make(table=find(self._store, self._key, Table))
        changed = self._gatherer.gather(self._files)
        self._unsent |= changed
        self._rest(begun)
        return changed

    def send(self) -> None:
        """Write what was read and not yet sent to the store. Raises what the store raises; call it again."""
        if self._unsent and self._gatherer:
            begun = time.monotonic()
            self._store.put(self._key, msgspec.json.encode(self._gatherer.table))
            self._unsent = False
            self._told(self._gatherer.table)
            self._rest(begun)

    def finish(self) -> Table:
        """Read what is left of a script that has ended, and write it; return the whole table.

        Raises:
            MlctlError, OSError: The store failed, or the disk; call it again.
        """
        before = find(self._store, self._key, Table)
        gatherer = self._make(table=before)
        gatherer.gather(self._files, ended=True)
        if before is None and not gatherer.table.series and not gatherer.table.notes:
            return gatherer.table
        data = msgspec.json.encode(gatherer.table)
        self._store.put(self._key, data)
        # A store that did not answer for a while may carry out an earlier write after a later one.
        if self._store.get(self._key).data != data:
            raise StoreError(f"{self._key} was replaced by an earlier state in {self._store.url}")
        return gatherer.table

    def _rest(self, begun: float) -> None:
        now = time.monotonic()
        self._due = now + max(PAUSE, SHARE * (now - begun))
