"""Run one script and make sure that nothing of it outlives its supervisor.

Started by the supervisor as a program of its own (`python -I -S guard.py`), with a pipe as standard input.
First comes what to run, as JSON behind its length: it may hold secrets, which belong neither on a disk nor on a
command line. Then `T` asks the script to end, `K` ends it and all its descendants, and when the pipe closes
because the supervisor is gone, so does the script. How the script ended goes into a file, so that it is
known even when nobody is left to ask. Standard library only: it must start fast.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LENGTH = 8  # hexadecimal digits in front of the JSON
ROOM = 4096  # bytes kept free for the result
CACHE = "/cache"  # scratch space, where scripts written for ModelArts expect it
CLONE_NEWNS = 0x20000  # <linux/sched.h>
MS_BIND, MS_REC, MS_SLAVE = 0x1000, 0x4000, 0x80000  # <sys/mount.h>
LOST_GRACE = 3.0  # seconds between SIGTERM and SIGKILL when the supervisor is gone


def main() -> None:
    """Run the command that standard input tells."""
    spec = json.loads(_read(int(_read(LENGTH), 16)))
    if sys.platform == "linux":
        # Daemons that the script leaves behind become our children instead of init's.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    started = time.time()
    _reserve(spec["exit"])
    if spec["cache"] and sys.platform == "linux" and os.geteuid() == 0:
        _own_cache(spec["cache"], spec["env"])
    try:
        script = _start(spec)
    except OSError as error:
        _save(spec["exit"], {"cause": "not-started", "error": str(error), "started": started, "finished": time.time()})
        return
    status, lost = _watch(script.pid, wake_read)
    _kill_descendants(script.pid)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = os.waitstatus_to_exitcode(status)
    _save(
        spec["exit"],
        {
            "cause": "lost" if lost else "exit",
            "code": code if code >= 0 else None,
            "signal": -code if code < 0 else 0,
            "started": started,
            "finished": time.time(),
            "peak_memory": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
        },
    )


def _read(length: int) -> bytes:
    """Return so many bytes of standard input, and leave the rest to be waited for."""
    data = b""
    while len(data) < length:
        block = os.read(0, length - len(data))
        if not block:
            raise SystemExit("the supervisor is gone")
        data += block
    return data


def _start(spec: dict[str, Any]) -> "subprocess.Popen[bytes]":
    def in_child() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    with open(spec["log"], "ab") as log:
        return subprocess.Popen(
            spec["argv"],
            cwd=spec["cwd"],
            env=spec["env"],
            # Of a container, whose processes may be anywhere, the input ends when this process does.
            stdin=subprocess.PIPE if spec["hold"] else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=in_child,
        )


def _own_cache(folder: str, environment: dict[str, str]) -> None:
    """Let the script see its scratch folder as /cache, where two jobs would find each other's files.

    It takes a mount namespace, and root. The supervisor stays outside, so /cache is what the two do not see alike.
    """
    with contextlib.suppress(OSError):
        os.makedirs(CACHE, exist_ok=True)
        libc = ctypes.CDLL(None)
        # Slave: what is mounted on the machine later is seen here too, but not the other way round.
        if (
            libc.unshare(CLONE_NEWNS) == 0
            and libc.mount(None, b"/", None, MS_REC | MS_SLAVE, None) == 0
            and libc.mount(os.fsencode(folder), os.fsencode(CACHE), None, MS_BIND, None) == 0
        ):
            if environment.get("DLS_LOCAL_CACHE_PATH") == folder:
                environment["DLS_LOCAL_CACHE_PATH"] = CACHE
            if environment.get("MLCTL_SHARED") == "/":
                shared = sorted(f"/{name}" for name in os.listdir("/") if f"/{name}" != CACHE)
                environment["MLCTL_SHARED"] = ":".join(shared)


def _watch(pid: int, wake: int) -> tuple[int, bool]:
    """Wait for the script; return its wait status and whether the supervisor was lost before."""
    lost, deadline = False, None
    watched = [0, wake]
    while True:
        ready, _, _ = select.select(
            watched, [], [], None if deadline is None else max(0.0, deadline - time.monotonic())
        )
        if wake in ready:
            os.read(wake, 512)
        status = _reap(pid)
        if status is not None:
            return status, lost
        if 0 in ready:
            command = os.read(0, 1)
            if command == b"K":
                _kill_descendants(pid)
            else:
                _signal_group(pid, signal.SIGTERM)
            if not command:
                lost, deadline = True, time.monotonic() + LOST_GRACE
                watched.remove(0)
        if deadline is not None and time.monotonic() >= deadline:
            deadline = None
            _kill_descendants(pid)


def _reap(pid: int) -> int | None:
    """Collect every ended child; return the wait status of `pid` if it is among them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while True:
            ended, status = os.waitpid(-1, os.WNOHANG)
            if ended == 0:
                break
            if ended == pid:
                found = status
    return found


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _kill_descendants(group: int) -> None:
    """Kill the script's group and every process below this one until there is none, in whatever session it is."""
    _signal_group(group, signal.SIGKILL)
    while descendants := _descendants():
        for pid in descendants:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _descendants() -> list[int]:
    parents: dict[int, int] = {}
    if os.path.isdir("/proc/self"):
        for name in os.listdir("/proc"):
            if name.isdigit() and (fields := _stat(int(name))):
                parents[int(name)] = int(fields[1])
    below = {os.getpid()}
    grown = True
    while grown:
        new = {pid for pid, parent in parents.items() if parent in below} - below
        grown = bool(new)
        below |= new
    return [pid for pid in below - {os.getpid()} if _alive(pid)]


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the state on, or nothing if the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _alive(pid: int) -> bool:
    fields = _stat(pid)
    return bool(fields) and fields[0] not in "ZX"


def _reserve(path: str) -> None:
    """Take the room for the result now: the script may fill the disk."""
    with open(f"{path}.part", "w", encoding="utf-8") as file:
        file.write(" " * ROOM)


def _save(path: str, value: dict[str, Any]) -> None:
    with open(f"{path}.part", "r+", encoding="utf-8") as file:
        json.dump(value, file)
    os.replace(f"{path}.part", path)


if __name__ == "__main__":
    main()
