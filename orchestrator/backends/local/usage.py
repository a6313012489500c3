"""What processes use, and whether the kernel killed for lack of memory. Linux; elsewhere nothing is known."""

import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path

from orchestrator.backends.base import Usage
from orchestrator.backends.local.script import RUN_ID, WORKER

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


def environment_of(run_id: str, worker: int) -> dict[str, str] | None:
    """Return the environment of a worker's script, without the marks of the run; None if it does not run."""
    for pid in sorted(_processes([run_id]).get(run_id, {})):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="surrogateescape").split("\0")
            if f"{WORKER}={worker}" in lines:
                found = dict(line.split("=", 1) for line in lines if "=" in line)
                return {name: value for name, value in found.items() if name not in (RUN_ID, WORKER)}
    return None


def _processes(run_ids: Collection[str]) -> dict[str, dict[int, tuple[int, int]]]:
    """Return ticks of CPU time and resident bytes of the processes of each run, by pid."""
    marks = {f"{RUN_ID}={run_id}".encode(): run_id for run_id in run_ids}
    found: dict[str, dict[int, tuple[int, int]]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for mark in marks.keys() & set((folder / "environ").read_bytes().split(b"\0")):
                fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
                amounts = int(fields[11]) + int(fields[12]), int(fields[21]) * PAGE
                found.setdefault(marks[mark], {})[int(folder.name)] = amounts
    return found
