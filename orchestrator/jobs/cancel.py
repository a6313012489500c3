"""Ask for the end of a job version, wherever it runs."""

import time

from orchestrator.backends.base import Backend
from orchestrator.errors import ConflictError, JobNotFinishedError, PermissionDeniedError, StoreError
from orchestrator.jobs.record import JobRecord, version_prefix
from orchestrator.jobs.untold import forget
from orchestrator.jobs.view import JobView, is_here
from orchestrator.runtime.status import Reason, State, Status
from orchestrator.runtime.task import CANCEL, STATUS, CancelRequest
from orchestrator.store.base import Store
from orchestrator.store.records import write

BY_USER = CancelRequest()
AWAY = (StoreError, PermissionDeniedError)  # what a store raises that cannot be asked now


def request_cancel(store: Store, backend: Backend, record: JobRecord, why: CancelRequest = BY_USER) -> None:
    """Leave the request in the store, and pass it on if the version runs in the backend's place."""
    try:
        write(store, version_prefix(record.name, record.number) + CANCEL, why)
    except AWAY:
        if backend.last_known(record.run) is None:  # it does not run here
            raise
    if is_here(backend, record):
        backend.request_cancel(record.as_run())


def cancel_unstarted(store: Store, backend: Backend, record: JobRecord) -> JobView:
    """Cancel a version that was recorded and never started.

    Raises:
        ConflictError: It is just being started.
    """
    submission = backend.submission(record.run)
    if submission is None:
        raise ConflictError(f"{record.name}/{record.version} is just being started", hint="run it again")
    now = time.time()
    reason = Reason.CANCELLED_BY_USER
    status = Status(state=State.CANCELLED, reason=reason, message="cancelled before it started", finished=now)
    write(store, version_prefix(record.name, record.number) + STATUS, status)
    submission.release()
    forget(record.run)
    return JobView(record, status)


def still_ending(view: JobView) -> JobNotFinishedError:
    """Return the error that tells what a cancelled version is still at."""
    status = view.status
    now = f"{status.state}: {status.message}".removesuffix(": ")
    message = f"{view.ref} is being cancelled, and has not ended yet ({now})"
    return JobNotFinishedError(message, hint=f"it ends by itself: mlctl job wait {view.name} -v {view.version}")
