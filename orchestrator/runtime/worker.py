"""One of the workers of a job: which of how many, and where in the store its part of the job is."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from orchestrator.metrics.table import METRICS
from orchestrator.ports import HERE
from orchestrator.runtime.task import OUTPUT, STATUS

FIRST = 0  # the worker whose status and output are the job's
Source = Literal["main", "fetch", "sync"]  # the script, or what works before and beside it
MAIN: Source = "main"


def log_prefix(source: Source, worker: int) -> str:
    """Return the prefix of a worker's log, below the job version's."""
    return f"logs/{'worker' if source == MAIN else source}-{worker}/"


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker listens on, if its framework does; by default those of a pod, which has an address of its own.

    Attributes:
        master: Where the workers of PyTorch meet; only the first one's counts.
        scheduler: The same for MXNet.
        worker: TensorFlow's server of a worker.
        server: The same of a parameter server.
    """

    master: int = 29500  # as torchrun has it
    scheduler: int = 9091
    worker: int = 2222
    server: int = 2223


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A worker; by default the only one.

    Attributes:
        index: From 0.
        hosts: The addresses of all workers, by index, as they reach each other.
        ports: The same for their ports; empty where they are the same for all.
    """

    index: int = FIRST
    hosts: tuple[str, ...] = (HERE,)
    ports: tuple[Ports, ...] = ()

    @property
    def first(self) -> bool:
        """Tell whether its status and output are the job's."""
        return self.index == FIRST

    @property
    def count(self) -> int:
        """Return the number of workers."""
        return len(self.hosts)

    def others(self) -> Iterator["Worker"]:
        """Yield all workers but this one."""
        return (msgspec.structs.replace(self, index=index) for index in range(self.count) if index != self.index)

    @property
    def address(self) -> str:
        """Return its own address."""
        return self.hosts[self.index]

    def ports_of(self, index: int) -> Ports:
        """Return the ports of a worker."""
        return self.ports[index] if self.ports else Ports()

    @property
    def log(self) -> str:
        """Return the prefix of its script's log, below the job version's."""
        return log_prefix(MAIN, self.index)

    @property
    def status(self) -> str:
        """Return the name of its status, below the job version's prefix."""
        return STATUS if self.first else f"status-{self.index}.json"

    @property
    def output(self) -> str:
        """Return the name of the record of its output, below the job version's prefix."""
        return OUTPUT if self.first else f"output-{self.index}.json"

    @property
    def metrics(self) -> str:
        """Return the name of the table of its metrics, below the job version's prefix."""
        return METRICS if self.first else f"metrics-{self.index}.json"

    @property
    def folder(self) -> str:
        """Return the prefix of its files, below that of the job's output."""
        return "" if self.first else f"worker-{self.index}/"


ALONE = Worker()
