"""Memory of a process tree, and whether the kernel killed for lack of it. Linux; elsewhere nothing is known."""

import contextlib
import os
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")  # bytes
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
