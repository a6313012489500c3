"""What running jobs use, beside what they asked for; and a shell beside their scripts."""

from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.backends.base import Backend, Session, Usage
from orchestrator.errors import ConflictError
from orchestrator.jobs.view import JobView, is_here
from orchestrator.runtime.status import State


class Used(NamedTuple):
    """A running job.

    Attributes:
        view: Of it.
        usage: What it uses now; None if that cannot be told.
        nodes: Workers.
        cpus: Cores that they have asked for, together.
        memory: Bytes, the same.
        gpus: GPUs that they have, together.
    """

    view: JobView
    usage: Usage | None
    nodes: int
    cpus: float
    memory: int
    gpus: int


def top(backend: Backend, views: Sequence[JobView]) -> list[Used]:
    """Return what those of the jobs use that run in the backend's place."""
    running = [view for view in views if view.status.state is State.RUNNING and is_here(backend, view.record)]
    usage = backend.usage([view.record.as_run() for view in running]) if running else {}
    found = []
    for view in running:
        task = view.record.task
        assert task is not None  # or it were not here
        nodes = view.record.workers
        amounts = task.cpus * nodes, task.memory * nodes, task.gpus * nodes
        found.append(Used(view, usage.get(view.record.run), nodes, *amounts))
    return found


def session(backend: Backend, view: JobView, command: Sequence[str], *, worker: int, terminal: bool) -> Session:
    """Return how to start a command beside a job's script; see `Backend.session`.

    Raises:
        ConflictError: It does not run, or runs elsewhere.
    """
    hint = view.status.hint or f"mlctl job get {view.name} -v {view.version}"
    if view.status.state is not State.RUNNING:
        raise ConflictError(f"{view.ref} is {view.status.state}: only a running script has a shell", hint=hint)
    if not is_here(backend, view.record):
        raise ConflictError(f"{view.ref} runs at {view.record.author.rpartition('@')[2]}", hint="run it there")
    found = backend.session(view.record.as_run(), command, worker=worker, terminal=terminal)
    if found is None:
        raise ConflictError(f"worker {worker} of {view.ref} does not run", hint=hint)
    return found
