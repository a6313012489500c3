"""What a method of a gRPC service is called with."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from orchestrator.serving.front import Front
from orchestrator.serving.pool import Pool


class Call:
    """One call.

    Args:
        front: Asks the versions.

    Attributes:
        model: The version that was asked, once one was.
    """

    def __init__(self, front: Front) -> None:
        self.front = front
        self.model = ""

    async def ask(self, pool: Pool, question: dict[str, Any], protocol: str, *, shadowed: bool) -> dict[str, Any]:
        """Have a version answer; the client is told which. Raises RequestError."""
        self.model = pool.deployed.ref
        found: dict[str, Any] = await self.front.ask(pool, question, protocol, shadowed=shadowed)
        return found


# Service, method, messages of request and response, and what makes the latter's fields of the former.
Method: TypeAlias = tuple[str, str, str, str, Callable[[Call, Any], Awaitable[dict[str, Any]]]]
