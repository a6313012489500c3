"""Starts a run on this machine: what it needs, its order, and the process that looks after it."""

import os
import sys
import time
from typing import TYPE_CHECKING

from orchestrator.backends.base import Launch
from orchestrator.backends.kubernetes.images import from_registry
from orchestrator.backends.local.containers import find_program
from orchestrator.backends.local.gpus import count_gpus
from orchestrator.backends.local.image_layer import ensure_image_layer
from orchestrator.backends.local.rundir import Contained, Order, RunDir
from orchestrator.backends.local.script import RUN_ID
from orchestrator.config import get_context, home_dir
from orchestrator.detached import start_detached
from orchestrator.engines.catalog import Engine
from orchestrator.engines.environment import ensure_environment
from orchestrator.engines.extend import ensure_local_layer
from orchestrator.specs.flavors import resolve_resources
from orchestrator.specs.job import JobSpec
from orchestrator.store.parallel import as_mlctl_error

if TYPE_CHECKING:
    from orchestrator.backends.local.nursery import Nursery


class LocalSubmission:
    """The right to start one run on this machine: its folder's lock."""

    def __init__(self, run: RunDir, lock: int, context: str | None, nursery: "Nursery | None" = None) -> None:
        self._run = run
        self._nursery = nursery
        self._lock = lock
        self._context = context

    @property
    def id(self) -> str:
        return self._run.id

    def start(self, launch: Launch) -> None:
        run, lock = self._run, self._lock
        contained = None
        if launch.spec.runtime == "container":
            image = image_of(launch.engine, launch.spec, self._context)
            contained = Contained(program=find_program(), image=image)
        order = Order(
            task=launch.task,
            python="" if contained else str(ensure_environment(launch.engine)),
            environment=launch.engine.env,
            created=time.time(),
            context=self._context,
            nodes=launch.spec.resources.nodes,
            contained=contained,
            layer=_layer(launch, contained),
        )
        run.save_order(order)
        inherited = {name: value for name, value in os.environ.items() if name != RUN_ID}
        environment = inherited | {"MLCTL_HOME": str(home_dir())}
        nursery, log = self._nursery, run.supervisor_log
        if not (nursery and nursery.start(run.id, folder=run.folder, environment=environment, log=log, lock=lock)):
            supervisor = [sys.executable, "-m", "orchestrator.backends.local.supervisor", run.id, str(lock)]
            try:
                start_detached(supervisor, folder=run.folder, environment=environment, log=log, inherited=lock)
            except OSError as error:
                raise as_mlctl_error(error, f"cannot start the job in {run.folder}") from error
        os.close(lock)

    def release(self) -> None:
        os.close(self._lock)
        self._run.remove()


def _layer(launch: Launch, contained: Contained | None) -> str:
    """Return the folder of the packages that a job brings; empty if it brings none."""
    if launch.requirements is None:
        return ""
    if contained is None:
        return str(ensure_local_layer(launch.engine, launch.requirements))
    return str(ensure_image_layer(contained.program, contained.image, launch.engine, launch.spec, launch.requirements))


def image_of(engine: Engine, spec: JobSpec, context: str | None) -> str:
    """Return the image that a job's containers are made of."""
    gpus = resolve_resources(spec.resources).gpus and count_gpus()
    image = engine.images.gpu if gpus and engine.images.gpu else engine.images.cpu
    return from_registry(image, get_context(context).image_registry)
