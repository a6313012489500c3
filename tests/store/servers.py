"""Servers for tests beside the one of mlctl itself."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

START = 20.0  # seconds


def free_port() -> int:
    """Return a port that is free, as is the one 10,000 above it, which SeaweedFS wants too."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as free, suppress(OSError, OverflowError):
            port = free.getsockname()[1]
            socket.create_server(("127.0.0.1", port + 10_000)).close()
            return port


@contextmanager
def rclone_server(folder: Path) -> Iterator[str]:
    """Run a server that takes conditions for decoration, with bucket `ml` and keys KEY, SECRET; yield its endpoint."""
    (folder / "ml").mkdir(parents=True)
    port = free_port()
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
