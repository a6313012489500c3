"""Answers the guest: a thread for each of its connections."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from orchestrator.errors import MlctlError, StoreError
from orchestrator.runtime.command import script_urls
from orchestrator.runtime.files.operations import EVERYWHERE, Operations, kind_of
from orchestrator.runtime.files.places import Places
from orchestrator.runtime.files.protocol import Asked, address_of, receive, send
from orchestrator.runtime.patience import complain
from orchestrator.runtime.task import Task, Workspace
from orchestrator.store.base import Store
from orchestrator.store.parallel import as_mlctl_error

BACKLOG = 64  # connections that wait to be accepted


class FileService:
    """Files in buckets for one script, from `start` to `stop`.

    Args:
        task: The work order.
        workspace: Its folders on this machine.
        connect: Opens the store of a whole bucket.
        shared: The folders that both sides see under the same paths.
        mode: Permissions of the socket: whoever may write to it has the use of this process's keys.
    """

    def __init__(
        self,
        task: Task,
        workspace: Workspace,
        connect: Callable[[str], Store],
        *,
        shared: tuple[Path, ...] = EVERYWHERE,
        mode: int = 0o600,
    ) -> None:
        self._path = workspace.socket
        self._mode = mode
        places = Places(connect, script_urls(task, workspace), workspace.exchange / "folders")
        self._operations = Operations(places, workspace.exchange, shared)
        self._listener: socket.socket | None = None
        self._decoder = msgspec.json.Decoder(Asked)

    def start(self) -> None:
        """Begin to answer; a socket that another process has left is replaced.

        Where no socket can be made, that is noted: the job goes on, and a script that asks for a URL is told.
        """
        folder = None
        try:
            self._path.unlink(missing_ok=True)
            address, folder = address_of(self._path)
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(address)
            self._path.chmod(self._mode)
            self._listener.listen(BACKLOG)
        except OSError as error:
            complain(as_mlctl_error(error, f"cannot make {self._path}"))
            return
        finally:
            if folder is not None:
                os.close(folder)
        threading.Thread(target=self._accept, args=(self._listener,), name="files", daemon=True).start()

    def stop(self) -> None:
        """Take no more connections; what is under way goes on until the process ends."""
        if self._listener:
            with contextlib.suppress(OSError):  # nobody ever connected
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._path.unlink(missing_ok=True)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # it was closed
                return
            threading.Thread(target=self._serve, args=(connection,), name="files", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while (frame := receive(connection)) is not None:
                    send(connection, self._answer(frame))
            except OSError as error:  # the script has ended, most often
                if not isinstance(error, ConnectionError):
                    complain(error)

    def _answer(self, frame: bytes) -> dict[str, object]:
        try:
            return {"value": self._operations.carry_out(self._decoder.decode(frame))}
        except MlctlError as error:
            text = f"{error.message}; {error.hint}" if error.hint else error.message
            return {"error": {"kind": kind_of(error), "message": text}}
        except OSError as error:
            failed = as_mlctl_error(error, str(error.filename or "the disk"))
            return {"error": {"kind": kind_of(failed), "message": failed.message}}
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return {"error": {"kind": "invalid", "message": str(StoreError(f"the request makes no sense: {error}"))}}
