"""An HTTP proxy in front of an S3 server that does to requests what networks and busy servers do.

Requests are passed on as they came, with the Host header that their signature is for.
"""

import http.client
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

import msgspec

Kind = Literal["500", "503", "reset", "truncated", "slow", "wrong", "lost", "late"]
KINDS: tuple[Kind, ...] = ("500", "503", "reset", "truncated", "slow", "wrong", "lost", "late")
SLOW = 0.2  # seconds, in pieces
PIECES = 4  # that a slow answer comes in


class Request(msgspec.Struct, frozen=True):
    """What a client asks.

    Attributes:
        method: Of HTTP.
        key: Of the object, whole; empty if the bucket is asked.
        query: Parameters.
        copies: Whether the server is to copy another object.
    """

    method: str
    key: str
    query: dict[str, list[str]]
    copies: bool

    @property
    def moves_data(self) -> bool:
        """Whether the body of the request or the answer is (part of) an object."""
        return bool(self.key) and not self.copies and (self.method == "GET" or self.method == "PUT")

    @property
    def late_error(self) -> bool:
        """Whether S3 may answer 200 and tell of an error in the body."""
        return self.copies or (self.method == "POST" and "uploadId" in self.query)


class Answer(msgspec.Struct, frozen=True):
    """What to say instead of asking the server."""

    status: int
    code: str
    message: str = "said the proxy"


Rule: TypeAlias = Callable[[Request], "Kind | Answer | None"]


class Proxy:
    """A running proxy.

    Attributes:
        endpoint: `http://127.0.0.1:PORT`.
        rule: Says what to do to each request; None does nothing.
        done: How often each kind of fault was done.
        seen: All requests.
        clients: The open connections.
    """

    def __init__(self, upstream: str, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.rule: Rule = _nothing
        self.done: Counter[str] = Counter()
        self.seen: list[Request] = []
        self.clients: set[socket.socket] = set()
        self._upstream = urlsplit(upstream)

    @contextmanager
    def doing(self, rule: Rule) -> Iterator[None]:
        """Follow a rule inside the block."""
        self.rule = rule
        try:
            yield
        finally:
            self.rule = _nothing

    def connect(self) -> http.client.HTTPConnection:
        """Return a new connection to the server."""
        secure = self._upstream.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        return kind(self._upstream.netloc, timeout=60)


class Server(ThreadingHTTPServer):
    """Has room for all that a crowd of threads asks at once: who finds none tries again a second later."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


@contextmanager
def open_proxy(upstream: str) -> Iterator[Proxy]:
    """Run a proxy inside the block."""
    with Server(("127.0.0.1", 0), _Handler) as server:
        server.proxy = Proxy(upstream, server.server_port)  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server.proxy  # type: ignore[attr-defined]
        server.shutdown()
    for client in [*server.proxy.clients]:  # type: ignore[attr-defined]
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


def at_random(rate: float, seed: int, kinds: tuple[Kind, ...] = KINDS) -> Rule:
    """Return a rule that does a fault to so many of the requests.

    What is done to the n-th request of a sort depends on the seed alone, not on what other threads ask meanwhile.
    """
    lock = threading.Lock()
    times: Counter[str] = Counter()

    def rule(request: Request) -> Kind | None:
        what = f"{request.method} {re.sub(r'[0-9a-f]{8,}', '', request.key)} {sorted(request.query)}"
        with lock:
            times[what] += 1
            chance = random.Random(f"{seed} {what} {times[what]}")
        return chance.choice(kinds) if chance.random() < rate else None

    return rule


def _nothing(request: Request) -> None:
    return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body of an answer in one go
    _server: http.client.HTTPConnection | None = None

    def do_GET(self) -> None:
        proxy: Proxy = self.server.proxy  # type: ignore[attr-defined]
        request = self._request()
        proxy.seen.append(request)
        fault = proxy.rule(request)
        if isinstance(fault, str):
            proxy.done[fault] += 1
        if fault == "reset" and random.random() < 0.5:  # before the request was read, or after
            self._reset()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if fault == "reset":
            self._reset()
        elif fault == "500":
            self._say(Answer(500, "InternalError"))
        elif fault == "503":
            self._say(Answer(503, "SlowDown", "Please reduce your request rate."))
        elif isinstance(fault, Answer):
            self._say(fault)
        elif fault == "late" and request.late_error:
            self._say(Answer(200, "InternalError"))
        else:
            self._pass_on(proxy, request, fault, body)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""

    def setup(self) -> None:
        super().setup()
        self.server.proxy.clients.add(self.connection)  # type: ignore[attr-defined]

    def finish(self) -> None:
        self.server.proxy.clients.discard(self.connection)  # type: ignore[attr-defined]
        if self._server:
            self._server.close()
        with suppress(ConnectionError, ValueError):  # it is closed
            super().finish()

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):  # the client has gone
            self.close_connection = True

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        key = parts.path.lstrip("/").partition("/")[2]
        copies = "x-amz-copy-source" in self.headers
        return Request(self.command, key, parse_qs(parts.query, keep_blank_values=True), copies)

    def _pass_on(self, proxy: Proxy, request: Request, fault: Kind | None, body: bytes) -> None:
        if fault == "wrong" and request.moves_data and request.method == "PUT":
            body = _damaged(body)
        status, reason, headers, data = self._ask(proxy, body)
        if fault in ("lost", "late"):  # the server has done it, and nobody will know
            self._reset()
            return
        if fault == "wrong" and request.moves_data and status in (200, 206):
            data = _damaged(data)
        self.send_response_only(status, reason)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        length = {name.lower(): value for name, value in headers}.get("content-length")
        self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(data)))
        self.end_headers()
        if fault == "truncated":
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.close_connection = True
        elif fault == "slow":
            step = len(data) // PIECES + 1
            for start in range(0, max(len(data), 1), step):
                self.wfile.flush()
                time.sleep(SLOW / PIECES)
                self.wfile.write(data[start : start + step])
        else:
            self.wfile.write(data)

    def _ask(self, proxy: Proxy, body: bytes) -> tuple[int, str, list[tuple[str, str]], bytes]:
        self._server = self._server or proxy.connect()
        self._server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("expect", "connection"):
                self._server.putheader(name, value)
        self._server.endheaders(body)
        answer = self._server.getresponse()
        return answer.status, answer.reason, answer.getheaders(), answer.read()

    def _say(self, answer: Answer) -> None:
        text = f"<Error><Code>{answer.code}</Code><Message>{answer.message}</Message></Error>"
        data = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
        self.send_response_only(answer.status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _reset(self) -> None:
        """Have the client see its connection reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _damaged(data: bytes) -> bytes:
    """Return the bytes with one of them changed."""
    if not data:
        return data
    where = random.randrange(len(data))
    return data[:where] + bytes([data[where] ^ 0xFF]) + data[where + 1 :]
