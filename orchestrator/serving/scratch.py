"""The folder of a service's sockets: in the system's folder for what is temporary, for their paths have to be short."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from orchestrator.locks import take

LOCK = "lock"  # held while the service lives
_HASH_LENGTH = 8  # hex digits


@contextlib.contextmanager
def scratch_folder(settings: Path) -> Iterator[Path]:
    """Give a service a folder, which goes when it is left; those that killed processes of the same service left go now.

    Args:
        settings: Its file of settings.
    """
    prefix = f"mlctl-service-{hashlib.sha256(os.fsencode(settings.resolve())).hexdigest()[:_HASH_LENGTH]}-"
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):  # what is not ours to remove
            _remove(left)
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        lock = take(Path(name, LOCK))
        try:
            yield Path(name)
        finally:
            if lock is not None:
                os.close(lock)


def _remove(folder: Path) -> None:
    """Remove what a process has left, unless it lives, or it is somebody else's."""
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        return
    lock = take(folder / LOCK)
    if lock is not None:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
