"""The folder /cache of a script: scratch space, where what was written for ModelArts expects it."""

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

USUAL = Path("/cache")
_CLONE_NEWNS = 0x20000  # <linux/sched.h>
_MS_BIND, _MS_REC, _MS_SLAVE = 0x1000, 0x4000, 0x80000  # <sys/mount.h>


def own_cache(folder: Path) -> None:
    """Let this process, and all that it starts from now on, see a run's scratch folder as /cache.

    Two jobs would find each other's files in /cache, so each supervisor gets a mount namespace with its own. That takes
    root; for anybody else scratch space stays where it is. No other threads may run yet.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        USUAL.mkdir(exist_ok=True)
        libc = ctypes.CDLL(None)
        # Slave: what is mounted on the machine later is seen here too, but not the other way round.
        if libc.unshare(_CLONE_NEWNS) == 0 and libc.mount(None, b"/", None, _MS_REC | _MS_SLAVE, None) == 0:
            libc.mount(os.fsencode(folder), os.fsencode(USUAL), None, _MS_BIND, None)


def cache_path(folder: Path) -> Path:
    """Return how a script is told of its scratch folder: as /cache, if it is that."""
    with suppress(OSError):
        if USUAL.samefile(folder):
            return USUAL
    return folder
