"""Saves the output now and then while the script runs, in a thread: a node may be lost with all that is on it."""

import threading
import time
from collections.abc import Callable

from orchestrator.errors import MlctlError
from orchestrator.runtime.patience import complain
from orchestrator.store.scan import Scan

SHARE = 10  # of the time at most one part in so many goes into saving


class Checkpoints:
    """One run's thread that saves its output.

    Args:
        scan: Returns what the output folder holds.
        save: Saves what was found. Raises MlctlError.
        pause: Seconds between two savings.
    """

    def __init__(self, scan: Callable[[], Scan], save: Callable[[Scan], object], pause: float) -> None:
        self._scan = scan
        self._save = save
        self._pause = pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when what is under way is saved."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        saved: set[tuple[str, int, int]] = set()
        pause = self._pause
        while not self._over.wait(pause):
            begun = time.monotonic()
            try:
                scan = self._scan()
                now = {(file.path, file.size, file.mtime_ns) for file in scan.files}
                if now != saved:
                    self._save(scan)
                    saved = now
            except (MlctlError, OSError) as error:  # a file that is being written to, or the store is away
                complain(error)
            pause = max(self._pause, SHARE * (time.monotonic() - begun))
