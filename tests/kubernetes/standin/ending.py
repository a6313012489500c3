"""How containers end: stopped in their order, and with what the API then tells of them."""

import threading
import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tests.kubernetes.standin.podlog import PodLog
from tests.kubernetes.standin.resources import Object
from tests.kubernetes.standin.sandbox import Mount

if TYPE_CHECKING:
    from tests.kubernetes.standin.container import Container

MIN_GRACE = 2.0  # seconds that a sidecar has in any case
LONGEST_MESSAGE = 4096  # characters of a termination message
LONGEST_TAIL = (2048, 80)  # characters and lines of a log that may stand for one


def stop_all(containers: list["Container"], grace: float) -> None:
    """Stop containers at the same time, and then, the last first, the sidecars in what is left of the grace."""
    end = time.monotonic() + grace
    for container in containers:
        container.announce_stop()
    plain = [container for container in containers if not container.sidecar]
    threads = [threading.Thread(target=container.stop, args=(grace,), daemon=True) for container in plain]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for container in reversed([container for container in containers if container.sidecar]):
        container.stop(max(MIN_GRACE if grace > 0 else 0.0, end - time.monotonic()))


def outcome(code: int, *, memory: bool) -> Object:
    """Tell an exit code, and whether it was for want of memory."""
    if memory:
        return {"exitCode": 137, "reason": "OOMKilled"}
    return {"exitCode": code, "reason": "Error" if code else "Completed"}


def message(spec: Object, code: int, log: PodLog, mounts: list[Mount]) -> str:
    """Give the termination message of a container; its file has to be in a volume here."""
    path = PurePosixPath(spec["terminationMessagePath"])
    for mount in mounts:
        file = mount.source / path.relative_to(mount.target) if path.is_relative_to(mount.target) else None
        if file and file.is_file() and (text := file.read_text(errors="replace")):
            return text[:LONGEST_MESSAGE]
    return log.last(*LONGEST_TAIL) if code and spec["terminationMessagePolicy"] == "FallbackToLogsOnError" else ""


def start_error(program: str, why: str) -> str:
    """Say, in the words of containerd and runc, that a program cannot be started."""
    why = f"stat {program}: {why}" if "/" in program else "executable file not found in $PATH"
    return (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
        f'unable to start container process: exec: "{program}": {why}: unknown'
    )
