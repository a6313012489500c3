"""The process that keeps a service running: `python -m orchestrator.services.keeper NAME`.

Detached from the terminal; it inherits the lock of the service's folder. It starts the service, starts it again when it
ends by itself, with pauses that grow, and ends with it when it is told to (SIGTERM). SIGHUP is handed on.
"""

import os
import signal
import subprocess
import sys
import time
from types import FrameType

from orchestrator.services.place import ENDED, Kept, Place
from orchestrator.serving.settings import FAILED, WITH_PARENT

FIRST_PAUSE = 1.0  # seconds before the service is started again; doubled each time
LONGEST_PAUSE = 60.0  # seconds
STEADY = 60.0  # seconds after which a service that ends is started again at once
POLL = 0.1  # seconds


class Keeper:
    """Keeps one service.

    Args:
        place: Of the service.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._child: subprocess.Popen[bytes] | None = None
        self._ending = False

    def run(self) -> None:
        """Keep the service until told to end."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_signal)
        pause, restarts = FIRST_PAUSE, 0
        problem = ""
        while not self._ending:
            begun = time.time()
            self._place.save_kept(Kept(pid=os.getpid(), started=begun, restarts=restarts, problem=problem))
            with self._place.log.open("ab") as log:
                command = [sys.executable, "-m", "orchestrator.serving", str(self._place.settings_path), WITH_PARENT]
                # It ends when the pipe is closed, whatever ends this process.
                self._child = subprocess.Popen(
                    command, stdout=log, stderr=log, stdin=subprocess.PIPE, preexec_fn=_hold_changes
                )
            code = self._child.wait()
            if self._ending:
                return
            restarts += 1
            problem = f"{ENDED} signal {-code}" if code < 0 else f"{ENDED} exit code {code}"
            if code == FAILED:
                problem = "".join(self._place.last_lines(1)) or problem
            pause = FIRST_PAUSE if time.time() - begun > STEADY else min(2 * pause, LONGEST_PAUSE)
            self._say(f"the service has ended: {problem}; it is started again in {pause:g} s")
            self._place.save_kept(Kept(pid=os.getpid(), started=begun, restarts=restarts, problem=problem))
            deadline = time.monotonic() + pause
            while not self._ending and time.monotonic() < deadline:
                time.sleep(POLL)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._ending = self._ending or number == signal.SIGTERM
        if self._child and self._child.poll() is None:
            self._child.send_signal(number)

    def _say(self, text: str) -> None:
        with self._place.log.open("ab") as log:
            log.write(f"{text}\n".encode())


def _hold_changes() -> None:
    """Keep a SIGHUP for the service, which would die of it before it has come to listen."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


if __name__ == "__main__":
    Keeper(Place(sys.argv[1])).run()
