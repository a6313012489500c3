"""A process that has loaded all that a supervisor needs, and forks one whenever it is asked: in milliseconds.

`python -m orchestrator.backends.local.nursery FD`, where FD is its end of a socket. It has one thread and opens
nothing, so what it forks is as good as a process started anew. It ends when the other end of the socket closes;
its supervisors go on, each in a session of its own.
"""

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import msgspec

from orchestrator.backends.local import finish, supervisor  # noqa: F401  (loaded once for all)
from orchestrator.backends.local.rundir import process_name
from orchestrator.config import home_dir

LIMIT = 1 << 20  # bytes of a message; Linux takes an environment of so many
DONE = b"1"


class Birth(msgspec.Struct, frozen=True):
    """What one supervisor starts with.

    Attributes:
        run_id: Of the run.
        folder: To start in.
        log: File that what it says is appended to.
        environment: All of its variables.
    """

    run_id: str
    folder: str
    log: str
    environment: dict[str, str]


class Nursery:
    """The other end: asks for supervisors."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                env=os.environ | {"MLCTL_HOME": str(home_dir())},
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
            )
        self._socket = ours
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LIMIT)

    def start(self, run_id: str, *, folder: Path, environment: Mapping[str, str], log: Path, lock: int) -> bool:
        """Start the supervisor of a run, which inherits its lock; tell whether it was asked to.

        Should it die over that, nobody holds the lock, and who looks next starts the run again.

        Args:
            run_id: Of the run.
            folder: To start in.
            environment: All of its variables.
            log: File that what it says is appended to.
            lock: A descriptor.
        """
        birth = Birth(run_id, str(folder), str(log), {**environment})
        try:
            socket.send_fds(self._socket, [msgspec.json.encode(birth)], [lock])
        except OSError:  # it is gone, or the environment is too large for a message
            return False
        with contextlib.suppress(OSError):
            self._socket.recv(len(DONE))
        return True

    def close(self) -> None:
        """End it; its supervisors go on."""
        self._socket.close()
        self._process.wait()


def serve(connection: socket.socket) -> None:
    """Fork supervisors until the other end closes."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    gc.freeze()  # what is never looked at is never copied
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, LIMIT, 1)
        if not message:
            return
        if os.fork() == 0:
            connection.close()
            _become(msgspec.json.decode(message, type=Birth), descriptors[0])
        os.close(descriptors[0])
        connection.send(DONE)


def _become(birth: Birth, lock: int) -> NoReturn:
    """Be the supervisor of a run; what goes wrong ends the process as it ends any other."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(birth.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    Path(f"/proc/{os.getpid()}/comm").write_text(process_name(birth.run_id), encoding="ascii")
    os.chdir(birth.folder)
    os.environ.clear()
    os.environ.update(birth.environment)
    sys.argv[1:] = [birth.run_id, str(lock)]
    supervisor.main()
    sys.stderr.flush()
    os._exit(0)  # at once: there is nothing to take apart


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
