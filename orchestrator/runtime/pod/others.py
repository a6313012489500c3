"""The end of a job with several workers: the first one tells it, for all of them."""

import threading
import time

from orchestrator.runtime.status import Status
from orchestrator.runtime.task import Task
from orchestrator.runtime.together import end_of_all
from orchestrator.runtime.worker import Worker
from orchestrator.store.base import Store
from orchestrator.store.records import find

WAIT = 60.0  # seconds that the first worker, having ended, waits for the others to have saved their parts
POLL = 0.5  # seconds


def with_others(final: Status, task: Task, worker: Worker, store: Store, *, hurry: threading.Event) -> Status:
    """Return the end of the job, given that of the first worker; for any other worker, its own.

    Args:
        final: How this worker ended.
        task: The work order.
        worker: Which one it is.
        store: Of the record.
        hurry: Set when there is no time to wait.
    """
    if not worker.first:
        return final
    ends = _ends(task, worker, store, hurry)
    return end_of_all(final, ends)


def _ends(task: Task, worker: Worker, store: Store, hurry: threading.Event) -> dict[int, Status]:
    """Return the final statuses of the other workers, by index, as far as they come in time."""
    deadline = time.monotonic() + WAIT
    missing = list(worker.others())
    ends: dict[int, Status] = {}
    while missing:
        for other in list(missing):
            status = find(store, task.prefix + other.status, Status)
            if status and status.state.finished:
                ends[other.index] = status
                missing.remove(other)
        if not missing or time.monotonic() >= deadline or hurry.wait(POLL):
            break
    return ends
