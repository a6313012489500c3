"""The connection to a model's process: what is asked goes out at once, and the answers come in the same order."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, cast

import msgspec

from orchestrator.serving import wire

Answered: TypeAlias = Callable[[dict[str, Any] | Exception], None]


class Asked(NamedTuple):
    """A request that is under way.

    Attributes:
        timeout: Seconds for its answer, from the moment when it is this one's turn.
        answered: Called with the answer, or with what happened instead.
    """

    timeout: float
    answered: Answered


class Link(asyncio.Protocol):
    """A connection.

    Args:
        ended: Called when the connection is lost, or (then with True) the first answer is late, with the requests that
            were not answered; not if it was closed.

    Attributes:
        asked: The requests that are under way, the oldest first.
        is_open: Whether it can be asked.
    """

    def __init__(self, ended: Callable[[list[Asked], bool], None]) -> None:
        self.asked: deque[Asked] = deque()
        self.is_open = True
        self._ended = ended
        self._data = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, document: dict[str, Any], timeout: float, answered: Answered) -> None:
        """Ask for an answer; the arguments are those of `Asked`."""
        self._transport.write(wire.frame(document))
        self.asked.append(Asked(timeout, answered))
        if len(self.asked) == 1:
            self._begin()

    def lose(self, *, late: bool = False) -> None:
        """Give the connection up, and tell so."""
        if self.is_open:
            self._ended(self.close(), late)

    def close(self) -> list[Asked]:
        """Close the connection; return the requests that were not answered."""
        self.is_open = False
        if self._timer:
            self._timer.cancel()
        self._transport.close()
        return list(self.asked)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lose()

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = 0
        try:
            while found := wire.parse(self._data, end):
                answer, end = found
                answered = self.asked.popleft().answered
                self._begin()
                answered(answer)
        except msgspec.DecodeError:
            self.lose()
        del self._data[:end]

    def _begin(self) -> None:
        """Give the first request, whose turn it is, its time."""
        if self._timer:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.asked[0].timeout, self._late) if self.asked else None

    def _late(self) -> None:
        self.lose(late=True)
