"""A connection over HTTP: who opens one and does not say within some seconds what for, is sent away."""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from orchestrator.serving.replies import refusal


class _Joining:
    """A connection's transport that sends what is written in one go as one: head and body of an answer.

    Args:
        transport: That sends.
        loop: Of events; what was written is sent in its next round.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._blocks: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send data soon."""
        if not self._blocks:
            self._loop.call_soon(self._flush)
        self._blocks.append(data)

    def close(self) -> None:
        """Send what is left, and close the connection."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._blocks:
            self._transport.write(b"".join(self._blocks))
            self._blocks.clear()


class Connection(HttpToolsProtocol):
    """Uvicorn's, with a limit for the headers: it has one for idle connections only, once they have been answered.

    Attributes:
        seconds: That a client may take until they are there.
    """

    seconds = 10.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Joining(transport, self.loop))  # type: ignore[arg-type]
        self._timer = self.loop.call_later(self.seconds, self._send_away)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._timer is None:
            self._timer = self.loop.call_later(self.seconds, self._send_away)

    def on_headers_complete(self) -> None:
        self._stop_timer()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _send_away(self) -> None:
        if not self.transport.is_closing():
            answer = refusal(
                HTTPStatus.REQUEST_TIMEOUT, f"the request's headers were not there within {self.seconds:g} s"
            )
            head = f"HTTP/1.1 {HTTPStatus.REQUEST_TIMEOUT} Request Timeout\r\n".encode()
            fields = b"".join(name + b": " + value + b"\r\n" for name, value in answer.raw_headers)
            self.transport.write(head + fields + b"connection: close\r\n\r\n" + bytes(answer.body))
            self.transport.close()


def connection_class(seconds: float) -> type[Connection]:
    """Return the class of connections whose clients may take so many seconds for their headers."""
    return type("Connection", (Connection,), {"seconds": seconds})
