"""The server's side of a WebSocket (RFC 6455), as far as `kubectl exec` and the official client need it."""

import base64
import hashlib
import struct
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.kubernetes.standin.connection import Connection

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of the RFC
BINARY, CLOSE, PING, PONG = 2, 8, 9, 10
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")  # the better one first


class WebSocket:
    """An upgraded connection.

    Attributes:
        protocol: That both sides speak.
    """

    def __init__(self, connection: "Connection") -> None:
        """Answer the upgrade."""
        offered = [name.strip() for name in connection.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        self.protocol = next((name for name in PROTOCOLS if name in offered), "")
        key = connection.headers["Sec-WebSocket-Key"].encode()
        connection.send_response(101)
        connection.send_header("Upgrade", "websocket")
        connection.send_header("Connection", "Upgrade")
        connection.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key + _MAGIC).digest()).decode())
        if self.protocol:
            connection.send_header("Sec-WebSocket-Protocol", self.protocol)
        connection.end_headers()
        connection.wfile.flush()
        connection.close_connection = True
        self._connection = connection
        self._lock = threading.Lock()

    def messages(self) -> Iterator[bytes]:
        """Give the messages that come, until the other side closes."""
        file, text = self._connection.rfile, b""
        while len(head := file.read(2)) == 2:
            kind, size = head[0] & 15, head[1] & 127
            if size >= 126:
                size = int.from_bytes(file.read(2 if size == 126 else 8), "big")
            mask = file.read(4) if head[1] & 128 else b"\0\0\0\0"
            data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(file.read(size)))
            if kind == CLOSE:
                return
            if kind == PING:
                self._send(PONG, data)
            elif kind != PONG:
                text += data
                if head[0] & 128:
                    yield text
                    text = b""

    def send(self, data: bytes) -> None:
        """Send a message."""
        self._send(BINARY, data)

    def close(self) -> None:
        """Say that nothing more comes."""
        self._send(CLOSE, struct.pack("!H", 1000))

    def _send(self, kind: int, data: bytes) -> None:
        size = len(data)
        head = (
            bytes([size])
            if size < 126
            else struct.pack("!BH", 126, size)
            if size < 65536
            else b"\x7f" + size.to_bytes(8)
        )
        with self._lock:
            self._connection.wfile.write(bytes([128 | kind]) + head + data)
            self._connection.wfile.flush()
