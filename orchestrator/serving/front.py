"""Asks the versions for all protocols alike: counts, gives shadows their copy, and tells whose fault a failure is."""

import asyncio
import time
from http import HTTPStatus
from typing import Any

from orchestrator.serving.metrics import Metrics
from orchestrator.serving.pool import BusyError, Pool
from orchestrator.serving.process import LateError, ModelError, UnavailableError
from orchestrator.serving.replies import RequestError
from orchestrator.serving.service import Service

# Kinds of exceptions that mostly are the caller's fault, wherever they come from.
_CALLERS_FAULT = {"ValueError", "TypeError", "UnidentifiedImageError", "DecompressionBombError"}
_TAKING = "_preprocess"  # the step of a service in which what it is given is found to be wrong


class Front:
    """What the protocols have in common.

    Args:
        service: What stands behind it.

    Attributes:
        used: When it was last asked, or else made: seconds since the epoch.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.metrics = Metrics()
        self.used = time.time()
        self._copies: set[asyncio.Task[None]] = set()

    async def ask(self, pool: Pool, question: dict[str, Any], protocol: str, *, shadowed: bool = True) -> Any:
        """Have a version answer, and count it.

        Args:
            pool: The version.
            question: For its process.
            protocol: That it came by.
            shadowed: Whether shadows get a copy; a request that names a version is for that alone.

        Raises:
            RequestError: It did not; says why.
        """
        self.used = time.time()
        if shadowed:
            for shadow in self.service.shadows(pool):
                copy = asyncio.create_task(self._copy(shadow, question))
                self._copies.add(copy)
                copy.add_done_callback(self._copies.discard)
        try:
            with self.metrics.waiting.track_inprogress():
                return await self._counted(pool, question, protocol)
        except LateError as error:
            raise RequestError(HTTPStatus.GATEWAY_TIMEOUT, str(error)) from error
        except (BusyError, UnavailableError) as error:
            raise RequestError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
        except ModelError as error:
            fault = error.kind in _CALLERS_FAULT or error.step == _TAKING
            status = HTTPStatus.UNPROCESSABLE_ENTITY if fault else HTTPStatus.INTERNAL_SERVER_ERROR
            raise RequestError(status, f"{pool.deployed.ref}: {error.kind}: {error.message}") from error

    async def _copy(self, shadow: Pool, question: dict[str, Any]) -> None:
        try:
            await self._counted(shadow, question, "shadow")
        except (BusyError, UnavailableError, ModelError):  # it is counted, and nobody waits for it
            return

    async def _counted(self, pool: Pool, question: dict[str, Any], protocol: str) -> Any:
        counted = self.metrics.of(pool.deployed.model, pool.deployed.number, protocol)
        calls = self.metrics.calls(pool.deployed.model, pool.deployed.number)
        calls.begin()
        counted.requests.inc()
        begun = time.perf_counter()
        try:
            return await pool.ask(question)
        except (BusyError, UnavailableError, ModelError):
            counted.failures.inc()
            calls.failures += 1
            raise
        finally:
            counted.seconds.observe(time.perf_counter() - begun)
