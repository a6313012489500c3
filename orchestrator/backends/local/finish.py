"""Bring everything a finished run left on this machine into the store, and say how it ended.

Used by the supervisor at the end of its run, and by any later command when the supervisor died or
could not reach the store. Every step may be repeated.
"""

import time
from contextlib import suppress

from orchestrator.backends.local.rundir import Order, RunDir
from orchestrator.errors import MlctlError
from orchestrator.progress import SILENT
from orchestrator.runtime.exits import Exit, conclude, signal_name
from orchestrator.runtime.logread import LogReader
from orchestrator.runtime.logship import LogShipper
from orchestrator.runtime.output import save_output
from orchestrator.runtime.status import Reason, State, Status
from orchestrator.runtime.task import STATUS, WORKER_LOG, Task
from orchestrator.specs.quantities import format_duration, format_memory
from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.store.records import write
from orchestrator.store.scan import Skipped

LAST_LINES = 10
LAST_LINE_LENGTH = 500  # characters


def finish(run: RunDir, order: Order, store: Store, status: Status, end: Exit) -> Status:
    """Save log and output, then the final status, and remove the work folder.

    Args:
        run: The run.
        order: What its supervisor was told.
        store: The store of its record.
        status: Its status so far.
        end: How its script ended.

    Returns:
        The final status. If the store failed it is kept in the run's folder only, with reason
        `OutputNotSaved`, and nothing is removed: call again later.
    """
    task = order.task
    final = _concluded(run, task, store, status, end)
    try:
        shipper = LogShipper(store, task.prefix + WORKER_LOG, run.workspace.log, clock=time.time)
        shipper.poll()
        shipper.send()
        final.log_bytes = shipper.read
        if run.workspace.output.exists():
            complete = final.state is State.SUCCEEDED
            output = save_output(
                task,
                run.workspace,
                store,
                open_store(task.output_store, order.context),
                complete=complete,
                reporter=SILENT,
            )
            final.output_files, final.output_bytes = output.manifest.files, output.manifest.size
            final.output_complete = complete
            if output.skipped:
                final.message = "; ".join(filter(None, (final.message, _left_out(output.skipped))))
        write(store, task.prefix + STATUS, final)
    except (MlctlError, OSError) as error:
        final.state, final.reason = State.FAILED, Reason.OUTPUT_NOT_SAVED
        final.message = f"the script has ended, but its output could not be saved: {getattr(error, 'message', error)}"
        final.hint = Reason.OUTPUT_NOT_SAVED.hint.format(job=task.job, version=task.version)
        with suppress(MlctlError):  # on a full disk even this may fail; what is needed to go on is there already
            run.save_status(final)
        return final
    run.remove()
    return final


def _left_out(skipped: list[Skipped]) -> str:
    more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
    return f"of its output this could not be kept: {skipped[0].path} ({skipped[0].reason}){more}"


def _concluded(run: RunDir, task: Task, store: Store, status: Status, end: Exit) -> Status:
    log = LogReader(store, task.prefix + WORKER_LOG, run.workspace.log)
    size = log.size()
    tail = b"".join(log.read(max(log.tail_offset(LAST_LINES, size), size - LAST_LINES * LAST_LINE_LENGTH), size))
    lines = [line[-LAST_LINE_LENGTH:] for line in tail.decode(errors="replace").splitlines()[-LAST_LINES:]]
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
