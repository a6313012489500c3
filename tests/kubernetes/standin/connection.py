"""One connection of a client: HTTP/1.1 in, JSON or a stream of chunks out."""

import contextlib
import select
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from tests.kubernetes.standin import request as requests
from tests.kubernetes.standin.faults import Cut
from tests.kubernetes.standin.status import ApiError, bad_request, no_such_path, unauthorized

if TYPE_CHECKING:
    from tests.kubernetes.standin.http import Server

MAX_BODY = 3 * 1024 * 1024  # bytes; more the real server refuses too
LOOK_MILLISECONDS = 500  # between looks whether a stream's thread has ended


class Dropped(Exception):
    """The connection was broken on purpose."""


class Ended(Exception):
    """The answer was ended on purpose, as if it were complete; the connection goes on."""


class Connection(BaseHTTPRequestHandler):
    """Serves the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    server_version = "stand-in"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: "Server"
    cut: Cut | None = None
    _sent = 0
    _streams = False
    _gone: threading.Event | None = None

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(Dropped, OSError, ValueError):  # closed by either side, at any moment
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Write no access log."""

    def serve(self) -> None:
        """Answer one request."""
        self.cut, self._sent, self._streams = None, 0, False
        body = self._read_body()
        try:
            if self.server.token and self.headers.get("Authorization") != f"Bearer {self.server.token}":
                raise unauthorized()
            if body is None:
                raise ApiError(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")
            self._answer(body)
        except ApiError as error:
            if self._streams:
                raise
            self.send_json(error.body(), error.code, error.headers)
        except Ended:
            pass
        finally:
            if self._gone:
                self._gone.set()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def _answer(self, body: bytes) -> None:
        faults, handlers = self.server.faults, self.server.handlers
        asked = requests.read(self.command, self.path)
        if asked is None:
            answer = handlers.without_resource(self.command, self.path, self.decode(body))
            if answer is None:
                raise no_such_path()
            self.send_json(answer, 201 if self.command == "POST" else 200)
            return
        faults.count(asked)
        failure = faults.take_failure(asked)
        if failure and failure.delay:
            self.server.closing.wait(failure.delay)
        if failure and failure.error and not failure.after:
            raise failure.error
        faults.check_access(asked)
        self.cut = faults.take_cut(asked)
        if failure and failure.error:
            handlers.carry_out(asked, self.decode(body))
            raise failure.error
        handlers.answer(asked, self, body)

    def decode(self, body: bytes) -> Any:
        """Read a body: JSON, or YAML as server-side apply sends it; an empty one is an empty object.

        Raises:
            ApiError: 400 or 415, it is neither.
        """
        if "protobuf" in self.headers.get("Content-Type", ""):
            raise ApiError(415, "UnsupportedMediaType", "the stand-in reads JSON and YAML, not protobuf")
        try:
            if "yaml" in self.headers.get("Content-Type", ""):
                return yaml.safe_load(body) if body[:1] != b"{" else msgspec.json.decode(body)
            return msgspec.json.decode(body or b"{}")
        except (msgspec.DecodeError, yaml.YAMLError) as error:
            raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error

    def send_json(self, body: Any, code: int = 200, headers: dict[str, str] | None = None) -> None:
        """Answer with one JSON document."""
        self.send_whole(body if isinstance(body, bytes) else msgspec.json.encode(body), code, headers)

    def send_whole(
        self, data: bytes, code: int = 200, headers: dict[str, str] | None = None, kind: str = "application/json"
    ) -> None:
        """Answer with a body that is known."""
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        for warning in self.server.handlers.take_warnings():
            self.send_header("Warning", "299 - " + msgspec.json.encode(warning).decode())
        self.end_headers()
        self._write(data)
        self.wfile.flush()

    def start_stream(self, kind: str = "application/json") -> None:
        """Answer with a body that comes in chunks."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        self._streams = True

    def send_chunk(self, data: bytes) -> None:
        """Send a piece of the stream at once."""
        if not data:
            return
        if self.cut and self._sent + len(data) > self.cut.size:
            data = data[: max(0, self.cut.size - self._sent)]
            if data:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self._break()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()
        self._sent += len(data)

    def end_stream(self) -> None:
        """Say that the stream is complete."""
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _write(self, data: bytes) -> None:
        if self.cut and self.cut.size < len(data):
            self.wfile.write(data[: self.cut.size])
            self._break()
        self.wfile.write(data)

    def _break(self) -> None:
        if self.cut and self.cut.clean and self._streams:
            self.end_stream()
            raise Ended
        self.wfile.flush()
        self.close_connection = True
        drop(self.connection)
        raise Dropped

    def _read_body(self) -> bytes | None:
        """Read the body; None if it is too long."""
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        size = int(self.headers.get("Content-Length") or 0)
        if size > MAX_BODY:
            self.close_connection = True
            return None
        return self.rfile.read(size)

    def watch_for_close(self) -> threading.Event:
        """Give an event that is set when the client goes away, for streams that have nothing to send for long."""
        gone = self._gone = threading.Event()
        poll = select.poll()
        poll.register(self.connection, select.POLLRDHUP | select.POLLHUP | select.POLLERR)

        def look() -> None:
            while not gone.is_set() and not poll.poll(LOOK_MILLISECONDS):
                pass
            gone.set()
            self.server.wake()

        threading.Thread(target=look, daemon=True).start()
        return gone


def drop(connection: socket.socket, *, reset: bool = False) -> None:
    """Break a connection, so that its peer reads an end of file, or a reset."""
    with contextlib.suppress(OSError):
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
