"""The local backend: starts supervisors, tells the truth about them, cleans up after dead ones."""

import contextlib
import functools
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from orchestrator.backends.base import Advice, Event, Launch, Run, Session, Usage
from orchestrator.backends.local.capacity import capacity
from orchestrator.backends.local.containers import (
    container_name,
    ensure_image,
    find_program,
    has_image,
    names_of,
    remove,
    true_end,
)
from orchestrator.backends.local.finish import finish
from orchestrator.backends.local.gpus import count_gpus
from orchestrator.backends.local.image_layer import ensure_image_layer
from orchestrator.backends.local.rundir import (
    RunDir,
    acquire,
    all_runs,
    holder,
    is_looked_after,
    new_run_id,
    process_name,
)
from orchestrator.backends.local.script import kill_leftover
from orchestrator.backends.local.submission import LocalSubmission, image_of
from orchestrator.backends.local.usage import environment_of, measure
from orchestrator.config import machine_id
from orchestrator.engines.catalog import Engine
from orchestrator.engines.environment import ensure_environment, environment_path, environment_state
from orchestrator.engines.extend import ensure_local_layer, rehearse_local_layer
from orchestrator.engines.requirements import Requirements
from orchestrator.errors import MlctlError
from orchestrator.progress import Reporter
from orchestrator.runtime.distributed import ROLES
from orchestrator.runtime.exits import Exit
from orchestrator.runtime.logread import FileLog
from orchestrator.runtime.status import Reason, State, Status
from orchestrator.runtime.task import STATUS, Task
from orchestrator.runtime.worker import FIRST, MAIN, Source
from orchestrator.specs.flavors import Flavor
from orchestrator.specs.job import JobSpec
from orchestrator.store import open_store
from orchestrator.store.records import find

if TYPE_CHECKING:
    from orchestrator.backends.local.nursery import Nursery


