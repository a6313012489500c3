"""Servers for tests beside the one of mlctl itself."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.store.serve import free_ports

START = 60.0  # seconds


@contextmanager
def rclone_server(folder: Path) -> Iterator[str]:
    """Run a server that takes conditions for decoration, with bucket `ml` and keys KEY, SECRET; yield its endpoint."""
    (folder / "ml").mkdir(parents=True)
    (port,) = free_ports(1)
    command = ["serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", "KEY,SECRET", str(folder)]
    with subprocess.Popen([Path(sys.executable).with_name("rclone"), *command], stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
