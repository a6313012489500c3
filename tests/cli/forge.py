"""`mlctl` in processes of its own, forked from one that has loaded what it needs: of a short command most is that."""

import contextlib
import importlib
import json
import os
import pkgutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import orchestrator.cli

MLCTL = str(Path(sys.executable).with_name("mlctl"))
LARGEST = 1 << 20  # bytes of a request
AT_START = ("PYTHON", "LANG", "LC_")  # beginnings of variables that Python reads when it starts


class Forge:
    """The process that forks."""

    def __init__(self) -> None:
        self._at_start = _at_start(os.environ)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._socket, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
        with theirs:
            command = [sys.executable, "-m", __name__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=Path(__file__).parents[2])

    def run(
        self, arguments: Sequence[str], *, env: Mapping[str, str], timeout: float
    ) -> "subprocess.CompletedProcess[str]":
        """Do what `subprocess.run` does with the program, nothing on stdin, and text in and out."""
        command = [MLCTL, *arguments]
        if _at_start(env) != self._at_start:
            options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": timeout}
            return subprocess.run(command, env=env, **options, check=False)
        ours, theirs = socket.socketpair()
        request = json.dumps({"argv": command, "environ": dict(env), "folder": str(Path.cwd())}).encode()
        with ours, theirs, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
            socket.send_fds(self._socket, [request], [theirs.fileno(), out.fileno(), error.fileno()])
            theirs.close()
            ours.settimeout(timeout)
            answers = ours.makefile()
            pid = int(answers.readline())
            try:
                code = int(answers.readline())
            except TimeoutError:
                os.kill(pid, 9)
                raise subprocess.TimeoutExpired(command, timeout) from None
            texts = []
            for file in (out, error):
                file.seek(0)
                texts.append(file.read())
            return subprocess.CompletedProcess(command, code, *texts)

    def end(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(AT_START)}


def _serve(requests: socket.socket) -> None:
    """Fork for each request; return in the process that is to be the program, end when nobody can ask any more."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, LARGEST, 3)
        if not request:
            sys.exit()
        if os.fork() == 0:
            requests.close()
            answers, out, error = descriptors
            if (pid := os.fork()) == 0:
                os.close(answers)
                _become(**json.loads(request), out=out, error=error)
                return
            os.write(answers, b"%d\n" % pid)
            _, status = os.waitpid(pid, 0)
            os.write(answers, b"%d\n" % os.waitstatus_to_exitcode(status))
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _become(argv: list[str], environ: dict[str, str], folder: str, out: int, error: int) -> None:
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    sys.argv = argv
    sys.path[0] = str(Path(MLCTL).parent)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, out, error)):
        os.dup2(descriptor, number)
        os.close(descriptor)


if __name__ == "__main__":
    for found in pkgutil.iter_modules(orchestrator.cli.__path__, "orchestrator.cli."):
        importlib.import_module(found.name)
    for name in ("orchestrator.__main__", "orchestrator.client", "boto3", "obstore.store"):
        importlib.import_module(name)
    _serve(socket.socket(fileno=int(sys.argv[1])))
    from orchestrator.__main__ import main

    main()
