"""Containers without a container runtime: the machine's own files, with the pod's volumes mounted over them.

Where the machine allows it (as root, or with unprivileged user namespaces), a container has mount, PID and UTS
namespaces of its own: volumes are where the manifest mounts them, the command is process 1 (a signal that it does not
handle does not end it), and nothing that it starts outlives it. Elsewhere the command is a plain process group, and
in its words and variables the folders' real paths stand in the place of mount paths.

It sees the machine's files and network as the user that runs the tests; images, users and cgroups are left out.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import IO

import msgspec

SCRIPT = Path(__file__).with_name("sandbox.sh")
PLAIN = "MLCTL_TEST_PLAIN_SANDBOX"  # set: as if the machine had no namespaces


class Mount(msgspec.Struct, frozen=True):
    """A folder or file of the pod's.

    Attributes:
        source: Where it is.
        target: Where the container sees it.
        read_only: Whether it may not be written.
    """

    source: Path
    target: str
    read_only: bool = False


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What to run.

    Attributes:
        words: The program and its arguments.
        environment: All of it.
        folder: To start in.
        host: Name of the machine that it believes to be on.
        mounts: What it sees besides the machine's own files.
    """

    words: list[str]
    environment: dict[str, str]
    folder: str
    host: str
    mounts: list[Mount]


@lru_cache(maxsize=1)
def _unshare() -> tuple[str, ...]:
    """Give the command that makes namespaces; empty if the machine does not allow any."""
    if os.environ.get(PLAIN) or not shutil.which("unshare"):
        return ()
    base = ("unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child")
    for command in (
        (base, ("unshare", "--map-root-user", *base[1:]))
        if os.geteuid() == 0
        else (("unshare", "--map-root-user", *base[1:]),)
    ):
        with tempfile.TemporaryDirectory() as root:
            words = [*command, "sh", SCRIPT, root, "probe", "/", "1", root, "/probe/of/it", "rw", "true"]
            if subprocess.run(words, capture_output=True).returncode == 0:
                return command
    return ()


def has_namespaces() -> bool:
    """Say whether containers have namespaces of their own here."""
    return bool(_unshare())


class Process:
    """A running container.

    Attributes:
        output: Its standard output.
        errors: Its standard error.
        pid: Of its first process, as the machine sees it.
    """

    def __init__(self, command: Command, root: Path) -> None:
        """Start it.

        Args:
            command: What to run.
            root: An empty folder to build its root in.
        """
        if has_namespaces():
            mounts = [
                word
                for mount in command.mounts
                for word in (str(mount.source), mount.target, "ro" if mount.read_only else "rw")
            ]
            words = [*_unshare(), "sh", str(SCRIPT), str(root), command.host, command.folder, str(len(command.mounts))]
            words += [*mounts, *(f"{name}={value}" for name, value in command.environment.items()), *command.words]
            self._popen = self._start(words, None, "/")
        else:
            environment = {name: _replace(value, command.mounts) for name, value in command.environment.items()}
            words = [_replace(word, command.mounts) for word in command.words]
            folder = _replace(command.folder, command.mounts)
            words[0] = shutil.which(words[0], path=environment.get("PATH")) or words[0]
            self._popen = self._start(words, environment, folder)
        assert self._popen.stdout and self._popen.stderr
        self.output: IO[bytes] = self._popen.stdout
        self.errors: IO[bytes] = self._popen.stderr

    def _start(self, words: list[str], environment: dict[str, str] | None, folder: str) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            env=environment,
            cwd=folder,
            start_new_session=True,
            bufsize=0,
        )

    @property
    def pid(self) -> int:
        if not has_namespaces():
            return self._popen.pid
        return next(iter(children(self._popen.pid)), 0)

    def signal(self, number: int) -> None:
        """Send a signal to the first process; a kill ends all there are."""
        if self._popen.poll() is not None:
            return
        target = self.pid
        try:
            if number == signal.SIGKILL and not has_namespaces():
                os.killpg(self._popen.pid, number)
            elif target:
                os.kill(target, number)
            elif number == signal.SIGKILL:
                self._popen.kill()
        except ProcessLookupError:
            pass

    def wait(self) -> int:
        """Wait for the end; gives the exit code as Kubernetes shows it: 128 + the signal that ended it."""
        code = self._popen.wait()
        if not has_namespaces():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
        return 128 - code if code < 0 else code

    def run_beside(self, words: list[str]) -> list[str]:
        """Give the command that runs something in the container beside its first process."""
        if not has_namespaces():
            return words
        target = str(self.pid)
        users = ["--user", "--preserve-credentials"] if "--map-root-user" in _unshare() else []
        return ["nsenter", "--target", target, "--mount", "--pid", "--uts", *users, "--root", "--wd", *words]


def has_program(word: str, path: str, mounts: list[Mount]) -> bool:
    """Say whether a container can start a program."""
    if "/" not in word:
        return shutil.which(word, path=path) is not None
    for mount in mounts:
        if word.startswith(f"{mount.target}/"):
            return (mount.source / word[len(mount.target) + 1 :]).exists()
    return not word.startswith("/") or Path(word).exists()


def children(pid: int) -> list[int]:
    """Find the children of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == pid:
            found.append(int(path.parent.name))
    return found


def _replace(text: str, mounts: list[Mount]) -> str:
    """Put real paths where mount paths begin a word."""
    for mount in sorted(mounts, key=lambda mount: -len(mount.target)):
        text = re.sub(rf"(?<![\w./-]){re.escape(mount.target)}(?![\w.-])", str(mount.source), text)
    return text
