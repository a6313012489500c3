"""One worker of a run: its script, the servers that its framework wants beside it, and its door to the store."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.backends.local.rundir import Order, WorkerDir
from orchestrator.backends.local.scratch import cache_path
from orchestrator.backends.local.script import WORKER, Guarded, RunningScript, marks
from orchestrator.backends.local.usage import tree_memory
from orchestrator.runtime.command import script_arguments, script_environment
from orchestrator.runtime.distributed import companions
from orchestrator.runtime.exits import Cause, Exit, signal_name
from orchestrator.runtime.files.server import FileService
from orchestrator.runtime.worker import Worker
from orchestrator.store.base import Store


class Member:
    """A worker that has been started.

    Args:
        place: Its folders.
        worker: Which it is.
        order: Of the run.
        variables: By which it reaches the bucket, if it does by itself.
        lock: Of the run.
        connect: Opens the store of a whole bucket.
    """

    def __init__(
        self,
        place: WorkerDir,
        worker: Worker,
        order: Order,
        variables: Mapping[str, str],
        *,
        lock: int,
        connect: Callable[[str], Store],
    ) -> None:
        self._cause: Cause = "exit"  # who ended it
        self._place = place
        self._peak = 0
        self._error = ""
        task, python = order.task, Path(order.python)
        engine = {**order.environment, **variables, **_devices(worker, task.gpus)}
        cache = cache_path(place.workspace.cache)
        environment = script_environment(task, place.workspace, python, engine, os.environ, worker, cache=cache)
        self._files = FileService(task, place.workspace, connect)
        self._files.start()
        self._beside = {
            one.role: Guarded(
                _argv(python, one.statement, script_arguments(task, place.workspace, worker, one.role)),
                environment | one.environment | marks(place) | {WORKER: f"{worker.index}-{one.role}"},
                folder=place.workspace.job_dir,
                log=place.workspace.log,
                exit_path=place.companion_exit_path(one.role),
                lock=lock,
            )
            for one in companions(task, worker)
        }
        argv = _argv(python, None, script_arguments(task, place.workspace, worker))
        self._script = RunningScript(place, argv, environment, lock)

    def running(self, wait: float = 0.0) -> bool:
        """Wait up to so many seconds; tell whether the script has not ended."""
        return not self._script.ended(wait)

    def memory(self) -> int:
        """Return the bytes that the script uses now."""
        used = tree_memory(self._script.pid)
        self._peak = max(self._peak, used)
        return used

    def broken(self) -> bool:
        """Tell whether a server beside the script has failed."""
        for role, beside in self._beside.items():
            if beside.ended(0) and (end := self._place.companion_exit(role)).code != 0:
                how = f"exit code {end.code}" if end.code is not None else signal_name(end.signal)
                self._error = f"the {role} beside the script failed with {how}"
        return bool(self._error)

    def terminate(self, cause: Cause) -> None:
        """Have the script ended, if it still runs."""
        if self.running():
            self._cause = cause
            self._script.terminate()

    def kill(self, cause: Cause = "exit") -> None:
        """Kill the script; the first cause counts."""
        if self._cause == "exit":
            self._cause = cause
        self._script.kill()

    def clear(self) -> None:
        """End what is beside the script, when no worker needs it any more."""
        for beside in self._beside.values():
            beside.kill()
        self._files.stop()

    def result(self) -> Exit:
        """Return how the script ended."""
        end = self._script.result()
        if self._cause != "exit":
            end.cause, end.error = self._cause, self._error
        end.peak_memory = max(end.peak_memory, self._peak)
        return end


def _argv(python: Path, statement: str | None, arguments: list[str]) -> list[str]:
    return [str(python), *(arguments if statement is None else ["-c", statement])]


def _devices(worker: Worker, gpus: int) -> dict[str, str]:
    """Return which GPUs of this machine are a worker's; one alone may have them all."""
    if worker.count == 1 or not gpus:
        return {}
    return {"CUDA_VISIBLE_DEVICES": ",".join(str(worker.index * gpus + number) for number in range(gpus))}
