"""The end of a job with several workers: the first one tells it, for all of them."""

import threading
import time

import msgspec

from orchestrator.runtime.status import Reason, State, Status
from orchestrator.runtime.task import Task
from orchestrator.runtime.worker import Worker
from orchestrator.store.base import Store
from orchestrator.store.records import find

WAIT = 60.0  # seconds that the first worker, having ended, waits for the others to have saved their parts
POLL = 0.5  # seconds


def with_others(final: Status, task: Task, worker: Worker, store: Store, *, hurry: threading.Event) -> Status:
    """Return the end of the job, given that of the first worker; for any other worker, its own.

    A worker that failed by itself is why the job failed: the others are ended by the cluster then, or by the error
    of not finding it.

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
    if final.state is State.CANCELLED or final.reason is Reason.TIMEOUT:
        return final
    failed = [(index, end) for index, end in ends.items() if end.state is State.FAILED]
    failed.sort(key=lambda item: (item[1].reason is Reason.KILLED, item[1].finished))
    if not failed:
        return final
    index, first = failed[0]
    own = final.state is State.FAILED and final.reason is not Reason.KILLED
    if own and (first.reason is Reason.KILLED or final.finished <= first.finished):
        return final
    if final.state is State.FAILED and first.reason is Reason.KILLED:
        return final
    return msgspec.structs.replace(
        final,
        state=State.FAILED,
        reason=first.reason,
        message=f"worker {index}: {first.message}",
        hint=first.hint,
        exit_code=first.exit_code,
        signal=first.signal,
        last_lines=first.last_lines,
        unclear=first.unclear,
    )


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
