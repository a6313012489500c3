"""What processes use, and whether the kernel killed for lack of memory. Linux; elsewhere nothing is known."""

import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path

from orchestrator.backends.base import Usage
from orchestrator.backends.local.script import RUN_ID, WORKER
from orchestrator.runtime.measure.gpus import gpu_usage

PAGE = os.sysconf("SC_PAGE_SIZE")  # bytes
TICKS = os.sysconf("SC_CLK_TCK")  # of CPU time in a second
MOMENT = 0.5  # seconds over which the use of CPUs is measured
_EVENTS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


def tree_memory(root: int) -> int:
    """Return the resident bytes of all processes below `root`; memory they share counts once for each."""
    parents: dict[int, int] = {}
    resident: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            parents[int(folder.name)] = int(fields[1])
            resident[int(folder.name)] = int(fields[21]) * PAGE
    below = {root}
    while new := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= new
    return sum(resident.get(pid, 0) for pid in below - {root})


def out_of_memory_kills() -> int:
    """Return how many processes the kernel has killed for lack of memory in this process's control group."""
    for path in _EVENTS:
        with contextlib.suppress(OSError):
            for line in Path(path).read_text(encoding="ascii").splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def measure(run_ids: Collection[str]) -> dict[str, Usage]:
    """Return what the processes of each run use, over a moment; a run without any is left out."""
    first, begun = _processes(run_ids), time.monotonic()
    time.sleep(MOMENT)
    second, took = _processes(run_ids), time.monotonic() - begun
    found = {}
    for run_id, now in second.items():
        before = first.get(run_id, {})
        ticks = sum(max(0, used - before.get(pid, (0, 0))[0]) for pid, (used, _) in now.items())
        found[run_id] = Usage(cpus=ticks / TICKS / took, memory=sum(resident for _, resident in now.values()))
    return found


class ScriptUsage:
    """What a worker's script and all its processes use, from one look to the next.

    Args:
        run_id: Of the run.
        worker: Which worker.
        gpus: How many GPUs it has.
    """

    def __init__(self, run_id: str, worker: int, *, gpus: int) -> None:
        self._run_id = run_id
        self._mark = f"{WORKER}={worker}".encode()
        self._gpus = gpus
        self._before: dict[int, tuple[int, int]] | None = None
        self._when = 0.0

    def sample(self) -> dict[str, float]:
        """Return cores in use since the last look, bytes of memory, and what its GPUs do; nothing before it runs."""
        now, found = time.monotonic(), _processes([self._run_id], self._mark).get(self._run_id)
        before, took = self._before, now - self._when
        self._before, self._when = found, now
        if found is None:
            return {}
        told: dict[str, float] = {"memory": sum(resident for _, resident in found.values())}
        if before is not None:
            ticks = sum(max(0, used - before.get(pid, (0, 0))[0]) for pid, (used, _) in found.items())
            told["cpu"] = round(ticks / TICKS / took, 3)
        return told | (gpu_usage() if self._gpus else {})


def environment_of(run_id: str, worker: int) -> dict[str, str] | None:
    """Return the environment of a worker's script, without the marks of the run; None if it does not run."""
    for pid in sorted(_processes([run_id]).get(run_id, {})):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="surrogateescape").split("\0")
            if f"{WORKER}={worker}" in lines:
                found = dict(line.split("=", 1) for line in lines if "=" in line)
                return {name: value for name, value in found.items() if name not in (RUN_ID, WORKER)}
    return None


def _processes(run_ids: Collection[str], mark: bytes | None = None) -> dict[str, dict[int, tuple[int, int]]]:
    """Return ticks of CPU time and resident bytes of the processes of each run, by pid; of those with that mark."""
    marks = {f"{RUN_ID}={run_id}".encode(): run_id for run_id in run_ids}
    found: dict[str, dict[int, tuple[int, int]]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environment = set((folder / "environ").read_bytes().split(b"\0"))
            if mark and mark not in environment:
                continue
            for own in marks.keys() & environment:
                fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
                amounts = int(fields[11]) + int(fields[12]), int(fields[21]) * PAGE
                found.setdefault(marks[own], {})[int(folder.name)] = amounts
    return found
