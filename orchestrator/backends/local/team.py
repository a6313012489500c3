"""All workers of a run, from their start to the end of the last one."""

import signal
import time
from collections.abc import Callable, Mapping

from orchestrator.backends.local.member import Member
from orchestrator.backends.local.ports import ports_of
from orchestrator.backends.local.rundir import Order, RunDir
from orchestrator.backends.local.usage import out_of_memory_kills
from orchestrator.ports import HERE
from orchestrator.runtime.exits import Cause, Exit
from orchestrator.runtime.worker import Worker
from orchestrator.store.base import Store

POLL = 0.1  # seconds between two looks at the scripts and their logs
GRACE = 10.0  # seconds between SIGTERM and SIGKILL


def workers_of(order: Order) -> list[Worker]:
    """Return the workers of a run, all of them on this machine, with ports that are free now.

    Raises:
        ConflictError: No ports are free.
    """
    ports = ports_of(order.nodes) if order.nodes > 1 else ()
    return [Worker(index=index, hosts=(HERE,) * order.nodes, ports=ports) for index in range(order.nodes)]


class Team:
    """Workers that run. One that fails ends the others.

    Args:
        run: Their folders.
        order: Of the run.
        variables: By which they reach the bucket, if they do by themselves.
        lock: Of the run.
        connect: Opens the store of a whole bucket.
    """

    def __init__(
        self,
        run: RunDir,
        order: Order,
        variables: Mapping[str, str],
        *,
        lock: int,
        connect: Callable[[str], Store],
    ) -> None:
        self._limit = order.task.memory
        self._kills = out_of_memory_kills()
        self._members = [
            Member(run.worker(worker.index), worker, order, variables, lock=lock, connect=connect)
            for worker in workers_of(order)
        ]

    def watch(self, why_stop: Callable[[float], Cause], look: Callable[[], None]) -> list[Exit]:
        """Follow the scripts to their end; return how each ended. Never waits for the store.

        Args:
            why_stop: Tells after so many seconds whether somebody wants the end; `exit` if not.
            look: Called with each look.
        """
        begun, kill_at = time.monotonic(), float("inf")
        while running := [member for member in self._members if member.running()]:
            running[0].running(POLL)
            now = time.monotonic()
            look()
            for member in running:
                self._check(member)
            if kill_at == float("inf") and (cause := self._why(why_stop(now - begun))) != "exit":
                kill_at = now + GRACE
                for member in running:
                    member.terminate(cause)
            if now >= kill_at:
                for member in running:
                    member.kill()
        for member in self._members:
            member.clear()
        ends = [member.result() for member in self._members]
        for end in ends:
            end.out_of_memory |= end.signal == signal.SIGKILL and out_of_memory_kills() > self._kills
        return ends

    def _check(self, member: Member) -> None:
        """Kill a script that takes too much memory, or that has lost what it needs beside it."""
        if 0 < self._limit < member.memory():
            member.kill("memory")
        elif member.broken():
            member.kill("companion")

    def _why(self, asked: Cause) -> Cause:
        failed = asked == "exit" and any(not one.running() and one.result().code != 0 for one in self._members)
        return "peer" if failed else asked
