"""What all that is made once and kept in the cache has in common: a lock, and what can go wrong with a disk."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.engines.uv import EngineBuildError
from orchestrator.errors import MlctlError, PermissionDeniedError
from orchestrator.progress import Reporter


@contextmanager
def locked(path: Path, what: str, reporter: Reporter) -> Iterator[int]:
    """Hold the right to make `what` at `path`; yields the lock's descriptor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            reporter.note(f"another process is building {what}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def storage_error(error: OSError, path: Path) -> MlctlError:
    """Return what to say of a cache that could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EngineBuildError(
            f"the disk is full: {path.parent}", hint="free some space, or export MLCTL_CACHE=/some/other/disk"
        )
    return PermissionDeniedError(
        f"cannot write {error.filename or path}: {error.strerror}", hint="export MLCTL_CACHE=/some/writable/folder"
    )
