"""The processes of one model version: each request gets one that is free; too many are turned away."""

import asyncio
from pathlib import Path
from typing import Any

from orchestrator.serving.process import ModelProcess, UnavailableError
from orchestrator.serving.settings import Deployed, Settings


class BusyError(Exception):
    """More requests wait than may."""


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
        self._free: asyncio.LifoQueue[ModelProcess] = asyncio.LifoQueue()
        self._inside = 0
        for process in self._processes:
            self._free.put_nowait(process)

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

    async def ask(self, request: dict[str, Any]) -> Any:
        """Return the answer of the first process that is free.

        Raises:
            BusyError: Too many wait already.
            UnavailableError: None answered in time, or it died.
            ModelError: The model's own code failed.
        """
        if self._inside >= self._room:
            raise BusyError(f"{self._inside} requests wait already")
        self._inside += 1
        deadline = asyncio.get_running_loop().time() + self._timeout
        try:
            try:
                async with asyncio.timeout_at(deadline):
                    process = await self._free.get()
            except TimeoutError:
                raise UnavailableError(f"{self.deployed.ref} did not answer in time: others were first") from None
            try:
                return await process.ask(request, max(0.001, deadline - asyncio.get_running_loop().time()))
            finally:
                self._free.put_nowait(process)
        finally:
            self._inside -= 1

    async def tend(self) -> None:
        """Start a process that is free and has died. Raises UnavailableError if it cannot be started yet."""
        waiting = [self._free.get_nowait() for _ in range(self._free.qsize())]
        dead = next((process for process in waiting if not process.ready), None)
        for process in waiting:
            if process is not dead:
                self._free.put_nowait(process)
        if dead:
            try:
                await dead.start()
            finally:
                self._free.put_nowait(dead)

    async def stop(self) -> None:
        """End all processes, each when it has answered."""
        for _ in self._processes:
            await (await self._free.get()).stop()
