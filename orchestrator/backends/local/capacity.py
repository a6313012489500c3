"""Which of the waiting runs may start: first come, first served, as far as this machine's CPUs go."""

import os
import time
from collections.abc import Callable
from typing import NamedTuple

from orchestrator.backends.local.rundir import RunDir, all_runs, is_looked_after

SHORTEST_WAIT = 0.1  # seconds between two looks at the queue
LONGEST_WAIT = 1.0  # seconds


class Place(NamedTuple):
    """A run's place in the queue: how many live runs are before it, and how many CPUs they take."""

    ahead: int
    cpus_ahead: float
    capacity: float

    def free_for(self, cpus: float) -> bool:
        """Tell whether a run that takes `cpus` may start; one alone always may."""
        return self.ahead == 0 or self.cpus_ahead + cpus <= self.capacity


def capacity() -> float:
    """Return the CPUs that jobs may take together: MLCTL_CPUS, else those this process may use."""
    try:
        return float(os.environ["MLCTL_CPUS"])
    except (KeyError, ValueError):
        affinity = getattr(os, "sched_getaffinity", None)
        return float(len(affinity(0)) if affinity else os.cpu_count() or 1)


def place(run: RunDir) -> Place:
    """Return the run's place in the queue of this machine."""
    own = run.order()
    if own is None:
        raise ValueError(f"run {run.id} has no order")
    ahead, cpus = 0, 0.0
    for other in all_runs():
        order = other.order()
        if other.id == run.id or order is None or (order.created, other.id) >= (own.created, run.id):
            continue
        # One whose script has ended takes no CPUs, however long the saving takes.
        if is_looked_after(other) and other.exit() is None:
            ahead += 1
            cpus += order.cpus
    return Place(ahead, cpus, capacity())


def wait_for_place(run: RunDir, cpus: float, *, waiting: Callable[[Place], None]) -> None:
    """Return when the run may start; `waiting` is told the place whenever it changes."""
    told: Place | None = None
    while not (now := place(run)).free_for(cpus):
        if now != told:
            waiting(now)
            told = now
        time.sleep(min(SHORTEST_WAIT * now.ahead, LONGEST_WAIT))
