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
import sys
import tempfile
import threading
from functools import lru_cache
from pathlib import Path
from typing import IO, Literal, TypeAlias

import msgspec

PROGRAM = Path(__file__).with_name("sandbox_init.py")
PLAIN = "MLCTL_TEST_PLAIN_SANDBOX"  # set: as if the machine had no namespaces
Kind: TypeAlias = Literal["root", "user", "plain"]
"""Namespaces made by root, those of any user, or none."""


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
        user: Numbers of the user, its group and its other groups, to run as; needs root. None is who runs the tests.
        no_new_rights: Whether it can never become more.
    """

    words: list[str]
    environment: dict[str, str]
    folder: str
    host: str
    mounts: list[Mount]
    user: tuple[int, int, list[int]] | None = None
    no_new_rights: bool = False


class StartError(Exception):
    """A command cannot be started; the message is the system's."""


@lru_cache(maxsize=1)
def kind() -> Kind:
    """Say which namespaces containers can have here."""
    kinds: list[Kind] = [] if os.environ.get(PLAIN) else ["root", "user"] if os.geteuid() == 0 else ["user"]
    for wanted in kinds:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "root"
            root.mkdir()
            mounts = [Mount(Path(folder), "/probe/of/it")]
            command = Command(words=["true"], environment={"PATH": os.defpath}, folder="/", host="probe", mounts=mounts)
            try:
                process = Process(command, root, wanted)
            except StartError:
                continue
            process.output.close()
            process.errors.close()
            if process.wait() == 0:
                return wanted
    return "plain"


class Process:
    """A running container.

    Attributes:
        output: Its standard output.
        errors: Its standard error.
        pid: Of its first process, as the machine sees it.
    """

    def __init__(self, command: Command, root: Path, namespaces: Kind | None = None) -> None:
        """Start it.

        Args:
            command: What to run.
            root: An empty folder to build its root in.
            namespaces: Which it gets; the best that the machine allows if None.

        Raises:
            StartError: There is no such program, or it cannot be run.
        """
        self._kind = namespaces or kind()
        self.pid = 0
        self._popen = self._start_plain(command) if self._kind == "plain" else self._start(command, root)
        assert self._popen.stdout and self._popen.stderr
        self.output: IO[bytes] = self._popen.stdout
        self.errors: IO[bytes] = self._popen.stderr

    def _start(self, command: Command, root: Path) -> subprocess.Popen[bytes]:
        spec = {
            **msgspec.to_builtins(command, enc_hook=str),
            "root": str(root),
            "users": self._kind == "user",
            "mounts": [(str(mount.source), mount.target, mount.read_only) for mount in command.mounts],
        }
        file = root.with_name(f"{root.name}.json")
        file.write_bytes(msgspec.json.encode(spec))
        report, told = os.pipe()
        words = [sys.executable, "-I", "-S", str(PROGRAM), str(file), str(told)]
        popen = _popen(words, "/", {"PATH": os.defpath}, told)
        os.close(told)
        with os.fdopen(report, "rb") as line:
            pid, _, number = line.read().decode().partition(" ")
        file.unlink()
        if number or not pid:
            popen.communicate()
            raise StartError(os.strerror(int(number or 5)).lower())
        self.pid = int(pid)
        return popen

    def _start_plain(self, command: Command) -> subprocess.Popen[bytes]:
        environment = {name: _replace(value, command.mounts) for name, value in command.environment.items()}
        words = [_replace(word, command.mounts) for word in command.words]
        words[0] = shutil.which(words[0], path=environment.get("PATH")) or words[0]
        folder = _replace(command.folder, command.mounts)
        try:
            popen = _popen(words, folder, environment)
        except OSError as error:
            raise StartError((error.strerror or str(error)).lower()) from error
        self.pid = popen.pid
        # What it has started holds its output open; in a PID namespace it would be gone.
        threading.Thread(target=_end_group, args=(popen,), daemon=True).start()
        return popen

    def signal(self, number: int) -> None:
        """Send a signal to the first process; a kill ends all there are."""
        with contextlib.suppress(ProcessLookupError):
            if self._popen.poll() is None:
                (os.killpg if self._kind == "plain" and number == signal.SIGKILL else os.kill)(self.pid, number)

    def wait(self) -> int:
        """Wait for the end; gives the exit code as Kubernetes shows it: 128 + the signal that ended it."""
        code = self._popen.wait()
        return 128 - code if code < 0 else code

    def run_beside(self, words: list[str]) -> list[str]:
        """Give the command that runs something in the container beside its first process."""
        if self._kind == "plain":
            return words
        users = ["--user", "--preserve-credentials"] if self._kind == "user" else []
        return ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--uts", *users, "--root", "--wd", *words]


def _end_group(popen: subprocess.Popen[bytes]) -> None:
    popen.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(popen.pid, signal.SIGKILL)


def _popen(words: list[str], folder: str, environment: dict[str, str], *inherited: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=folder,
        start_new_session=True,
        bufsize=0,
        pass_fds=inherited,
    )


def _replace(text: str, mounts: list[Mount]) -> str:
    """Put real paths where mount paths begin a word."""
    for mount in sorted(mounts, key=lambda mount: -len(mount.target)):
        text = re.sub(rf"(?<![\w./-]){re.escape(mount.target)}(?![\w.-])", str(mount.source), text)
    return text
