"""Bring everything a finished run left on this machine into the store, and say how it ended.

Used by the supervisor at the end of its run, and by any later command when the supervisor died or
could not reach the store. Every step may be repeated.
"""

import os
import time
from pathlib import Path

from orchestrator.backends.local.rundir import Order, RunDir
from orchestrator.errors import MlctlError, StoreError
from orchestrator.progress import SILENT
from orchestrator.runtime.arrivals import Arrivals
from orchestrator.runtime.exits import Exit, conclude, signal_name
from orchestrator.runtime.logship import LogShipper
from orchestrator.runtime.output import save_output
from orchestrator.runtime.status import Reason, State, Status
from orchestrator.runtime.task import JOB, STATUS, WORKER_LOG, Task
from orchestrator.specs.quantities import format_duration, format_memory
from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.store.records import find, write
from orchestrator.store.scan import Skipped

LAST_LINES = 10
LAST_LINE_LENGTH = 500  # characters


def finish(
    run: RunDir,
    order: Order,
    status: Status,
    end: Exit,
    *,
    arrivals: Arrivals | None = None,
    patience: float | None = None,
) -> Status:
    """Save log and output, then the final status, and remove the work folder.

    Args:
        run: The run.
        order: What its supervisor was told.
        status: Its status so far.
        end: How its script ended.
        arrivals: When its log came, where that is known.
        patience: Seconds that a store may take for one request with all its attempts.

    Returns:
        The final status. If the store failed its reason is `OutputNotSaved`, nothing is removed, and it
        is nowhere but here: call again later.
    """
    task = order.task
    final = _concluded(run, task, status, end)
    try:
        store = open_store(task.store, order.context, patience=patience)
        _require_record(store, task)
        log = run.workspace.log
        shipper = LogShipper(store, task.prefix + WORKER_LOG, log, arrivals or Arrivals(log, time.time))
        shipper.poll()
        shipper.send()
        shipper.mend()
        final.log_bytes = shipper.read
        if run.workspace.output.exists():
            complete = final.state is State.SUCCEEDED
            output = save_output(
                task,
                run.workspace,
                store,
                open_store(task.output_store, order.context, patience=patience),
                complete=complete,
                reporter=SILENT,
            )
            final.output_files, final.output_bytes = output.manifest.files, output.manifest.size
            final.output_complete = complete
            if output.skipped:
                final.message = "; ".join(filter(None, (final.message, _left_out(output.skipped))))
        _write_last(store, task, final)
    except (MlctlError, OSError) as error:
        said = getattr(error, "message", str(error))
        ended = final.state.value if final.reason is None else f"{final.state.value}, {final.reason.value}"
        final.message = f"the script has ended ({ended}), but its output could not be saved: {said}"
        final.state, final.reason = State.FAILED, Reason.OUTPUT_NOT_SAVED
        final.hint = Reason.OUTPUT_NOT_SAVED.hint.format(job=task.job, version=task.version)
        return final
    run.remove()
    return final


def _require_record(store: Store, task: Task) -> None:
    """Raise StoreError if the store does not know the job version: it may be a folder that is not mounted now."""
    if store.head(task.prefix + JOB) is None:
        hint = "is its folder mounted? look with: mlctl context get"
        raise StoreError(f"{store.url} has no {task.prefix}{JOB}: it is not the store it was", hint=hint)


def _write_last(store: Store, task: Task, final: Status) -> None:
    """Write the final status, and make sure that it stays.

    A store that did not answer for a while may carry out an earlier write after a later one.
    """
    key = task.prefix + STATUS
    write(store, key, final)
    if find(store, key, Status) != final:
        raise StoreError(f"{key} was replaced by an earlier state in {store.url}")
    _require_record(store, task)


def _left_out(skipped: list[Skipped]) -> str:
    more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
    return f"of its output this could not be kept: {skipped[0].path} ({skipped[0].reason}){more}"


def _concluded(run: RunDir, task: Task, status: Status, end: Exit) -> Status:
    lines = _last_lines(run.workspace.log)
    limits = {"max_duration": format_duration(task.max_duration), "memory": format_memory(task.memory)}
    state, reason, message = conclude(end, last_lines=lines, **limits)
    return Status(
        state=state,
        reason=reason,
        message=message,
        hint=reason.hint.format(job=task.job, version=task.version) if reason else "",
        queued=status.queued,
        started=end.started,
        finished=end.finished or time.time(),
        heartbeat=time.time(),
        exit_code=end.code,
        signal=signal_name(end.signal),
        last_lines=lines if state is State.FAILED else [],
        peak_memory=end.peak_memory,
        cpu_seconds=round(end.cpu_seconds, 2),
    )


def _last_lines(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_LINES * LAST_LINE_LENGTH))
            tail = file.read()
    except OSError:  # it never started
        return []
    return [line[-LAST_LINE_LENGTH:] for line in tail.decode(errors="replace").splitlines()[-LAST_LINES:]]
