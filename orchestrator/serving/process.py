"""A process with a model: started, asked, and started again when it has died or does not answer."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.serving.launch import Running, launch
from orchestrator.serving.link import Answered, Asked, Link
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
        described: What its model is, once it was loaded.
        problem: Why it is not there, for people.
    """

    def __init__(self, deployed: Deployed, scratch: Path, log: Path) -> None:
        self._deployed = deployed
        self._socket = scratch / f"{next(_serial)}.sock"
        self._log = log
        self._process: Running | None = None
        self._link: Link | None = None
        self._started = 0.0
        self._pause = 0.0
        self._not_before = 0.0
        self._gone = asyncio.Event()
        self.described: dict[str, Any] = {}
        self.problem = ""

    @property
    def wait(self) -> float:
        """Seconds until it may be started again."""
        return max(0.0, self._not_before - time.monotonic())

    @property
    def ready(self) -> bool:
        """Whether it can be asked."""
        return self._link is not None

    @property
    def asked(self) -> int:
        """Number of requests that it has."""
        return len(self._link.asked) if self._link else 0

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
            raise await self._failed(f"did not load within {LOAD:g} s") from None
        except (OSError, msgspec.DecodeError, UnavailableError) as error:
            raise await self._failed(str(error)) from error

    async def keep_alive(self, back: Callable[[], None]) -> None:
        """Start the process again whenever it has gone, with pauses that grow, and tell when it is back."""
        while True:
            await self._gone.wait()
            await asyncio.sleep(self.wait)
            with contextlib.suppress(UnavailableError):  # `problem` says so, and it is tried again
                await self.start()
                back()

    def ask(self, request: dict[str, Any], timeout: float, answered: Answered) -> None:
        """Have it answer a request; it answers one after the other, and may have the next ones already.

        Args:
            request: In the words of guest/serving/mlctl_model/worker.py.
            timeout: Seconds from the moment when it is this one's turn.
            answered: Called with the answer in the words of the worker; or with LateError if it does not come in time,
                with UnavailableError if the process dies of the request, with LostError if it does so before.
        """
        assert self._link, "only who is ready is asked"
        self._link.ask(request, timeout, answered)

    async def stop(self) -> None:
        """End the process."""
        if self._link:
            self._link.close()
            self._link = None
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
        _run(self._keep(output))
        link = await self._connect()
        if not link.is_open:
            raise UnavailableError(f"has died while it loaded ({await self._code()})")
        self._link = link
        self.problem = ""

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
        if self._link and self._process and self._process.stdout is output:
            self._link.lose()

    def _write(self, data: bytes) -> None:
        if self._deployed.host:  # which has written it to its container's log
            return
        with contextlib.suppress(OSError), self._log.open("ab") as log:  # a full disk does not stop a service
            log.write(data)

    async def _connect(self) -> Link:
        while True:  # it tells first, and listens then
            try:
                _, link = await asyncio.get_running_loop().create_unix_connection(
                    lambda: Link(self._on_end), str(self._socket)
                )
                return link
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

    def _on_end(self, asked: list[Asked], late: bool) -> None:
        if self._link:  # else it is being started
            self._link = None
            _run(self._replace(asked, late))

    async def _replace(self, asked: list[Asked], late: bool) -> None:
        """Have the process started again, and tell all who wait for it."""
        if late:
            await self.stop()
            self.problem = f"did not answer within {asked[0].timeout:g} s"
            self._gone.set()
            error: UnavailableError = LateError(f"{self._deployed.ref} did not answer in time")
        else:
            error = await self._failed(f"has died ({await self._code()})")
        for one in reversed(asked[1:]):
            one.answered(LostError(f"{self._deployed.ref} {self.problem}"))
        if asked:
            asked[0].answered(error)

    async def _failed(self, problem: str) -> UnavailableError:
        """End what there is of the process, have it started again after a pause, and return what to tell of it."""
        await self.stop()
        now = time.monotonic()
        self._pause = 0.0 if now - self._started > STEADY else min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
        self._not_before = now + self._pause
        self.problem = problem
        self._gone.set()
        return UnavailableError(f"{self._deployed.ref} {problem}")


_background: set[asyncio.Task[None]] = set()


def _run(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    _background.add(task)
    task.add_done_callback(_background.discard)
