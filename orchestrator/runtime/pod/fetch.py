"""The init container: bring code, data and what an earlier pod of the same job has left into the volume."""

import signal
import sys
import time
from types import FrameType

import msgspec

from orchestrator.progress import SILENT
from orchestrator.runtime.exits import Exit, conclude
from orchestrator.runtime.fetch import FetchError, fetch_inputs
from orchestrator.runtime.logread import LogReader
from orchestrator.runtime.output import Output
from orchestrator.runtime.pod.settings import Settings
from orchestrator.runtime.status import State, Status
from orchestrator.runtime.task import Task
from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.store.records import find, read, write
from orchestrator.store.transfer import download_tree

FAILED = 64  # exit code: no other attempt can succeed
STOPPED = 143  # exit code after SIGTERM


class _Record(msgspec.Struct):
    """As much of job.json as a pod needs."""

    task: Task | None = None
    created: float = 0.0


class _StopRequested(BaseException):
    """SIGTERM arrived: the pod is to end."""


def fetch(settings: Settings) -> int:
    """Prepare the volume and return the exit code."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _StopRequested

    # Process 1 of a container does not get a signal that it has not asked for.
    signal.signal(signal.SIGTERM, stop)
    store = open_store(settings.context.store, settings.context)
    record = read(store, settings.key, _Record)
    task = record.task
    if task is None:
        print(f"{settings.key} was deleted", file=sys.stderr)
        return FAILED
    status = _begin(settings, store, record)
    try:
        fetch_inputs(task, settings.volume, store, reporter=SILENT)
        if status.attempt > 1:
            _restore(settings, store)
        settings.volume.prepare(task, settings.worker)
    except FetchError as error:
        end = Exit(cause="not-started", reason=error.reason, error=error.message, finished=time.time())
        state, reason, message = conclude(end, last_lines=[], max_duration="", memory="")
        final = msgspec.structs.replace(
            status, state=state, reason=reason, message=message, hint=error.hint, finished=end.finished
        )
        write(store, settings.prefix + settings.worker.status, final)
        return FAILED
    return 0


def _begin(settings: Settings, store: Store, record: _Record) -> Status:
    """Tell that this pod begins, and how many there were before it."""
    key = settings.prefix + settings.worker.status
    before = find(store, key, Status) or Status(queued=record.created)
    attempt = before.attempt + (before.pod not in ("", settings.pod))
    status = Status(
        state=State.STARTING,
        message="fetching code and data",
        queued=before.queued or record.created,
        heartbeat=time.time(),
        attempt=attempt,
        pod=settings.pod,
    )
    write(store, key, status)
    settings.volume.make()
    settings.volume.save_status(status)
    return status


def _restore(settings: Settings, store: Store) -> None:
    """Bring back what earlier pods have saved: their log, which goes on, and their output, for the script to go on."""
    volume, worker = settings.volume, settings.worker
    if not volume.log.stat().st_size:
        log = LogReader(store, settings.prefix + worker.log, None)
        partial = volume.log.with_suffix(".part")
        with partial.open("wb") as file:
            for block in log.read(0, log.size()):
                file.write(block)
        partial.replace(volume.log)
    output = find(store, settings.prefix + worker.output, Output)
    if output:
        saved = open_store(output.store, settings.context)
        download_tree(saved, output.prefix, output.manifest, volume.output, reporter=SILENT)
