"""A connection over HTTP: who opens one and does not say within some seconds what for, is sent away.

So is who comes when there are as many as may be, and all of them at work.
"""

import asyncio
import logging
import math
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from orchestrator.serving.replies import refusal

LOG = logging.getLogger("mlctl")
PATIENCE = 1.0  # seconds that who is turned away may take to ask
PAUSE = 10.0  # seconds between two lines in the log about that


class _Joining:
    """A connection's transport that sends an answer's head with its body, in one go.

    Args:
        transport: That sends.
        connection: Whose answers these are; each is complete at once.
    """

    def __init__(self, transport: asyncio.Transport, connection: "Connection") -> None:
        self._transport = transport
        self._connection = connection
        self._blocks: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send data, and what waits; a part of an answer waits until it is complete."""
        self._blocks.append(data)
        answering = self._connection.cycle
        if not answering or not answering.response_started or answering.response_complete:
            self.flush()

    def close(self) -> None:
        """Send what waits, and close the connection."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Send what waits."""
        if self._blocks:
            self._transport.writelines(self._blocks)
            self._blocks = []


class Connection(HttpToolsProtocol):
    """Uvicorn's, with limits: for the number of connections, and for the time until the headers of a request are there.

    Uvicorn has one of time for connections that have been answered, and one of number that turns away requests of
    whoever is connected already.

    Attributes:
        seconds: That a client may take until the headers are there.
        most: Connections at once. The one that is idle for the longest goes when another comes.
        idle: Those without a request under way, the longest idle first.
    """

    seconds = 10.0
    most = 1
    idle: ClassVar[dict["Connection", None]]
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= self.most and not self._make_room():
            transport.set_protocol(_TurnedAway(transport, self.loop, self.most))
            return
        self._joining = _Joining(transport, self)
        super().connection_made(self._joining)  # type: ignore[arg-type]
        self._timer = self.loop.call_later(self.seconds, self._send_away)
        self.idle[self] = None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.idle.pop(self, None)
        if self._timer is None:
            self._timer = self.loop.call_later(self.seconds, self._send_away)

    def on_headers_complete(self) -> None:
        self._stop_timer()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        self._joining.flush()
        super().on_response_complete()
        if self.timeout_keep_alive_task:  # no other request of the client has come meanwhile
            self.idle[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.idle.pop(self, None)
        super().connection_lost(exc)

    def _make_room(self) -> bool:
        """Close the connection that is idle for the longest; return whether there was one."""
        if not self.idle:
            return False
        longest = next(iter(self.idle))
        del self.idle[longest]
        longest.transport.close()
        return True

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _send_away(self) -> None:
        if not self.transport.is_closing():
            message = f"the request's headers were not there within {self.seconds:g} s"
            self.transport.write(_raw(HTTPStatus.REQUEST_TIMEOUT, message))
            self.transport.close()


class _TurnedAway(asyncio.Protocol):
    """A connection for which there is no room: it is told so once it has asked, as it could not read that before.

    Args:
        transport: Of the connection.
        loop: Of events.
        most: Connections that there may be.
    """

    _told = -math.inf  # when the last was, by the loop's clock

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, most: int) -> None:
        self._transport = transport
        self._answer = _raw(HTTPStatus.SERVICE_UNAVAILABLE, f"{most} connections are open, which is all that may be")
        self._timer = loop.call_later(PATIENCE, transport.abort)
        if loop.time() - _TurnedAway._told > PAUSE:
            _TurnedAway._told = loop.time()
            LOG.warning("all %d connections that may be open have a request under way: others are turned away", most)

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._answer)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()


def _raw(status: HTTPStatus, message: str) -> bytes:
    """Return an error as it goes over the connection, after which that is closed."""
    answer = refusal(status, message)
    head = f"HTTP/1.1 {status} {status.phrase}\r\n".encode()
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in answer.raw_headers)
    return head + fields + b"connection: close\r\n\r\n" + bytes(answer.body)


def connection_class(seconds: float, most: int) -> type[Connection]:
    """Return the class of a server's connections.

    Args:
        seconds: That clients may take for the headers of a request.
        most: Connections at once.
    """
    return type("Connection", (Connection,), {"seconds": seconds, "most": most, "idle": {}})
