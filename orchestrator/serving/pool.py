"""The processes of one model version, and the requests that wait for them: asked together where that is allowed."""

import asyncio
import collections
import contextlib
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.serving.process import LostError, ModelError, ModelProcess, UnavailableError
from orchestrator.serving.settings import Deployed, Settings

PATIENCE = 2.0  # seconds that a request waits for processes that have died to be there again


# Requests, or batches, that the only process of a version has at once: the next are there when it has answered one.
# Of several processes each has one, as what waits behind a request that hangs could be answered by another.
AHEAD = 8
AHEAD_BATCHES = 2  # what waits here makes batches larger


class BusyError(Exception):
    """More requests wait than may."""


class Batching(msgspec.Struct, frozen=True):
    """Of the package's config.json: how many requests are asked together.

    Attributes:
        max_batch_size: Rows (first dimension of the inputs) at most.
        max_delay_ms: Milliseconds that the first of them waits for others at most.
    """

    max_batch_size: int = 1
    max_delay_ms: float = 0.0


class _Asked:
    """A request that waits."""

    __slots__ = ("alone", "answer", "begun", "deadline", "question", "rows")

    def __init__(self, question: dict[str, Any], deadline: float) -> None:
        self.question = question
        self.deadline = deadline
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.begun = self.alone = False
        self.rows = _rows(question)

    def settle(self, value: Any = None, error: Exception | None = None) -> None:
        """Answer it, unless its client has gone."""
        if not self.answer.done():
            if error is None:
                self.answer.set_result(value)
            else:
                self.answer.set_exception(error)

    def expire(self, problem: str) -> None:
        """Give it up if no process has it yet; else the process is given up."""
        if not self.begun:
            self.settle(error=UnavailableError(problem))


