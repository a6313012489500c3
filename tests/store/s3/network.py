"""What stands between a machine and a bucket: TLS with a certificate of an own authority, and proxies."""

import base64
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

HEAD = 65536  # bytes that the head of a request has at most


def certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, Path]:
    """Return what a server needs to be known by these names (as `DNS:host`), and the file of the authority."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl here")
    make = (
        "set -e; N='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n"
        "openssl req -x509 $N -keyout ca.key -out ca.pem -subj /CN=authority \\\n"
        " -addext basicConstraints=critical,CA:TRUE\n"
        "openssl req $N -keyout key.pem -out request.pem -subj /CN=server\n"
        f"printf 'subjectAltName={','.join(names)}' > names\n"
        "openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -extfile names\n"
    )
    subprocess.run(["bash", "-c", make], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, folder / "ca.pem"


@contextmanager
def tls(upstream: str, folder: Path, *, name: str = "IP:127.0.0.1") -> Iterator[tuple[str, Path]]:
    """Serve a plain server with a certificate of an own authority; yield endpoint and the authority's file."""
    context, authority = certificate(folder, name)

    def handle(client: socket.socket) -> None:
        with suppress(OSError):
            join(context.wrap_socket(client, server_side=True), connect(upstream))

    with listening(handle) as port:
        yield f"https://127.0.0.1:{port}", authority


class Forward:
    """A running proxy.

    Attributes:
        port: Where it listens.
        asked: First line of each request that it got.
    """

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[str] = []


@contextmanager
def forward(upstream: str, *, login: str = "") -> Iterator[Forward]:
    """Run an HTTP proxy, to which all names are those of one server; with a login (`user:password`) it wants that."""
    proxy = Forward()
    wanted = b"proxy-authorization: basic " + base64.b64encode(login.encode()).lower()

    def handle(client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (data := client.recv(HEAD)):  # it has gone without a word
                client.close()
                return
            head += data
        first, _, rest = head.partition(b"\r\n")
        proxy.asked.append(first.decode())
        if login and wanted not in rest.lower():
            client.sendall(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            client.close()
            return
        server = connect(upstream)
        if first.startswith(b"CONNECT "):
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            server.sendall(head)  # a server takes a whole URL for its path too
        join(client, server)

    with listening(handle) as port:
        proxy.port = port
        yield proxy


@contextmanager
def listening(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """Have each connection handled in a thread; yield the port."""

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def connect(url: str) -> socket.socket:
    host, _, port = url.partition("://")[2].partition(":")
    return socket.create_connection((host, int(port)))


def join(one: socket.socket, other: socket.socket) -> None:
    """Pass on what comes from either side until both have ended."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    threading.Thread(target=pump, args=(other, one), daemon=True).start()
    pump(one, other)
