"""One worker of a run: its script, the servers that its framework wants beside it, and its door to the store."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.backends.local.containers import (
    client_environment,
    container_name,
    here,
    names_of,
    remove,
    run_command,
    true_end,
)
from orchestrator.backends.local.guard import CACHE
from orchestrator.backends.local.rundir import Order, WorkerDir
from orchestrator.backends.local.script import WORKER, Guarded, RunningScript, marks
from orchestrator.backends.local.usage import tree_memory
from orchestrator.engines.requirements import FILE, installed
from orchestrator.runtime.command import (
    contract_environment,
    own_environment,
    script_arguments,
    script_environment,
)
from orchestrator.runtime.distributed import companions
from orchestrator.runtime.exits import Cause, Exit, signal_name
from orchestrator.runtime.files.operations import EVERYWHERE
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
        self._contained = order.contained
        task = order.task
        own = {**order.environment, **variables, **_devices(worker, task.gpus)}
        shared = (place.workspace.work,) if order.contained else EVERYWHERE
        self._files = FileService(task, place.workspace, connect, shared=shared)
        self._files.start()

        def program(words: list[str], more: dict[str, str], role: str = "") -> tuple[list[str], dict[str, str]]:
            if order.contained is None:
                python = Path(order.python)
                environment = script_environment(task, place.workspace, python, own, os.environ, worker)
                return [str(python), *words], environment | more
            contract = contract_environment(task, place.workspace, worker) | {"DLS_LOCAL_CACHE_PATH": CACHE}
            inside = own | contract | own_environment(task, place.workspace) | more
            user, processors = here()
            layer = order.layer
            argv = run_command(
                order.contained, place, task, words, inside, user=user, processors=processors, role=role, layer=layer
            )
            return argv, client_environment(inside, os.environ)

        place.workspace.log.touch()
        if order.layer:
            _bring_packages(place, Path(order.layer))
        self._beside: dict[str, Guarded] = {}
        for one in companions(task, worker):
            words = script_arguments(task, place.workspace, worker, one.role)
            more = one.environment | marks(place) | {WORKER: f"{worker.index}-{one.role}"}
            argv, environment = program(["-c", one.statement] if one.statement else words, more, one.role)
            self._beside[one.role] = Guarded(
                argv,
                environment,
                folder=place.workspace.job_dir,
                log=place.container_log if order.contained else place.workspace.log,
                exit_path=place.companion_exit_path(one.role),
                lock=lock,
                hold=order.contained is not None,
                cache=None if order.contained else place.workspace.cache,
            )
        argv, environment = program(script_arguments(task, place.workspace, worker), marks(place))
        self._script = RunningScript(place, argv, environment, lock, contained=order.contained is not None)

    def running(self, wait: float = 0.0) -> bool:
        """Wait up to so many seconds; tell whether the script has not ended."""
        return not self._script.ended(wait)

    def memory(self) -> int:
        """Return the bytes that the script uses now; in a container that is the kernel's to know and to limit."""
        if self._contained:
            return 0
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
        if self._contained:
            remove(self._contained, [container_name(self._place)])
        self._script.kill()

    def clear(self) -> None:
        """End what is beside the script, when no worker needs it any more, and all that is left."""
        if self._contained:
            remove(self._contained, names_of(self._place, self._beside))
        for beside in self._beside.values():
            beside.kill()
        self._files.stop()

    def result(self) -> Exit:
        """Return how the script ended."""
        end = self._script.result()
        if self._contained:
            end = true_end(self._place, end)
        if self._cause != "exit":
            end.cause, end.error = self._cause, self._error
        end.peak_memory = max(end.peak_memory, self._peak)
        return end


def _bring_packages(place: WorkerDir, layer: Path) -> None:
    """Let the script find the packages that the job brings, and its log begin with what they are."""
    place.workspace.packages.symlink_to(layer)
    with place.workspace.log.open("a", encoding="utf-8") as log:
        log.write(f"mlctl: {FILE} adds {installed(layer)}\n")


def _devices(worker: Worker, gpus: int) -> dict[str, str]:
    """Return which GPUs of this machine are a worker's; one alone may have them all."""
    if worker.count == 1 or not gpus:
        return {}
    return {"CUDA_VISIBLE_DEVICES": ",".join(str(worker.index * gpus + number) for number in range(gpus))}
