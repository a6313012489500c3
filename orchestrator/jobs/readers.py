"""Where the logs of a job version are read: of which worker, of the script or of what works beside it."""

import time
from collections.abc import Iterator
from functools import partial

from orchestrator.backends.base import Backend
from orchestrator.errors import NotFoundError, StoreError
from orchestrator.jobs.logs import LogQuery, read_log
from orchestrator.jobs.record import JobRecord, version_prefix
from orchestrator.jobs.view import is_here, watcher
from orchestrator.progress import SILENT, Reporter
from orchestrator.runtime.logread import LogReader
from orchestrator.runtime.worker import MAIN, Source, log_prefix
from orchestrator.store.base import Store

STORE_PATIENCE = 3600.0  # seconds that a follower waits for a store that is away; a pod waits no longer, either
CALM = 90.0  # seconds without a failure, longer than one request may take, after which the store was there between


def read_job_log(
    store: Store,
    backend: Backend,
    record: JobRecord,
    query: LogQuery,
    *,
    source: Source = MAIN,
    worker: int | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[bytes]:
    """Yield the log of a job version.

    Args:
        store: Where the job is.
        backend: Where it may run.
        record: Of the version.
        query: What to show.
        source: The script, or what mlctl itself says before (`fetch`) and beside it (`sync`).
        worker: Only this one's, as it is; by default all, where each line of several begins with its worker.
        reporter: Told what a follower waits for: a store that is away, an end that cannot be saved.

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

    look_on = watcher(store, backend, record, reporter)

    def ended() -> bool:
        status = look_on().status
        return status.state.finished or (source == "fetch" and bool(status.started))

    failing: list[float] = []  # since when, and when it was last seen

    def away(error: StoreError) -> None:
        now = time.monotonic()
        if not failing or now - failing[1] > CALM:
            failing[:] = now, now
            reporter.note(f"{error.message}: going on as soon as it is back")
        failing[1] = now
        if now - failing[0] > STORE_PATIENCE:
            raise error

    workers = range(record.workers) if worker is None else [worker]
    return read_log(query, [partial(reader, index) for index in workers], ended, away=away)
