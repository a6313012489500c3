"""Bring everything a finished script left behind into the store. Every step may be repeated."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from orchestrator.errors import MlctlError, NotFoundError, StoreError
from orchestrator.metrics.table import Table, finals
from orchestrator.models.register import register_output
from orchestrator.progress import SILENT
from orchestrator.runtime.arrivals import Arrivals
from orchestrator.runtime.exits import Exit, conclude, signal_name
from orchestrator.runtime.logship import LogShipper
from orchestrator.runtime.measure.ship import MetricShipper, files_of
from orchestrator.runtime.measure.summary import with_metrics
from orchestrator.runtime.output import Output, save_output
from orchestrator.runtime.status import Reason, State, Status
from orchestrator.runtime.task import CANCEL, JOB, CancelRequest, Task, Workspace
from orchestrator.runtime.worker import ALONE, Worker
from orchestrator.specs.quantities import format_duration, format_memory
from orchestrator.store.base import Store
from orchestrator.store.records import find, write
from orchestrator.store.scan import Skipped

LAST_LINES = 10
LAST_LINE_LENGTH = 500  # characters


def concluded(task: Task, workspace: Workspace, status: Status, end: Exit) -> Status:
    """Return the final status of a run, given its status so far and how its script ended."""
    lines = _last_lines(workspace.log)
    limits = {"max_duration": format_duration(task.max_duration), "memory": format_memory(task.memory)}
    state, reason, message = conclude(end, last_lines=lines, budget=task.budget, **limits)
    return msgspec.structs.replace(
        status,
        state=state,
        reason=reason,
        message=message,
        hint=reason.hint.format(job=task.job, version=task.version) if reason else "",
        started=end.started,
        finished=end.finished or time.time(),
        heartbeat=time.time(),
        exit_code=end.code,
        signal=signal_name(end.signal),
        last_lines=lines if state is State.FAILED else [],
        peak_memory=end.peak_memory,
        cpu_seconds=round(end.cpu_seconds, 2),
    )


def save_end(
    task: Task,
    workspace: Workspace,
    final: Status,
    connect: Callable[[str], Store],
    *,
    arrivals: Arrivals,
    worker: Worker = ALONE,
    before_status: Callable[[], None] = lambda: None,
) -> Status:
    """Save log and output, then the final status.

    Args:
        task: The work order.
        workspace: Its folders on this machine.
        final: The final status, as far as it is known before.
        connect: Opens the store at a URL.
        arrivals: When the log came.
        worker: Whose end it is.
        before_status: Called when only the status is left: from now on nobody else may write it.

    Returns:
        The final status. If a store failed its reason is `OutputNotSaved`, and it is nowhere but here: call again.
    """
    final = msgspec.structs.replace(final)
    try:
        store = connect(task.store)
        _require_record(store, task)
        _say_who_cancelled(store, task, final)
        shipper = LogShipper(store, task.prefix + worker.log, workspace.log, arrivals)
        shipper.poll()
        shipper.send()
        shipper.mend()
        final.log_bytes = shipper.read
        final = with_metrics(final, _measured(task, workspace, worker, store, connect), heartbeat=final.heartbeat)
        if workspace.output.exists():
            complete = final.state is State.SUCCEEDED
            output_store = connect(task.output_store)
            output = save_output(
                task, workspace, store, output_store, complete=complete, reporter=SILENT, worker=worker
            )
            final.output_files, final.output_bytes = output.manifest.files, output.manifest.size
            final.output_complete = complete
            notes = [final.message, _left_out(output.skipped) if output.skipped else ""]
            if complete and worker.first:
                notes.append(_register(task, store, output_store, output, final))
            final.message = "; ".join(filter(None, notes))
        before_status()
        _write_last(store, task, worker, final)
    except (MlctlError, OSError) as error:
        said = getattr(error, "message", str(error))
        ended = final.state.value if final.reason is None else f"{final.state.value}, {final.reason.value}"
        final.message = f"the script has ended ({ended}), but its output could not be saved: {said}"
        final.state, final.reason = State.FAILED, Reason.OUTPUT_NOT_SAVED
        final.hint = Reason.OUTPUT_NOT_SAVED.hint.format(job=task.job, version=task.version)
    return final


def _measured(task: Task, workspace: Workspace, worker: Worker, store: Store, connect: Callable[[str], Store]) -> Table:
    """Bring the last metrics to the store, and return them all."""
    files = files_of(task, workspace, connect)
    return MetricShipper(store, files, task, workspace, worker, sample=dict).finish()


def _say_who_cancelled(store: Store, task: Task, final: Status) -> None:
    """Let the status say why a version was cancelled, if it was not a person who asked for that."""
    if final.reason is not Reason.CANCELLED_BY_USER:
        return
    if (asked := find(store, task.prefix + CANCEL, CancelRequest)) and asked.message:
        final.message = asked.message
        final.reason = Reason.PRUNED if asked.pruned else Reason.CANCELLED_BY_SWEEP
        final.hint = final.reason.hint.format(job=task.job, version=task.version)


def _register(task: Task, store: Store, output_store: Store, output: Output, final: Status) -> str:
    """Make the output a version of the model that the job is for, and tell; nothing if it is for none."""
    if task.model is None:
        return ""
    try:
        version = register_output(
            store,
            task.model.name,
            task.model.number,
            store=output_store,
            prefix=output.prefix,
            manifest=output.manifest,
            lineage=msgspec.structs.replace(task.model.lineage, metrics=finals(final.metrics)),
            author=task.model.lineage.author,
        )
    except NotFoundError as error:  # the output is saved, and a model can be made of it by hand
        return f"no model was registered: {error.message}"
    final.model = version.ref
    return f"its model is {version.ref}"


def _require_record(store: Store, task: Task) -> None:
    """Raise StoreError if the store does not know the job version: it may be a folder that is not mounted now."""
    if store.head(task.prefix + JOB) is None:
        hint = "is its folder mounted? look with: mlctl context get"
        raise StoreError(f"{store.url} has no {task.prefix}{JOB}: it is not the store it was", hint=hint)


def _write_last(store: Store, task: Task, worker: Worker, final: Status) -> None:
    """Write the final status, and make sure that it stays.

    A store that did not answer for a while may carry out an earlier write after a later one.
    """
    key = task.prefix + worker.status
    write(store, key, final)
    if find(store, key, Status) != final:
        raise StoreError(f"{key} was replaced by an earlier state in {store.url}")
    _require_record(store, task)


def _left_out(skipped: list[Skipped]) -> str:
    more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
    return f"of its output this could not be kept: {skipped[0].path} ({skipped[0].reason}){more}"


def _last_lines(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_LINES * LAST_LINE_LENGTH))
            tail = file.read()
    except OSError:  # it never started
        return []
    return [line[-LAST_LINE_LENGTH:] for line in tail.decode(errors="replace").splitlines()[-LAST_LINES:]]
