"""The processes of one model version, and the requests that wait for them: asked together where that is allowed."""

import asyncio
import collections
import functools
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

    __slots__ = ("alone", "answer", "begun", "came", "deadline", "question", "rows")

    def __init__(self, question: dict[str, Any], timeout: float) -> None:
        loop = asyncio.get_running_loop()
        self.question = question
        self.came = loop.time()
        self.deadline = self.came + timeout
        self.answer: asyncio.Future[Any] = loop.create_future()
        self.begun = self.alone = False
        self.rows = _rows(question)

    def settle(self, answer: dict[str, Any] | Exception) -> None:
        """Answer it in the words of the worker, or say why not, unless its client has gone."""
        if self.answer.done():
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
        elif "error" in answer:
            self.answer.set_exception(ModelError(**answer["error"]))
        else:
            self.answer.set_result(answer["value"])

    def expire(self, problem: str) -> None:
        """Give it up if no process has it yet; else the process is given up."""
        if not self.begun:
            self.settle(UnavailableError(problem))


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
        self._inside = 0
        self._empty = asyncio.Event()
        self._batching = Batching()
        self._ahead = 1
        self._delay: asyncio.TimerHandle | None = None

    @property
    def ready(self) -> bool:
        """Whether a process has its model loaded."""
        return any(process.ready for process in self._processes)

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
        if len(self._processes) == 1:
            self._ahead = AHEAD if self._batching.max_batch_size == 1 else AHEAD_BATCHES
        self._tasks = [asyncio.create_task(process.keep_alive(self._dispatch)) for process in self._processes]

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
        one = _Asked(question, self._timeout)
        timers: list[asyncio.TimerHandle] = []
        self._inside += 1
        try:
            self._waiting.append(one)
            self._dispatch()  # and the rest while the process is at work
            timers.append(loop.call_at(one.deadline, self._expire, one))
            if not self.ready:
                timers.append(loop.call_later(PATIENCE, self._lose_patience, one))
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

    def _expire(self, one: _Asked) -> None:
        one.expire(f"{self.deployed.ref} did not answer in time: others were first")

    def _lose_patience(self, one: _Asked) -> None:
        if not self.ready:
            one.expire(f"{self.deployed.ref} {self.problem}")

    def _dispatch(self) -> None:
        """Have the processes answer what waits, as far as they have room."""
        while self._waiting and (process := self._free()) and (batch := self._next()):
            for one in batch:
                one.begun = True
            left = max(0.001, min(one.deadline for one in batch) - asyncio.get_running_loop().time())
            process.ask(_together(batch), left, functools.partial(self._answered, batch))

    def _free(self) -> ModelProcess | None:
        return next((one for one in self._processes if one.ready and one.asked < self._ahead), None)

    def _next(self) -> list[_Asked]:
        """Return the requests that are asked next, the oldest first; none if others may still come to them."""
        batch: list[_Asked] = []
        rows = 0
        while self._waiting and (not batch or self._fits(batch[0], rows)):
            one = self._waiting.popleft()
            if not one.answer.done():
                batch.append(one)
                rows += one.rows
        if not batch or self._waiting or rows >= self._batching.max_batch_size or batch[0].alone:
            return batch
        loop = asyncio.get_running_loop()
        left = batch[0].came + self._batching.max_delay_ms / 1000 - loop.time()
        if left <= 0:
            return batch
        self._waiting.extend(batch)
        if self._delay is None:
            self._delay = loop.call_later(left, self._end_delay)
        return []

    def _end_delay(self) -> None:
        self._delay = None
        self._dispatch()

    def _fits(self, first: _Asked, rows: int) -> bool:
        following = self._waiting[0]
        return not (first.alone or following.alone) and rows + following.rows <= self._batching.max_batch_size

    def _answered(self, batch: list[_Asked], answer: dict[str, Any] | Exception) -> None:
        if isinstance(answer, LostError):
            self._put_back(batch)
        elif isinstance(answer, Exception):
            self._give_up(batch, answer)
        else:
            each = [answer] * len(batch) if len(batch) == 1 or "error" in answer else answer["value"]
            for one, its in zip(batch, each, strict=True):
                one.settle(its)
        self._dispatch()

    def _put_back(self, batch: list[_Asked]) -> None:
        now = asyncio.get_running_loop().time()
        for one in reversed(batch):
            one.begun = False
            if one.deadline <= now:
                self._expire(one)
            else:
                self._waiting.appendleft(one)

    def _give_up(self, batch: list[_Asked], error: Exception) -> None:
        """Let no request but the one that killed the process suffer from that: of several, each is tried alone."""
        if len(batch) == 1:
            batch[0].settle(error)
            return
        for one in batch:
            one.alone = True
        self._put_back(batch)


def _together(batch: list[_Asked]) -> dict[str, Any]:
    return batch[0].question if len(batch) == 1 else {"do": "batch", "requests": [one.question for one in batch]}


def _rows(question: dict[str, Any]) -> int:
    shape = next((value.shape for value in question.get("inputs", {}).values()), ())
    return max(1, shape[0]) if shape else 1
