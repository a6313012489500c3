"""`pods/exec`: a command in a running container, by the WebSocket protocols `v4` and `v5.channel.k8s.io`."""

import contextlib
import fcntl
import os
import pty
import subprocess
import termios
import threading
from typing import IO, TYPE_CHECKING, Any

import msgspec

from tests.kubernetes.standin.container import Container
from tests.kubernetes.standin.kubelet import Kubelets
from tests.kubernetes.standin.logserve import chosen_container
from tests.kubernetes.standin.request import Request
from tests.kubernetes.standin.resources import PODS, Object
from tests.kubernetes.standin.status import ApiError, bad_request
from tests.kubernetes.standin.store import Store
from tests.kubernetes.standin.websocket import WebSocket

if TYPE_CHECKING:
    from tests.kubernetes.standin.connection import Connection

STDIN, STDOUT, STDERR, ERROR, RESIZE, END = 0, 1, 2, 3, 4, 255  # first byte of a message
READ = 32 * 1024  # bytes


class Exec:
    """Runs commands in containers."""

    def __init__(self, store: Store, kubelets: Kubelets) -> None:
        self._store = store
        self._kubelets = kubelets

    def __call__(self, request: Request, connection: "Connection", body: Any) -> None:
        """Answer a request for a command."""
        pod = self._store.get(PODS, request.namespace, request.name).value
        name = chosen_container(pod, request.query.get("container", ""))
        if "websocket" not in connection.headers.get("Upgrade", "").lower():
            raise bad_request("you must specify at least 1 of stdin, stdout, stderr, over a WebSocket")
        node = self._kubelets.nodes.get(pod["spec"].get("nodeName", ""))
        running = node.find(pod["metadata"]["uid"]) if node else None
        container = running.container(name) if running else None
        if container is None or container.process is None:
            raise ApiError(500, "InternalError", f'container not found ("{name}")')
        _Session(request, WebSocket(connection), container).run()


class _Session:
    def __init__(self, request: Request, socket: WebSocket, container: Container) -> None:
        self._socket = socket
        terminal = request.flag("tty")
        assert container.process
        variables = [f"{name}={value}" for name, value in container.environment.items()]
        words = container.process.run_beside(["env", "-i", *variables, *request.commands])
        self._stdin: IO[bytes] | None
        if terminal:
            self._outer, inner = pty.openpty()
            words = ["setsid", "--ctty", "--wait", *words]
            self._popen = subprocess.Popen(words, stdin=inner, stdout=inner, stderr=inner)
            os.close(inner)
            self._stdin = os.fdopen(self._outer, "r+b", buffering=0)
            self._outputs = [(STDOUT, self._stdin)]
        else:
            pipe = subprocess.PIPE
            wants = request.flag("stdin")
            self._popen = subprocess.Popen(
                words, stdin=pipe if wants else subprocess.DEVNULL, stdout=pipe, stderr=pipe, bufsize=0
            )
            assert self._popen.stdout and self._popen.stderr
            self._stdin = self._popen.stdin
            self._outputs = [(STDOUT, self._popen.stdout), (STDERR, self._popen.stderr)]
        self._terminal = terminal

    def run(self) -> None:
        """Pass everything on until the command has ended."""
        readers = [threading.Thread(target=self._pass_on, args=output, daemon=True) for output in self._outputs]
        for thread in [*readers, threading.Thread(target=self._take, daemon=True)]:
            thread.start()
        for thread in readers:
            thread.join()
        self._socket.send(bytes([ERROR]) + msgspec.json.encode(_status(self._popen.wait())))
        self._socket.close()

    def _pass_on(self, channel: int, file: IO[bytes]) -> None:
        with contextlib.suppress(OSError):  # how a terminal ends
            while data := file.read(READ):
                self._socket.send(bytes([channel]) + data)

    def _take(self) -> None:
        """Take what the client sends; when it has gone, so has the command's input, or its terminal."""
        with contextlib.suppress(OSError, ValueError):
            for message in self._socket.messages():
                if message[0] == STDIN and self._stdin:
                    self._stdin.write(message[1:])
                elif message[0] == END and self._stdin and not self._terminal:
                    self._stdin.close()
                elif message[0] == RESIZE and self._terminal:
                    size = msgspec.json.decode(message[1:])
                    packed = b"".join(int(n).to_bytes(2, "little") for n in (size["Height"], size["Width"], 0, 0))
                    fcntl.ioctl(self._outer, termios.TIOCSWINSZ, packed)
        if self._stdin and not self._terminal:
            with contextlib.suppress(OSError):
                self._stdin.close()
        elif self._terminal:
            self._popen.terminate()


def _status(code: int) -> Object:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    code = 128 - code if code < 0 else code
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
