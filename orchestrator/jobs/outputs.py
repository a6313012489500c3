"""What a job version has written, and where it writes as long as it runs."""

from pathlib import Path

from orchestrator.backends.base import Backend
from orchestrator.errors import JobNotFinishedError, NotFoundError
from orchestrator.jobs.record import JobRecord, version_prefix
from orchestrator.jobs.view import JobView, is_here, look
from orchestrator.runtime.output import Output
from orchestrator.runtime.task import OUTPUT
from orchestrator.store.base import Store
from orchestrator.store.records import find


def output_of(store: Store, backend: Backend, record: JobRecord) -> Output:
    """Return what a version has written.

    Raises:
        JobNotFinishedError: It has not ended yet.
        NotFoundError: It ended before it could write anything.
    """
    output = find(store, version_prefix(record.name, record.number) + OUTPUT, Output)
    if output is not None:
        return output
    view = look(store, backend, record)
    if not view.status.state.finished:
        message = f"{view.ref} is {view.status.state}: its output is saved when it ends"
        raise JobNotFinishedError(message, hint=f"mlctl job wait {view.name} -v {view.version}")
    raise NotFoundError(f"{view.ref} has no output: {view.status.message}", hint=view.status.hint)


def live_output(backend: Backend, view: JobView) -> Path | None:
    """Return the folder that a version's script writes to, where it still does and within reach; else None."""
    local = view.record.task is not None and view.record.task.data_mode == "local"
    return backend.live_output(view.record.as_run()) if local and is_here(backend, view.record) else None
