"""Where the logs of a job version are read: of which worker, of the script or of what works beside it."""

from collections.abc import Callable, Iterator
from functools import partial

from orchestrator.backends.base import Backend
from orchestrator.errors import NotFoundError
from orchestrator.jobs.logs import LogQuery, read_log
from orchestrator.jobs.record import JobRecord, version_prefix
from orchestrator.jobs.view import JobView, is_here
from orchestrator.runtime.logread import LogReader
from orchestrator.runtime.worker import MAIN, Source, log_prefix
from orchestrator.store.base import Store


def read_job_log(
    store: Store,
    backend: Backend,
    record: JobRecord,
    query: LogQuery,
    look_on: Callable[[], JobView],
    *,
    source: Source = MAIN,
    worker: int | None = None,
) -> Iterator[bytes]:
    """Yield the log of a job version.

    Args:
        store: Where the job is.
        backend: Where it may run.
        record: Of the version.
        query: What to show.
        look_on: Tells its state.
        source: The script, or what mlctl itself says before (`fetch`) and beside it (`sync`).
        worker: Only this one's, as it is; by default all, where each line of several begins with its worker.

    Raises:
        NotFoundError: It has no such worker.
        UsageError: `grep` is not a regular expression.
    """
    if worker is not None and not 0 <= worker < record.workers:
        known = f"its workers are 0 to {record.workers - 1}" if record.workers > 1 else "it has one worker, 0"
        raise NotFoundError(f"{record.name}/{record.version} has no worker {worker}", hint=known)
    prefix = version_prefix(record.name, record.number)
    # Arrival times are in the store only, so bytes that have none yet must wait for theirs.
    timed = query.timestamps or query.since is not None

    def reader(index: int) -> LogReader:
        near = not timed and is_here(backend, record)
        live = backend.live_log(record.as_run(), source=source, worker=index) if near else None
        return LogReader(store, prefix + log_prefix(source, index), live)

    def ended() -> bool:
        status = look_on().status
        return status.state.finished or (source == "fetch" and bool(status.started))

    workers = range(record.workers) if worker is None else [worker]
    return read_log(query, [partial(reader, index) for index in workers], ended)
