"""Start a process with a model: on this machine, or through a host in a container that has the engine."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import IO, Protocol

import msgspec

from orchestrator.models.guests import GUESTS
from orchestrator.serving.settings import Deployed

LINE = 1 << 20  # bytes of the line in which a process tells what it has loaded
HOST_WAIT = 60.0  # seconds that a host may take to listen: its container is started at the same time, or again
POLL = 0.05  # seconds
OWN = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}  # variables of every process
_END = b"\0"  # begins a host's last line


class Running(Protocol):
    """A process that was started; as asyncio's own.

    Attributes:
        stdout: What it tells.
    """

    stdout: asyncio.StreamReader | None

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""

    async def wait(self) -> int:
        """Return the exit code, when it has ended."""

    def kill(self) -> None:
        """End it."""


async def launch(deployed: Deployed, socket: Path, log: IO[bytes]) -> Running:
    """Start a process that loads a model and answers at a socket.

    Args:
        deployed: What it loads; names the host, if there is one.
        socket: Where it is to answer.
        log: Where its stderr goes; that of a host's process goes to the host's own.

    Raises:
        OSError: It cannot be started.
    """
    arguments = ["-m", "mlctl_model.worker", "--folder", deployed.folder, "--name", deployed.model]
    arguments += ["--socket", str(socket), *([] if deployed.gpu is None else ["--gpu", str(deployed.gpu)])]
    arguments += ["--last"] if deployed.shadow else []
    if deployed.packages:
        arguments += ["--packages", deployed.packages]
    if deployed.requirements:
        arguments += ["--requirements", deployed.requirements, "--provided", *deployed.provided]
    if deployed.host:
        return await Hosted.start(deployed.host, arguments, {**deployed.environment, **OWN})
    path = [*map(str, GUESTS)]
    if not deployed.python and "PYTHONPATH" in os.environ:
        path.append(os.environ["PYTHONPATH"])
    return await asyncio.create_subprocess_exec(
        deployed.python or sys.executable,
        *arguments,
        env={**os.environ, **deployed.environment, **OWN, "PYTHONPATH": os.pathsep.join(path)},
        stdin=asyncio.subprocess.PIPE,  # it ends when this is closed, whatever ends this process
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        limit=LINE,
    )


class Hosted:
    """A process that a host runs; see guest/serving/mlctl_model/host.py."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.stdout: asyncio.StreamReader | None = asyncio.StreamReader(LINE)
        self._writer = writer
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._read(reader, self.stdout))

    @classmethod
    async def start(cls, host: str, arguments: list[str], environment: dict[str, str]) -> "Hosted":
        """Have a host start a process.

        Args:
            host: Path of its socket.
            arguments: Of its Python.
            environment: Variables, besides its own.

        Raises:
            OSError: Nobody listens there.
        """
        deadline = asyncio.get_running_loop().time() + HOST_WAIT
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(host, limit=LINE)
                break
            except OSError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(POLL)
        writer.write(msgspec.json.encode({"arguments": arguments, "environment": environment}) + b"\n")
        return cls(reader, writer)

    @property
    def returncode(self) -> int | None:
        return self._code.result() if self._code.done() else None

    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    def kill(self) -> None:
        self._writer.close()

    async def _read(self, reader: asyncio.StreamReader, output: asyncio.StreamReader) -> None:
        """Hand on what the process tells, and find out how it ended."""
        code = -9  # of a process that is killed with its connection, or with its whole container
        with contextlib.suppress(OSError, ValueError):  # the host is gone; or a line that is too long
            while line := await reader.readline():
                if line.startswith(_END):
                    code = int(line[1:])
                    break
                output.feed_data(line)
        output.feed_eof()
        self._writer.close()
        self._code.set_result(code)
