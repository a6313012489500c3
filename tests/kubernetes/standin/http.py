"""The server: accepts connections on a loopback port, and can be away for a while."""

import socket
import ssl
import sys
import threading
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING

from orchestrator.ports import free_ports
from tests.kubernetes.standin.connection import Connection, drop
from tests.kubernetes.standin.faults import Faults

if TYPE_CHECKING:
    from tests.kubernetes.standin.handlers import Handlers

HOST = "127.0.0.1"
POLL = 0.05  # seconds


class Server(ThreadingMixIn, TCPServer):
    """A threaded HTTP server.

    Attributes:
        handlers: Answer the requests.
        faults: What goes wrong.
        token: Clients must bear it; an empty one lets everybody in.
        connections: All open ones.
        closing: Set at the end.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, handlers: "Handlers", faults: Faults, token: str, tls: ssl.SSLContext | None) -> None:
        # It is the same port again after a while away, which no connection may have been given meanwhile.
        super().__init__((HOST, free_ports(1)[0]), Connection)
        self.handlers = handlers
        self.faults = faults
        self.token = token
        self.connections: set[socket.socket] = set()
        self.closing = threading.Event()
        self._tls = tls
        self._thread: threading.Thread | None = None
        self.port: int = self.server_address[1]

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Show only what is a mistake of the stand-in's."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread = threading.Thread(target=self.serve_forever, args=(POLL,), daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Wake all streams, so that they see what has changed."""
        with self.handlers.api.store.changed:
            self.handlers.api.store.changed.notify_all()

    def drop_connections(self, *, reset: bool = False) -> None:
        """Break all connections."""
        for connection in list(self.connections):
            drop(connection, reset=reset)
        self.wake()

    def pause(self) -> None:
        """Be away: refuse connections and break those there are."""
        self.shutdown()
        self.socket.close()
        self.drop_connections(reset=True)

    def resume(self) -> None:
        """Be there again, at the same port."""
        self.socket = socket.socket(self.address_family, self.socket_type)
        self.server_address = (HOST, self.port)
        self.server_bind()
        self.server_activate()
        self.start()

    def stop(self) -> None:
        """End for good."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        self.drop_connections()
