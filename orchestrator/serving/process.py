"""A process with a model: started, asked, and started again when it has died or does not answer."""

import asyncio
import contextlib
import itertools
import time
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from orchestrator.serving import wire
from orchestrator.serving.launch import Running, launch
from orchestrator.serving.settings import Deployed

LOAD = 600.0  # seconds that a model may take to load
FIRST_PAUSE = 0.5  # seconds before a process that died is started again; doubled each time
LONGEST_PAUSE = 60.0  # seconds
STEADY = 60.0  # seconds after which a process that dies is started again at once
_serial = itertools.count()


class ModelError(Exception):
    """A request failed in the model.

    Attributes:
        kind: Name of the exception there.
        message: What it said.
        step: Function of the service in which it was raised: `_preprocess`, `_inference`, `_postprocess`, or none.
    """

    def __init__(self, kind: str, message: str, step: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.step = step


class UnavailableError(Exception):
    """There is no process that could answer now."""


class LateError(UnavailableError):
    """The model took too long; its process is replaced."""


class LostError(UnavailableError):
    """The process has gone before it came to the request, which is not what it died of."""


class ModelProcess:
    """One process with a model.

    Args:
        deployed: What it loads.
        scratch: A folder for its socket.
        log: Where what it says goes.

    Attributes:
        there: Set while it could be asked.
        described: What its model is, once it was loaded.
        problem: Why it is not there, for people.
    """

    def __init__(self, deployed: Deployed, scratch: Path, log: Path) -> None:
        self._deployed = deployed
        self._socket = scratch / f"{next(_serial)}.sock"
        self._log = log
        self._process: Running | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._started = 0.0
        self._pause = 0.0
        self._not_before = 0.0
        self._gone = asyncio.Event()
        self._dying = asyncio.Lock()
        self._turn = asyncio.Lock()
        self.there = asyncio.Event()
        self.described: dict[str, Any] = {}
        self.problem = ""

    @property
    def wait(self) -> float:
        """Seconds until it may be started again."""
        return max(0.0, self._not_before - time.monotonic())

    async def start(self) -> None:
        """Start the process and wait until it has loaded its model.

        Raises:
            UnavailableError: It cannot.
        """
        self._started = time.monotonic()
        self._gone.clear()
        try:
            await asyncio.wait_for(self._load(), LOAD)
        except TimeoutError:
            await self._failed(f"did not load within {LOAD:g} s")
        except (OSError, asyncio.IncompleteReadError, msgspec.DecodeError, UnavailableError) as error:
            await self._failed(str(error))

    async def keep_alive(self) -> None:
        """Start the process again whenever it has gone, with pauses that grow."""
        while True:
            await self._gone.wait()
            with contextlib.suppress(UnavailableError):
                await self._died()
            await asyncio.sleep(self.wait)
            with contextlib.suppress(UnavailableError):  # `problem` says so, and it is tried again
                await self.start()

    async def ask(self, request: dict[str, Any], timeout: float) -> Any:
        """Return the answer to a request; it answers one after the other, and may have the next ones already.

        Args:
            request: In the words of guest/serving/mlctl_model/worker.py.
            timeout: Seconds from the moment when it is this one's turn.

        Raises:
            ModelError: The model's own code failed.
            LateError: It did not answer in time, and is ended.
            LostError: It ended before it was this one's turn.
            UnavailableError: The process has died.
        """
        streams = self._streams
        if streams is None:
            raise LostError(f"{self._deployed.ref} {self.problem}")
        streams[1].write(wire.frame(request))
        async with self._turn:  # first come, first served: as the answers come
            if self._streams is not streams:
                raise LostError(f"{self._deployed.ref} {self.problem}")
            try:
                async with asyncio.timeout(timeout):
                    answer = await wire.receive(streams[0])
            except TimeoutError:
                await self.stop()
                self.problem = f"did not answer within {timeout:g} s"
                self._gone.set()
                raise LateError(f"{self._deployed.ref} did not answer in time") from None
            except (OSError, asyncio.IncompleteReadError, msgspec.DecodeError) as error:
                await self._died(error)
        if "error" in answer:
            raise ModelError(**answer["error"])
        return answer["value"]

    async def stop(self) -> None:
        """End the process."""
        self.there.clear()
        if self._streams:
            self._streams[1].close()
            self._streams = None
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._process = None
        self._socket.unlink(missing_ok=True)

    async def _load(self) -> None:
        with self._log.open("ab") as log:
            self._process = await launch(self._deployed, self._socket, log)
        output = self._process.stdout
        assert output
        self.described = await self._told(output)
        keep = asyncio.create_task(self._keep(output))
        _background.add(keep)
        keep.add_done_callback(_background.discard)
        self._streams = await self._connect()
        self.problem = ""
        self.there.set()

    async def _told(self, output: asyncio.StreamReader) -> dict[str, Any]:
        """Return what the process tells of its model; what it says before that goes to the log."""
        while line := await output.readline():
            if line.startswith(b"{"):
                with contextlib.suppress(msgspec.DecodeError):
                    told: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
                    if "error" in told:
                        raise UnavailableError(f"cannot be loaded: {told['error']}")
                    if "kind" in told:
                        return told
            self._write(line)
        raise UnavailableError(f"has died while it loaded ({await self._code()})")

    async def _keep(self, output: asyncio.StreamReader) -> None:
        with contextlib.suppress(ValueError):  # a line that is too long
            while line := await output.readline():
                self._write(line)
        if self._process and self._process.stdout is output:
            self._gone.set()

    def _write(self, data: bytes) -> None:
        if self._deployed.host:  # which has written it to its container's log
            return
        with contextlib.suppress(OSError), self._log.open("ab") as log:  # a full disk does not stop a service
            log.write(data)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:  # it tells first, and listens then
            try:
                return await asyncio.open_unix_connection(str(self._socket))
            except OSError:
                assert self._process
                if self._process.returncode is not None:
                    raise
                await asyncio.sleep(0.005)

    async def _code(self) -> str:
        if self._process is None:
            return "it never started"
        with contextlib.suppress(TimeoutError):
            code = await asyncio.wait_for(self._process.wait(), 1.0)
            return f"signal {-code}" if code < 0 else f"exit code {code}"
        return "it closed its connection"

    async def _died(self, cause: BaseException | None = None) -> NoReturn:
        """Take note of the process's death, whoever sees it first: who asked it, or nobody."""
        async with self._dying:
            if self.there.is_set():
                await self._failed(f"has died ({await self._code()})", cause)
            raise UnavailableError(f"{self._deployed.ref} {self.problem}") from cause

    async def _failed(self, problem: str, cause: BaseException | None = None) -> NoReturn:
        await self.stop()
        now = time.monotonic()
        self._pause = 0.0 if now - self._started > STEADY else min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
        self._not_before = now + self._pause
        self.problem = problem
        self._gone.set()
        raise UnavailableError(f"{self._deployed.ref} {problem}") from cause


_background: set[asyncio.Task[None]] = set()
