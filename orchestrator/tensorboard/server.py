"""The TensorBoard program, as a process that never outlives this one."""

import http.client
import os
import socket
import time
from pathlib import Path

from orchestrator.backends.local.script import Guarded
from orchestrator.errors import ConflictError, MlctlError
from orchestrator.ports import HERE

PORT = 6006  # TensorBoard's own default
START = 60.0  # seconds until it must answer
POLL = 0.1  # seconds
END = 5.0  # seconds between SIGTERM and SIGKILL
LAST_LINES = 5


def choose_port(wanted: int | None) -> int:
    """Return a port that is free on this machine.

    Args:
        wanted: None is TensorBoard's own, or any other if that is taken; 0 is any.

    Raises:
        ConflictError: It is taken, or not for us.
    """
    for port in (PORT, 0) if wanted is None else (wanted,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HERE, port))
            except OSError as error:
                if wanted is not None:
                    message = f"port {port} of this machine cannot be had: {(error.strerror or '').lower()}"
                    raise ConflictError(
                        message, hint="another one: --port N; --port 0 takes any that is free"
                    ) from error
                continue
            return int(probe.getsockname()[1])
    raise ConflictError("no port of this machine is free", hint="end what listens there")


class Server:
    """TensorBoard on a folder.

    Args:
        python: That has it.
        folder: With a folder for each run.
        scratch: For what it says, and how it ended.
        port: Free.
        title: Of the window.
        lock: A descriptor that is open as long as anything of it is left.
    """

    def __init__(self, python: Path, folder: Path, *, scratch: Path, port: int, title: str, lock: int) -> None:
        self.url = f"http://{HERE}:{port}/"
        self._port = port
        self._log = scratch / "tensorboard.log"
        arguments = [f"--logdir={folder}", f"--host={HERE}", f"--port={port}", f"--window_title={title}"]
        # Several writers of one run, as workers are, all go on at once, whatever their clocks say.
        arguments += ["--reload_interval=1", "--reload_multifile=true", "--reload_multifile_inactive_secs=-1"]
        self._process = Guarded(
            [str(python), "-m", "tensorboard.main", *arguments],
            {name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            folder=scratch,
            log=self._log,
            exit_path=scratch / "exit.json",
            lock=lock,
        )

    def await_start(self) -> None:
        """Return when it answers.

        Raises:
            MlctlError: It does not.
        """
        deadline = time.monotonic() + START
        while not self._answers():
            self.check(POLL)
            if time.monotonic() > deadline:
                raise MlctlError(f"TensorBoard does not answer after {START:g} s{self._last_words()}")

    def check(self, wait: float) -> None:
        """Wait so many seconds; raise MlctlError if it has ended by then."""
        if self._process.ended(wait):
            raise MlctlError(f"TensorBoard has ended by itself{self._last_words()}", hint="run the same command again")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        if not self._process.ended(END):
            self._process.kill()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HERE, self._port, timeout=START)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            lines = []
        return "".join(f"\n  {line}" for line in lines[-LAST_LINES:])