class LocalBackend:
    """Runs jobs as processes of this machine.

    Args:
        context: Name of the context that stores are reached by; None is the current one.
    """

    def __init__(self, context: str | None = None) -> None:
        self._context = context
        self._nursery: Nursery | None = None
        self._open = functools.cache(functools.partial(open_store, context=context))

    name = "local"

    @functools.cached_property
    def place(self) -> str:
        return machine_id()

    def advise(self, spec: JobSpec, sizes: Flavor, engine: Engine | None) -> Advice:
        warnings: list[str] = []
        if spec.runtime == "container":
            find_program()
        there = count_gpus() if sizes.gpus else 0
        unused = engine is not None and spec.runtime == "environment" and not engine.local.gpu
        gpus = 0 if unused else there // spec.resources.nodes
        if engine and there and unused:
            warnings.append(
                f"it asks for GPUs, and the environment of {engine.name} on this machine computes on CPUs alone: "
                "it runs on those (its container image uses GPUs: --runtime container)"
            )
        elif sizes.gpus > gpus:
            wanted, found = sizes.gpus * spec.resources.nodes, f"has {there}" if there else "has none"
            warnings.append(
                f"it asks for {wanted} GPU{'s' if wanted > 1 else ''}, this machine {found}: it runs with what there is"
            )
        nodes = spec.resources.nodes
        if nodes * sizes.cpus > (here := capacity()):
            warnings.append(f"it asks for {nodes * sizes.cpus:g} CPUs, this machine has {here:g}")
        if nodes > 1:
            warnings.append(f"its {nodes} nodes are {nodes} processes of this machine")
        return Advice(min(sizes.gpus, gpus), warnings)

    def rehearse(self, spec: JobSpec, sizes: Flavor) -> None:
        pass  # this machine takes everything

    def environment(self, engine: Engine, spec: JobSpec, *, gpus: int) -> str:
        return image_of(engine, spec, self._context) if spec.runtime == "container" else environment_path(engine).name

    def is_ready(self, engine: Engine, spec: JobSpec) -> bool:
        if spec.runtime == "container":
            return has_image(image_of(engine, spec, self._context))
        return environment_state(engine).ready

    def check_requirements(self, engine: Engine, spec: JobSpec, requirements: Requirements) -> None:
        if spec.runtime == "environment" and environment_state(engine).ready:
            rehearse_local_layer(engine, requirements)

    def prepare(self, engine: Engine, spec: JobSpec, requirements: Requirements | None, reporter: Reporter) -> None:
        if spec.runtime == "container":
            image = image_of(engine, spec, self._context)
            ensure_image(image, engine.name, reporter)
            if requirements:
                ensure_image_layer(find_program(), image, engine, spec, requirements, reporter=reporter)
        elif requirements:
            ensure_local_layer(engine, requirements, reporter=reporter)
        else:
            ensure_environment(engine, reporter=reporter)

    def manifests(self, launch: Launch, run_id: str) -> list[dict[str, Any]]:
        return []

    def submission(self, run_id: str | None = None) -> LocalSubmission | None:
        run = RunDir(run_id or new_run_id())
        lock = acquire(run)
        return None if lock is None else LocalSubmission(run, lock, self._context, self._nursery)

    @contextlib.contextmanager
    def in_bulk(self) -> Iterator[None]:
        if sys.platform != "linux":
            yield
            return
        from orchestrator.backends.local.nursery import Nursery

        self._nursery = Nursery()
        try:
            yield
        finally:
            self._nursery.close()
            self._nursery = None

    def observe(self, run: Run, status: Status | None, *, closely: bool, since: float = math.inf) -> Status:
        return self._observe(RunDir(run.id), run.task, status)

    def _observe(self, run: RunDir, task: Task, status: Status | None) -> Status:
        if is_looked_after(run):
            return run.status() or status or _submitted()
        if not run.folder.exists():
            return self._without_folder(task, status)
        lock = acquire(run)
        if lock is None:
            return run.status() or status or _submitted()
        try:
            return self._recover(run, task, status)
        finally:
            os.close(lock)

    def last_known(self, run_id: str) -> Status | None:
        run = RunDir(run_id)
        if not is_looked_after(run):
            return None
        return run.status() or (_submitted() if run.order() else None)

    def runs(self) -> Iterator[Run]:
        for run in all_runs():
            if (order := run.order()) and is_looked_after(run):
                yield Run(id=run.id, task=order.task, created=order.created)

    def events(self, run: Run) -> list[Event]:
        return []  # all that happens here is in the status

    def usage(self, runs: Sequence[Run]) -> dict[str, Usage]:
        return measure([run.id for run in runs])

    def session(self, run: Run, command: Sequence[str], *, worker: int, terminal: bool) -> Session | None:
        environment = environment_of(run.id, worker)
        if environment is None:
            return None
        folder = RunDir(run.id)
        if (order := folder.order()) and order.contained:
            name = container_name(folder.worker(worker))
            options = ["--interactive", *(["--tty"] if terminal else [])]
            return Session([order.contained.program, "exec", *options, name, *(command or ["/bin/sh"])])
        shell = os.environ.get("SHELL", "/bin/sh")
        return Session([*command] or [shell], environment, folder.worker(worker).workspace.job_dir)

    def request_cancel(self, run: Run) -> None:
        folder = RunDir(run.id)
        folder.request_cancel()
        pid = holder(folder)
        if pid and is_looked_after(folder) and _is_of(pid, run.id):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def live_log(self, run: Run, *, source: Source = MAIN, worker: int = FIRST) -> FileLog | None:
        folder = RunDir(run.id)
        log = (
            folder.worker(worker).workspace.log if source == MAIN else folder.supervisor_log
        )  # one process fetches and saves
        return FileLog(log) if log.exists() else None

    def live_output(self, run: Run) -> Path | None:
        output = RunDir(run.id).workspace.output
        return output if output.is_dir() else None

    def forget(self, run: Run) -> None:
        RunDir(run.id).remove()

    def _recover(self, run: RunDir, task: Task, status: Status | None) -> Status:
        """Finish a run whose supervisor is gone; the caller holds its lock."""
        store = self._open(task.store)
        written = find(store, task.prefix + STATUS, Status)
        if written and written.state.finished:  # it ended between two looks, or died just before cleaning up
            run.remove()
            return written
        order = run.order()
        if order is None or (run.status() is None and run.exit() is None):
            return _not_started()
        kill_leftover(run.id)
        lost = Exit(cause="lost", finished=time.time(), started=status.started if status else 0.0)
        # Of a run that never began there is the first one's end alone.
        others = (run.worker(index) for index in range(1, order.nodes))
        nodes = order.nodes if any(other.workspace.log.exists() for other in others) else 1
        places = [run.worker(index) for index in range(nodes)]
        ends = [place.exit() or msgspec.structs.replace(lost) for place in places]
        if order.contained:
            remove(order.contained, [name for place in places for name in names_of(place, ROLES)])
            ends = [true_end(place, end) for place, end in zip(places, ends, strict=True)]
        final = finish(run, order, run.status() or status or Status(), ends)
        if final.reason is Reason.OUTPUT_NOT_SAVED:
            with contextlib.suppress(MlctlError):  # on a full disk even this may fail
                run.save_status(final)
        return final

    def _without_folder(self, task: Task, status: Status | None) -> Status:
        if status is None:
            return _not_started()
        # Finished between reading the status and looking for the folder, or the folder was removed by hand.
        written = find(self._open(task.store), task.prefix + STATUS, Status) or status
        if not written.state.finished:
            written.state, written.reason = State.FAILED, Reason.SUPERVISOR_LOST
            written.message = "its folder on this machine was removed while it ran"
            written.hint = Reason.SUPERVISOR_LOST.hint.format(job=task.job, version=task.version)
        return written


def _submitted() -> Status:
    return Status(message="being submitted")


def _not_started() -> Status:
    reason = Reason.NOT_STARTED
    message = "it was recorded, but the create command was interrupted before it started"
    return Status(state=State.FAILED, reason=reason, message=message, hint=reason.hint)


def _is_of(pid: int, run_id: str) -> bool:
    """Tell whether a process is a run's supervisor, and not another one that has got its pid."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="ascii", errors="replace").strip()
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        name = ""
        line = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False).stdout
    return name == process_name(run_id) or run_id.encode() in line