class Pool:
    """Processes with the same model.

    Args:
        deployed: What they load.
        settings: Of the service.
        scratch: A folder for sockets.
        log: Where what they say goes.

    Attributes:
        deployed: As given.
    """

    def __init__(self, deployed: Deployed, settings: Settings, scratch: Path, log: Path) -> None:
        self.deployed = deployed
        self._timeout = settings.timeout
        self._room = settings.queue + settings.processes
        self._processes = [ModelProcess(deployed, scratch, log) for _ in range(settings.processes)]
        self._tasks: list[asyncio.Task[None]] = []
        self._waiting: collections.deque[_Asked] = collections.deque()
        self._arrived = asyncio.Event()
        self._turn = asyncio.Lock()  # one process at a time gathers requests, or each would get but one
        self._inside = 0
        self._empty = asyncio.Event()
        self._batching = Batching()

    @property
    def ready(self) -> bool:
        """Whether a process has its model loaded."""
        return any(process.there.is_set() for process in self._processes)

    @property
    def problem(self) -> str:
        """Why none is, for people."""
        return next((process.problem for process in self._processes if process.problem), "")

    @property
    def described(self) -> dict[str, Any]:
        """What the model is, once it was loaded."""
        return next((process.described for process in self._processes if process.described), {})

    async def start(self) -> None:
        """Load the model. Raises UnavailableError if that fails."""
        await asyncio.gather(*(process.start() for process in self._processes))
        self._batching = msgspec.convert(self.described.get("batching", {}), Batching)
        ahead = 1 if len(self._processes) > 1 else AHEAD if self._batching.max_batch_size == 1 else AHEAD_BATCHES
        for process in self._processes:
            self._tasks += [asyncio.create_task(self._work(process)) for _ in range(ahead)]
            self._tasks.append(asyncio.create_task(process.keep_alive()))

    async def ask(self, question: dict[str, Any]) -> Any:
        """Return the answer of the first process that is free.

        Raises:
            BusyError: Too many wait already.
            UnavailableError: None answered in time, or it died.
            ModelError: The model's own code failed.
        """
        if self._inside >= self._room:
            raise BusyError(f"{self._inside} requests wait already")
        if not self.ready and (wait := min(process.wait for process in self._processes)) > PATIENCE:
            raise UnavailableError(f"{self.deployed.ref} {self.problem}; it is tried again in {wait:.0f} s")
        loop = asyncio.get_running_loop()
        one = _Asked(question, loop.time() + self._timeout)
        late = f"{self.deployed.ref} did not answer in time: others were first"
        timers = [loop.call_at(one.deadline, one.expire, late)]
        if not self.ready:
            timers.append(loop.call_later(PATIENCE, self._lose_patience, one))
        self._inside += 1
        self._waiting.append(one)
        self._arrived.set()
        try:
            return await one.answer
        finally:
            for timer in timers:
                timer.cancel()
            self._inside -= 1
            if not self._inside:
                self._empty.set()

    async def stop(self) -> None:
        """End all processes, when every request has its answer."""
        while self._inside:
            self._empty.clear()
            await self._empty.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(process.stop() for process in self._processes))

    def _lose_patience(self, one: _Asked) -> None:
        if not self.ready:
            one.expire(f"{self.deployed.ref} {self.problem}")

    async def _work(self, process: ModelProcess) -> None:
        """Have a process answer whatever comes, as long as it lives."""
        while True:
            await process.there.wait()
            async with self._turn:
                batch = await self._gather()
            if process.there.is_set():
                await self._answer(process, batch)
            else:  # it has died since
                self._put_back(batch)

    async def _gather(self) -> list[_Asked]:
        """Return the requests that are asked next, the oldest first."""
        loop = asyncio.get_running_loop()
        batch: list[_Asked] = []
        rows, until = 0, 0.0
        while True:
            while self._waiting and (not batch or self._fits(batch[0], rows)):
                one = self._waiting.popleft()
                if not one.answer.done():
                    batch.append(one)
                    rows += one.rows
            if batch and not until:
                until = loop.time() + self._batching.max_delay_ms / 1000
            full = self._waiting or rows >= self._batching.max_batch_size or loop.time() >= until
            if batch and (full or batch[0].alone):
                return batch
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until if batch else None):
                    await self._arrived.wait()

    def _fits(self, first: _Asked, rows: int) -> bool:
        following = self._waiting[0]
        return not (first.alone or following.alone) and rows + following.rows <= self._batching.max_batch_size

    async def _answer(self, process: ModelProcess, batch: list[_Asked]) -> None:
        for one in batch:
            one.begun = True
        left = max(0.001, min(one.deadline for one in batch) - asyncio.get_running_loop().time())
        try:
            if len(batch) == 1:
                batch[0].settle(await process.ask(batch[0].question, left))
                return
            together = {"do": "batch", "requests": [one.question for one in batch]}
            for one, answer in zip(batch, await process.ask(together, left), strict=True):
                error = answer.get("error")
                one.settle(answer.get("value"), ModelError(**error) if error else None)
        except ModelError as error:
            batch[0].settle(error=error)
        except LostError:
            self._put_back(batch)
        except UnavailableError as error:
            self._give_up(batch, error)

    def _put_back(self, batch: list[_Asked]) -> None:
        now = asyncio.get_running_loop().time()
        for one in reversed(batch):
            one.begun = False
            if one.deadline <= now:
                one.expire(f"{self.deployed.ref} did not answer in time: others were first")
            else:
                self._waiting.appendleft(one)
        self._arrived.set()

    def _give_up(self, batch: list[_Asked], error: UnavailableError) -> None:
        """Let no request but the one that killed the process suffer from that: of several, each is tried alone."""
        if len(batch) == 1:
            batch[0].settle(error=error)
            return
        for one in batch:
            one.alone = True
        self._put_back(batch)


def _rows(question: dict[str, Any]) -> int:
    shape = next((value.shape for value in question.get("inputs", {}).values()), ())
    return max(1, shape[0]) if shape else 1
